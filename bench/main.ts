import { parseArguments, type Syntax } from "../cli/arguments.ts";
import { CommandError, exitCode, usageError } from "../cli/exit.ts";
import { messageOf, unknownName } from "../runtime/errors/index.ts";
import type { BenchOptions } from "./options.ts";

interface Scenario {
  readonly summary: string;
  readonly load: () => Promise<{ run(options: BenchOptions): Promise<void> }>;
}

const scenarios: Readonly<Record<string, Scenario>> = {
  mapping: { summary: "the mapping engine alone, on one core", load: () => import("./scenarios/mapping.ts") },
  compile: {
    summary: "compiling mappings and pipelines: time and memory",
    load: () => import("./scenarios/compile.ts"),
  },
  "map-command": { summary: "sluice map as a filter program", load: () => import("./scenarios/map-command.ts") },
  script: { summary: "users' JavaScript through the sandbox", load: () => import("./scenarios/script.ts") },
  single: {
    summary: "one integration: file to file, and file to Postgres by upsert",
    load: () => import("./scenarios/single.ts"),
  },
  delivery: {
    summary: "single by its delivery: without order, by key, strict, and with idempotency keys",
    load: () => import("./scenarios/delivery.ts"),
  },
  fleet: {
    summary: "50 integrations at once: generator to blackhole, rate, fairness and latency",
    load: () => import("./scenarios/fleet.ts"),
  },
  sync: {
    summary: "synchronous mode at 16 connections, alone and beside a fleet; what the gateway adds to a bare handler",
    load: () => import("./scenarios/sync.ts"),
  },
  bulkhead: {
    summary: "50 integrations at a steady rate, while the destinations of five hang",
    load: () => import("./scenarios/bulkhead.ts"),
  },
  fanout: {
    summary: "one source, three destinations: two files and a blackhole",
    load: () => import("./scenarios/fanout.ts"),
  },
  split: {
    summary: "memory while each record becomes 10,000",
    load: () => import("./scenarios/split.ts"),
  },
  "slow-sink": {
    summary: "memory while the destination takes 1 % of what the source could give",
    load: () => import("./scenarios/slow-sink.ts"),
  },
  recovery: {
    summary: "from kill -9 of the node to the next record confirmed, alone and with another node; the same of a stop",
    load: () => import("./scenarios/recovery.ts"),
  },
  replay: {
    summary: "100,000 dead letters replayed, into a file and by upsert; lists and groups of them",
    load: () => import("./scenarios/replay.ts"),
  },
  hooks: {
    summary: "inbound webhooks, in the log before the answer: 64 connections, signed",
    load: () => import("./scenarios/hooks.ts"),
  },
  traces: {
    summary: "single into a file without traces, with one of a hundred exported, and with all",
    load: () => import("./scenarios/traces.ts"),
  },
  console: {
    summary: "the console in a browser: first paint and web vitals by page, a million runs scrolled",
    load: () => import("./scenarios/console.ts"),
  },
  start: {
    summary: "from sluice up to ready, with an empty data folder and with one that was used",
    load: () => import("./scenarios/start.ts"),
  },
  workers: {
    summary: "cheap and heavy mappings on the main thread, and with worker threads beside it",
    load: () => import("./scenarios/workers.ts"),
  },
  nats: {
    summary: "a JetStream stream, by sequence and durable, into a blackhole; a file into a stream and a core subject",
    load: () => import("./scenarios/nats.ts"),
  },
  http: {
    summary: "http as a source of pages of 1,000 records, and as a destination by batches of 100",
    load: () => import("./scenarios/http.ts"),
  },
  kafka: {
    summary: "kafka as a source, and as a destination without keys and with them, a broker beside",
    load: () => import("./scenarios/kafka.ts"),
  },
  plugin: {
    summary: "a plugin as a source and as a destination, and the same without plugins",
    load: () => import("./scenarios/plugin.ts"),
  },
  kernel: {
    summary: "actors' mail and streams by credit alone, on one core",
    load: () => import("./scenarios/kernel.ts"),
  },
  "wire-format": {
    summary: "a batch into a message of the log and out of it, in four formats",
    load: () => import("./scenarios/wire-format.ts"),
  },
};

const syntax: Syntax = {
  usage: "npm run bench -- [SCENARIO]",
  summary: "Runs a benchmark and prints one JSON line a result; without a name it lists them.",
  options: {
    records: { type: "string", value: "N", help: "Records a run." },
    runs: { type: "string", value: "N", help: "Runs, of which the median is printed." },
    seconds: { type: "string", value: "N", help: "How long a rate is measured." },
    only: { type: "string", value: "NAME", help: "Only the results of this name." },
    json: { type: "boolean", help: "List as JSON; results are JSON in any case." },
  },
  positionals: [0, 1],
};

async function main(argv: readonly string[]): Promise<void> {
  const args = parseArguments(syntax, argv);
  if (args === null) return;
  const [name] = args.positionals;
  if (name === undefined) {
    const items = Object.entries(scenarios).map(([scenario, { summary }]) => ({ name: scenario, summary }));
    if (args.flag("json")) console.log(JSON.stringify({ items }, null, 2));
    else for (const { name: scenario, summary } of items) console.log(`${scenario.padEnd(14)}${summary}`);
    return;
  }
  const scenario = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined;
  if (scenario === undefined) throw usageError(unknownName("scenario", name, Object.keys(scenarios)));
  const positive = (option: string): number | undefined => {
    const text = args.string(option);
    if (text === undefined) return undefined;
    if (!/^[1-9]\d*$/.test(text)) throw usageError(`--${option} is ${JSON.stringify(text)}: a whole number above 0`);
    return Number(text);
  };
  const options = { records: positive("records"), runs: positive("runs"), seconds: positive("seconds") };
  await (await scenario.load()).run({ ...options, only: args.string("only") });
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const cause = error instanceof Error && error.cause !== undefined ? ` (${messageOf(error.cause)})` : "";
  process.stderr.write(`bench: ${messageOf(error)}${cause}\n`);
  process.exitCode = error instanceof CommandError ? error.exit : exitCode.failed;
}
