import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { mapLines } from "../../cli/commands/map-lines.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import { compileMapping, compilePredicate } from "../../runtime/mapping/index.ts";
import { decodeText, parseJson } from "../../runtime/record/index.ts";
import { tempDir } from "../support/temp-dir.ts";

export const program = fileURLToPath(new URL("../../bin/sluice.mjs", import.meta.url));

/** What became of a line: the record written for it, or `reason rule` of its failure; null when it was filtered. */
export type Fate = string | null;

/** Runs one line through rules in this process, the way `sluice map` does. */
export function fateOf(rules: string, line: string, where?: string): Fate {
  const predicate = where === undefined ? undefined : compilePredicate(where);
  const { out, errors } = mapLines(decodeText(Buffer.from(line)), 1, compileMapping(parseJson(rules)), predicate);
  if (errors === "") return out === "" ? null : out.slice(0, -1);
  const { reason, rule } = JSON.parse(errors);
  return `${reason} ${rule}`;
}

/** The paths and sentences with which rules are refused; empty when they are in order. */
export function refusalsOf(rules: string): string[] {
  try {
    compileMapping(parseJson(rules));
    return [];
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return error.errors.map(({ path, message }) => `${path}: ${message}`);
  }
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real program, rules in a file. */
export async function runMap(
  rules: string | Uint8Array,
  input: string | Uint8Array,
  { args = [], name = "rules.json" }: { args?: readonly string[]; name?: string } = {},
): Promise<Outcome> {
  const spec = join(tempDir(), name);
  writeFileSync(spec, rules);
  const child = spawn(process.execPath, [program, "map", "--spec", spec, ...args]);
  child.stdin.on("error", () => {}); // A program that refuses its rules reads nothing.
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, stdout, stderr };
}

/** The fate of every line, by one run of the real program; lines without a failure and without output do not occur. */
export async function fatesOf(rules: string, lines: readonly string[]): Promise<Fate[]> {
  const { stdout, stderr } = await runMap(rules, lines.join("\n"));
  const fates: Fate[] = new Array(lines.length).fill(null);
  for (const report of stderr.split("\n").filter((line) => line !== "")) {
    const { line, reason, rule } = JSON.parse(report);
    fates[line - 1] = `${reason} ${rule}`;
  }
  const out = stdout.split("\n").slice(0, -1);
  return fates.map((fate) => fate ?? out.shift() ?? null);
}
