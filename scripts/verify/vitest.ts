import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTool } from "./command.ts";
import type { StageResult } from "./stages.ts";

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
}

/** What passed once passes again: tests draw by chance only where a developer runs them (vitest.config.ts). */
process.env.SLUICE_TEST_SEED ??= "1";

/**
 * Runs the tests of one vitest project, so many files at once. A file that does not load, or an error outside of any
 * test, is a failure.
 */
export async function runTests(project: string, workers: number): Promise<StageResult> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-verify-"));
  try {
    const file = join(folder, "report.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    const options = [`--project=${project}`, `--maxWorkers=${workers}`];
    const { code, output } = await runTool("vitest/vitest.mjs", "run", ...options, ...reporters);
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    const failed = report.numFailedTests;
    return {
      passed: report.numPassedTests,
      failed: code !== 0 && failed === 0 ? 1 : failed,
      skipped: report.numPendingTests + report.numTodoTests,
      output,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
