import { readFile } from "node:fs/promises";
import { exitWithParent } from "../adapters/embedded/parent.ts";
import { messageOf, SluiceError, unknownName } from "../runtime/errors/index.ts";
import { CommandError, exitCode, usageError } from "./exit.ts";

type Command = (argv: string[]) => Promise<number>;

interface Entry {
  readonly summary: string;
  /** Loaded when it is called: `sluice map` starts as a filter program should. */
  load(): Promise<Command>;
  /** Help of a command that writes none itself. */
  readonly help?: string;
}

const commands: Readonly<Record<string, Entry>> = {
  quickstart: {
    summary: "Start a node and run the examples on real data.",
    load: async () => (await import("./commands/quickstart.ts")).quickstart,
  },
  up: {
    summary: "Start a node, with what servers it needs.",
    load: async () => (await import("./node.ts")).up,
    help: "Starts a node in the foreground, until Ctrl-C.\n\nUsage: sluice up\n\nWhat it uses is set in the environment: docs/reference.md#environment.\n",
  },
  apply: {
    summary: "Apply configuration files.",
    load: async () => (await import("./commands/apply.ts")).apply,
  },
  plan: {
    summary: "Show what applying would change.",
    load: async () => (await import("./commands/apply.ts")).plan,
  },
  lint: {
    summary: "Check configuration files, without a server.",
    load: async () => (await import("./commands/lint.ts")).lint,
  },
  schema: {
    summary: "Print the JSON Schema of configuration files.",
    load: async () => (await import("./commands/schema.ts")).schema,
  },
  test: {
    summary: "Run the tests beside configuration files, without a server.",
    load: async () => (await import("./commands/test.ts")).test,
  },
  preview: {
    summary: "Show what an integration makes of records, step by step.",
    load: async () => (await import("./commands/preview.ts")).preview,
  },
  map: {
    summary: "Map records from stdin to stdout, without a server.",
    load: async () => (await import("./commands/map.ts")).map,
    help: [
      "Maps records, one JSON object a line, from stdin to stdout; what fails is told on stderr.",
      "",
      "Usage: sluice map --spec RULES [--where PREDICATE] [--stats] < in.ndjson > out.ndjson",
      "",
      "  --spec RULES       File with the rules, a JSON or YAML array.",
      "  --where PREDICATE  Only records for which this holds.",
      "  --stats            End with a line of counts on stderr.",
      "",
    ].join("\n"),
  },
  run: {
    summary: "Run an integration and wait for its end.",
    load: async () => (await import("./commands/run.ts")).run,
  },
  invoke: {
    summary: "Take one record through an integration and wait for what becomes of it.",
    load: async () => (await import("./commands/invoke.ts")).invoke,
  },
  runs: {
    summary: "List the runs of an integration.",
    load: async () => (await import("./commands/runs.ts")).runs,
  },
  tap: {
    summary: "Print records of an integration as they pass.",
    load: async () => (await import("./commands/tap.ts")).tap,
  },
  trace: {
    summary: "Show what became of a record.",
    load: async () => (await import("./commands/trace.ts")).trace,
  },
  connectors: {
    summary: "List, test and look into connectors.",
    load: async () => (await import("./commands/connectors.ts")).connectors,
  },
  plugin: {
    summary: "Make and certify connectors of your own.",
    load: async () => (await import("./commands/plugin.ts")).plugin,
  },
  dlq: {
    summary: "Look at records that could not be delivered.",
    load: async () => (await import("./commands/dlq.ts")).dlq,
  },
  secrets: {
    summary: "Look after the key that secrets are sealed with.",
    load: async () => (await import("./commands/secrets.ts")).secrets,
  },
  doctor: {
    summary: "Check this machine and the server.",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  bench: {
    summary: "Run a benchmark.",
    load: async () => (await import("./commands/bench.ts")).bench,
    help: "Runs a benchmark; without a name it lists them.\n\nUsage: sluice bench [SCENARIO]\n",
  },
};

function helpText(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`);
  return `Usage: sluice COMMAND\n\n${lines.join("\n")}\n\nsluice COMMAND --help tells more.\n`;
}

/** Runs a command line and resolves with its exit code; what went wrong is told on stderr in one sentence. */
export async function main([name, ...argv]: readonly string[]): Promise<number> {
  try {
    if (name === undefined) {
      process.stderr.write(helpText());
      return exitCode.usage;
    }
    if (name === "--help" || name === "-h" || name === "help") {
      process.stdout.write(helpText());
      return exitCode.done;
    }
    if (name === "--version" || name === "-v" || name === "version") {
      const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
      process.stdout.write(`sluice ${version}\n`);
      return exitCode.done;
    }
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (entry === undefined)
      throw usageError(`${unknownName("command", name, Object.keys(commands))} (see sluice --help)`);
    if (entry.help !== undefined && (argv.includes("--help") || argv.includes("-h"))) {
      process.stdout.write(entry.help);
      return exitCode.done;
    }
    return await (await entry.load())(argv);
  } catch (error) {
    const { redactEnvironment } = await import("./environment-secrets.ts");
    const told = `sluice${name === undefined ? "" : ` ${name}`}: ${messageOf(error)}\n`;
    process.stderr.write(redactEnvironment(told, process.env));
    return exitOf(error);
  }
}

function exitOf(error: unknown): number {
  if (error instanceof CommandError) return error.exit;
  if (error instanceof SluiceError && error.code === "VALIDATION_ERROR") return exitCode.usage;
  // Node's own reading of arguments.
  const { code } = error as { code?: unknown };
  return typeof code === "string" && code.startsWith("ERR_PARSE_ARGS_") ? exitCode.usage : exitCode.failed;
}

exitWithParent();
// Whoever read stdout has what they wanted (`sluice runs shop | head`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCode.done);
  process.stderr.write(`sluice: cannot write to stdout: ${error.message}\n`);
  process.exit(exitCode.failed);
});
process.exitCode = await main(process.argv.slice(2));
