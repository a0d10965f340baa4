import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import config from "../../adapters/postgres/drizzle.config.ts";
import { type Outcome, root, runTool } from "./command.ts";

/** Generates migrations in a copy of their folder: a new one means that the schema was changed without. */
export async function checkMigrations(): Promise<Outcome> {
  const committed = join(root, config.out);
  const copy = mkdtempSync(join(tmpdir(), "sluice-migrations-"));
  try {
    cpSync(committed, copy, { recursive: true });
    // drizzle-kit takes a relative path only, and exits with 0 whatever happens.
    const out = relative(root, copy);
    const args = ["generate", "--dialect", config.dialect, "--schema", config.schema, "--out", out];
    const { output } = await runTool("drizzle-kit/bin.cjs", ...args);
    const generated = readdirSync(copy).filter((name) => !readdirSync(committed).includes(name));
    if (generated.length === 0 && output.includes("No schema changes")) return { code: 0, output };
    return { code: 1, output: `${output}\nThe schema and its migrations differ: drizzle-kit generate, and commit.\n` };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
