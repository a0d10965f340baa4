import { simulate } from "../../actors/simulation/simulate.ts";
import { createSandbox } from "../../adapters/isolate/index.ts";
import { createValidator } from "../../adapters/json-schema/index.ts";
import type { Json } from "../../connectors/sdk/index.ts";
import { type Difference, judge, type Outcome } from "../../runtime/testing/index.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import type { FileFinding } from "../config-file.ts";
import { exitCode } from "../exit.ts";
import { note, print, printable, printJson } from "../output.ts";
import { findTestFiles, type LoadedTest, loadTests } from "../test-files.ts";
import { lineOf } from "./lint.ts";

const syntax: Syntax = {
  usage: "sluice test FILE... [--json]",
  summary:
    "Runs the tests beside configuration files, without a server: given records, faults and virtual time in, expected outputs, dead letters, attempts and acks out. Of a folder all *.test.yaml.",
  options: { json: { type: "boolean", help: "Print the results as JSON." } },
  positionals: [1, Number.POSITIVE_INFINITY],
};

interface Result {
  readonly loaded: LoadedTest;
  readonly outcome: Outcome;
  readonly differences: readonly Difference[];
  readonly ms: number;
}

/** `sluice test`. Exit code 1 when a test failed, 2 when a file is not in order; nothing is run then. */
export async function test(argv: readonly string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const json = args.flag("json");
  const files = findTestFiles(args.positionals);
  const loaded = await Promise.all(files.map(loadTests));
  const errors = loaded.flatMap((each) => ("errors" in each ? each.errors : []));
  const tests = loaded.flatMap((each) => ("errors" in each ? [] : each));
  if (errors.length > 0 || tests.length === 0) return refuse(errors, json, args.positionals);

  const results: Result[] = [];
  const sandbox = createSandbox();
  try {
    for (const each of tests) {
      const result = await run(each, { validator: createValidator(), sandbox });
      results.push(result);
      if (!json) report(result, results.at(-2)?.loaded.file);
    }
  } finally {
    await sandbox.close();
  }
  const failed = results.filter(({ differences }) => differences.length > 0).length;
  const passed = results.length - failed;
  if (json) printJson({ passed, failed, tests: results.map(view) });
  else print(`${passed} passed, ${failed} failed`);
  return failed === 0 ? exitCode.done : exitCode.failed;
}

function refuse(errors: readonly FileFinding[], json: boolean, given: readonly string[]): number {
  if (json) printJson({ errors });
  else for (const error of errors) note(lineOf(error));
  if (errors.length === 0) note(`sluice test: no *.test.yaml in ${given.join(", ")}`);
  return exitCode.usage;
}

async function run(
  loaded: LoadedTest,
  services: Pick<Parameters<typeof simulate>[0], "validator" | "sandbox">,
): Promise<Result> {
  const { test, spec, texts } = loaded;
  const start = performance.now();
  const outcome = await simulate({ test, spec, texts, ...services });
  const ms = Math.round(performance.now() - start);
  return { loaded, outcome, differences: judge(test, outcome), ms };
}

/** More than a person reads at once. */
const mostShown = { differences: 20, letters: 5 };

function report({ loaded, outcome, differences, ms }: Result, fileBefore: string | undefined): void {
  const { file, test } = loaded;
  if (file !== fileBefore) print(file);
  print(`  ${differences.length === 0 ? "✓" : "✗"} ${test.name} (${ms} ms)`);
  if (differences.length === 0) return;
  for (const difference of differences.slice(0, mostShown.differences)) {
    const { line, column } = loaded.locate(difference.path);
    print(`      ${difference.path || "broken promise"}  (${file}:${line}:${column})`);
    if ("expected" in difference) print(`        expected  ${shown(difference.expected)}`);
    print(`        found     ${"found" in difference ? shown(difference.found) : "nothing"}`);
  }
  if (differences.length > mostShown.differences) {
    print(`      and ${differences.length - mostShown.differences} differences more`);
  }
  const { run, deadLetters } = outcome;
  const { in: records, out, filtered, failed } = run.counts;
  print(`      run: in=${records} out=${out} filtered=${filtered} failed=${failed} status=${run.status}`);
  if (run.error) print(`      error: ${run.error.code}: ${shownText(run.error.message)}`);
  for (const { step, destination, rule, code, message } of deadLetters.slice(0, mostShown.letters)) {
    const where = step === null ? (destination ?? "source") : `${step}${rule === null ? "" : ` rule ${rule}`}`;
    print(`      dead letter: ${where}: ${code}: ${shownText(message)}`);
  }
}

const shown = (value: Json | undefined): string => shownText(JSON.stringify(value ?? null));
const shownText = (text: string): string => {
  const line = printable(text).replaceAll("\n", " ");
  return line.length > 500 ? `${line.slice(0, 500)}…` : line;
};

function view({ loaded, outcome: { run, elapsedMs }, differences, ms }: Result) {
  const { file, test, locate } = loaded;
  const { in: records_in, out: records_out, filtered: records_filtered, failed: records_failed } = run.counts;
  return {
    file,
    name: test.name,
    integration: test.integration,
    status: differences.length === 0 ? "passed" : "failed",
    ms,
    differences: differences.map((difference) => ({ ...difference, ...place(locate(difference.path)) })),
    run: { status: run.status, records_in, records_out, records_filtered, records_failed, error: run.error },
    elapsed_ms: elapsedMs,
  };
}

const place = ({ line, column }: { readonly line: number; readonly column: number }) => ({ line, column });
