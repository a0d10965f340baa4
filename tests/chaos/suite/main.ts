import path from "node:path";
import { fileURLToPath } from "node:url";
import { startVitest } from "vitest/node";
import { exitWithParent } from "../../../adapters/embedded/parent.ts";
import { integerOption, parseArguments, type Syntax } from "../../../cli/arguments.ts";
import { CommandError, exitCode, usageError } from "../../../cli/exit.ts";
import { messageOf, unknownName } from "../../../runtime/errors/index.ts";
import { loadKinds } from "./load-kind.ts";
import { asScenarios, families, scenarios } from "./scenarios.ts";
import { inNamespace, needsNamespace } from "./small-disk.ts";

const syntax: Syntax = {
  usage: "npm run chaos -- [options]",
  summary:
    "Breaks things round after round, and counts what is lost. The first round is the whole suite in its short form.",
  options: {
    minutes: { type: "string", value: "N", help: "How long (10); at least one round." },
    seed: { type: "string", value: "S", help: "Of the first round; the same seed breaks the same things." },
    only: { type: "string", value: "NAME", help: "One scenario, or one family of them, in the long form." },
    long: { type: "boolean", help: "The first round in the long form, too." },
    load: { type: "string", value: "LOAD", help: `What all loads are like that may be: ${loadKinds.join(", ")}.` },
    results: { type: "string", value: "FILE", help: "Adds each result as a line of JSON; the table is of all in it." },
    list: { type: "boolean", help: "Print the scenarios." },
    kills: { type: "boolean", help: "As the first option: the long tests of kills instead; all else is vitest's." },
  },
  positionals: [0, 0],
};

const root = fileURLToPath(new URL("../../../", import.meta.url));

async function main(argv: readonly string[]): Promise<void> {
  const args = parseArguments(syntax, argv);
  if (args === null) return;
  if (args.flag("list")) {
    for (const [family, all] of Object.entries(families)) {
      console.log(family);
      for (const { name, what } of all) console.log(`  ${name.padEnd(26)}${what}`);
    }
    return;
  }
  if (args.flag("kills")) throw usageError("--kills must be the first option");
  const only = args.string("only");
  const asked = asScenarios(only);
  if (only !== undefined && asked.length === 0) {
    throw usageError(unknownName("scenario", only, [...Object.keys(families), ...scenarios.map(({ name }) => name)]));
  }
  const load = args.string("load");
  if (load !== undefined && !(loadKinds as readonly string[]).includes(load)) {
    throw usageError(unknownName("load", load, loadKinds));
  }
  if (needsNamespace()) {
    process.exitCode = await inNamespace(process.argv.slice(1));
    return;
  }
  const minutes = integerOption(args.string("minutes"), "minutes", 0, 10_000) ?? 10;
  const seed = integerOption(args.string("seed"), "seed", 0, 1_000_000_000) ?? Date.now() % 1_000_000;
  Object.assign(process.env, { CHAOS_MINUTES: String(minutes), CHAOS_SEED: String(seed) });
  if (args.flag("long")) process.env.CHAOS_LONG = "yes";
  if (only !== undefined) process.env.CHAOS_ONLY = only;
  if (load !== undefined) process.env.CHAOS_LOAD = load;
  const results = args.string("results");
  if (results !== undefined) process.env.CHAOS_RESULTS = path.resolve(results);
  console.log(`${asked.length} scenarios for ${minutes} minutes, from seed ${seed}`);
  await startVitest("test", ["tests/chaos/suite.test.ts"], {
    root,
    project: ["integration"],
    watch: false,
    // The test prints its lines itself.
    disableConsoleIntercept: true,
    reporters: [{ onTestRunEnd: (modules, errors) => tell([...modules.flatMap((each) => each.errors()), ...errors]) }],
  });
}

/** What went wrong outside of scenarios. */
function tell(errors: readonly { readonly message: string; readonly stack?: string }[]): void {
  for (const { stack, message } of errors) console.error(stack ?? message);
}

exitWithParent();
try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`chaos: ${messageOf(error)}\n`);
  process.exitCode = error instanceof CommandError ? error.exit : exitCode.failed;
}
