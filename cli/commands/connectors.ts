import type { Json } from "../../connectors/sdk/index.ts";
import { integerOption, parseArguments, type Syntax } from "../arguments.ts";
import { byName, createClient, type List } from "../client.ts";
import { exitCode } from "../exit.ts";
import { note, print, printJson, printTable, shortTime } from "../output.ts";
import { subcommand } from "../subcommand.ts";

interface Connector {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly version: number;
  readonly updated_at: string;
}

interface ConnectorType {
  readonly type: string;
  readonly versions: readonly string[];
  readonly plugin: string | null;
  readonly description: string;
  readonly capabilities: Readonly<Record<"source" | "destination", { readonly modes: readonly string[] } | undefined>>;
}

interface TestResult {
  readonly status: "ok" | "failed";
  readonly latency_ms: number;
  readonly sample_record: Json;
  readonly error?: { readonly message: string; readonly path?: string };
}

interface Stream {
  readonly name: string;
  readonly schema: { readonly properties?: Readonly<Record<string, unknown>> };
  readonly key: readonly string[] | null;
  readonly cursor_fields: readonly string[] | null;
}

const syntax = (usage: string, summary: string, names: number): Syntax => ({
  usage: `sluice connectors ${usage} [--json]`,
  summary,
  options: { json: { type: "boolean", help: "Print as JSON." } },
  positionals: [names, names],
});

const listSyntax = syntax("list", "Lists the connectors.", 0);
const typesSyntax = syntax("types", "Lists the connector types.", 0);
const testSyntax = syntax("test NAME", "Connects, and shows a sample.", 1);
const discoverSyntax = syntax("discover NAME", "Lists the streams that a connector has.", 1);

const sampleSyntax: Syntax = {
  usage: "sluice connectors sample NAME [STREAM] [--limit N] [--json]",
  summary: "Prints the first records of a stream, a line each; no cursor moves.",
  options: {
    limit: { type: "string", value: "N", help: "Most records (10)." },
    json: { type: "boolean", help: "Print as one JSON object." },
  },
  positionals: [1, 2],
};

export const connectors = subcommand("connectors", "Looks at connectors and their types.", {
  list: { summary: listSyntax.summary, run: list },
  types: { summary: typesSyntax.summary, run: types },
  test: { summary: testSyntax.summary, run: test },
  discover: { summary: discoverSyntax.summary, run: discover },
  sample: { summary: sampleSyntax.summary, run: sample },
});

async function list(argv: readonly string[]): Promise<number> {
  const args = parseArguments(listSyntax, argv);
  if (args === null) return exitCode.done;
  const client = createClient();
  const items: Connector[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: List<Connector> = await client.call("GET", `/v1/connectors?limit=200${cursor && `&cursor=${cursor}`}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  if (args.flag("json")) printJson({ items, next_cursor: null });
  else {
    const row = ({ name, type, version, updated_at }: Connector) => [name, type, version, shortTime(updated_at)];
    printTable(["NAME", "TYPE", "VERSION", "UPDATED (UTC)"], items.map(row));
  }
  return exitCode.done;
}

async function types(argv: readonly string[]): Promise<number> {
  const args = parseArguments(typesSyntax, argv);
  if (args === null) return exitCode.done;
  const found = await createClient().call<List<ConnectorType>>("GET", "/v1/connector-types");
  if (args.flag("json")) printJson(found);
  else {
    const row = ({ type, versions, plugin, capabilities: { source, destination }, description }: ConnectorType) => [
      type,
      versions.join(","),
      plugin,
      source?.modes.join(","),
      destination?.modes.join(","),
      description,
    ];
    printTable(["TYPE", "VERSIONS", "PLUGIN", "SOURCE", "DESTINATION", "DESCRIPTION"], found.items.map(row));
  }
  return exitCode.done;
}

async function test(argv: readonly string[]): Promise<number> {
  const args = parseArguments(testSyntax, argv);
  if (args === null) return exitCode.done;
  const name = args.positionals[0]!;
  const client = createClient();
  const { id } = await byName(client, "connector", name);
  const result = await client.call<TestResult>("POST", `/v1/connectors/${id}/test`);
  if (args.flag("json")) printJson(result);
  else if (result.error !== undefined) {
    const { path, message } = result.error;
    note(`${name}: ${path === undefined ? "" : `${path}: `}${message}`);
  } else {
    print(`${name}: ok in ${result.latency_ms} ms`);
    if (result.sample_record !== null) print(JSON.stringify(result.sample_record, null, 2));
  }
  return result.status === "ok" ? exitCode.done : exitCode.failed;
}

async function discover(argv: readonly string[]): Promise<number> {
  const args = parseArguments(discoverSyntax, argv);
  if (args === null) return exitCode.done;
  const client = createClient();
  const { id } = await byName(client, "connector", args.positionals[0]!);
  const found = await client.call<{ streams: readonly Stream[] }>("POST", `/v1/connectors/${id}/discover`);
  if (args.flag("json")) printJson(found);
  else {
    const row = ({ name, key, cursor_fields, schema }: Stream) => [
      name,
      key?.join(","),
      cursor_fields?.join(","),
      Object.keys(schema.properties ?? {}).join(","),
    ];
    printTable(["STREAM", "KEY", "CURSOR FIELDS", "FIELDS"], found.streams.map(row));
  }
  return exitCode.done;
}

async function sample(argv: readonly string[]): Promise<number> {
  const args = parseArguments(sampleSyntax, argv);
  if (args === null) return exitCode.done;
  const [name, stream] = args.positionals as [string, string?];
  const limit = integerOption(args.string("limit"), "limit", 1, 100) ?? 10;
  const client = createClient();
  const { id } = await byName(client, "connector", name);
  const query = new URLSearchParams({ limit: String(limit), ...(stream !== undefined && { stream }) });
  const found = await client.call<{ records: readonly Json[] }>("POST", `/v1/connectors/${id}/sample?${query}`);
  if (args.flag("json")) printJson(found);
  else for (const record of found.records) print(JSON.stringify(record));
  return exitCode.done;
}
