import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { root, runTool } from "./command.ts";
import type { Counts, StageResult } from "./stages.ts";

/** What vitest's JSON reporter writes, as far as it is read here. */
export interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: "passed" | "failed";
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

interface Ran {
  readonly code: number;
  readonly output: string;
  readonly report: Report;
}

/** More files than this that fail are no accident. */
const AGAIN_AT_MOST = 3;

/** What passed once passes again: tests draw by chance only where a developer runs them (vitest.config.ts). */
process.env.SLUICE_TEST_SEED ??= "1";

/**
 * Runs the tests of one vitest project, two files at once (vitest.config.ts, which vitest holds to whatever
 * `--maxWorkers` says). A file that does not load, or an error outside of any test, is a failure. A few files that
 * failed are run once more, one after another, and the note says which (docs/decisions/0059-a-second-run.md).
 */
export async function runTests(project: string): Promise<StageResult> {
  const first = await vitest(project);
  const files = first.report.testResults.filter(({ status }) => status === "failed").map(({ name }) => name);
  const outside = first.output.includes("Unhandled Error");
  if (files.length === 0 || files.length > AGAIN_AT_MOST || outside) {
    return { ...outcome(first.code, first.report), output: first.output };
  }
  const second = await vitest(project, "--no-file-parallelism", ...files.map((name) => relative(root, name)));
  const output = `${first.output}\n\nONCE MORE, ALONE:\n${second.output}`;
  const result = outcome(second.code, withSecond(first.report, second.report));
  if (result.failed > 0) return { ...result, output };
  const unsteady = failures(first.report).map((name) => `UNSTEADY ${name}`);
  return { ...result, output, note: `${output}\n${unsteady.join("\n")}\nfailed once, and passed when run alone` };
}

async function vitest(project: string, ...only: readonly string[]): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-verify-"));
  try {
    const file = join(folder, "report.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    const { code, output } = await runTool("vitest/vitest.mjs", "run", `--project=${project}`, ...reporters, ...only);
    return { code, output, report: JSON.parse(readFileSync(file, "utf8")) as Report };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The first run's results, with the second's for the files that it ran. */
export function withSecond(first: Report, second: Report): Report {
  const ran = new Map(second.testResults.map((file) => [file.name, file]));
  return { testResults: first.testResults.map((file) => ran.get(file.name) ?? file) };
}

/** A run that ended with a code other than 0 has a failure, whatever its tests say. */
export function outcome(code: number, { testResults }: Report): Counts {
  const statuses = testResults.flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status));
  const count = (...which: string[]): number => statuses.filter((status) => which.includes(status)).length;
  const failed = count("failed");
  const skipped = statuses.length - failed - count("passed");
  return { passed: count("passed"), failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
}

/** The names of what failed; a file's own where it did not load. */
function failures({ testResults }: Report): readonly string[] {
  return testResults
    .filter(({ status }) => status === "failed")
    .flatMap(({ name, assertionResults }) => {
      const tests = assertionResults.filter(({ status }) => status === "failed");
      const file = relative(root, name);
      return tests.length === 0 ? [file] : tests.map(({ fullName }) => `${file}: ${fullName}`);
    });
}
