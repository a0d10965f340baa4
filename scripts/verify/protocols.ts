import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Outcome, root, run } from "./command.ts";

const folder = join(root, "proto");

/** The .proto files keep buf's rules, and what is generated of them is what they say. */
export async function checkProtocols(): Promise<Outcome> {
  const buf = (...args: string[]) => run(process.execPath, ["../node_modules/@bufbuild/buf/bin/buf", ...args], folder);
  const linted = await buf("lint");
  if (linted.code !== 0) return linted;
  const made = mkdtempSync(join(tmpdir(), "sluice-proto-"));
  try {
    const generated = await buf("generate", "--output", made);
    if (generated.code !== 0) return generated;
    const [before, after] = [textsIn(join(folder, "gen")), textsIn(join(made, "gen"))];
    const names = [...new Set([...before.keys(), ...after.keys()])];
    const stale = names.filter((name) => before.get(name) !== after.get(name));
    if (stale.length === 0) return { code: 0, output: "" };
    return { code: 1, output: `${stale.join(", ")}: not as the .proto files have it. cd proto && npx buf generate\n` };
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

function textsIn(path: string): Map<string, string> {
  const names = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return new Map(names.map((name) => [name, readFileSync(join(path, name), "utf8")]));
}
