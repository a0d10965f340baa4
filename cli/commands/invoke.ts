import { buffer } from "node:stream/consumers";
import type { Json } from "../../connectors/sdk/index.ts";
import { messageOf } from "../../runtime/errors/index.ts";
import type { Invoked } from "../../runtime/ports/invoke.ts";
import { describeType, isObject, parseJson } from "../../runtime/record/index.ts";
import { parseArguments, type Syntax } from "../arguments.ts";
import { byName, createClient, ProblemError } from "../client.ts";
import { CommandError, exitCode, usageError } from "../exit.ts";
import { note, print, printJson } from "../output.ts";
import { readRecords } from "../read-records.ts";

const syntax: Syntax = {
  usage: "sluice invoke NAME [FILE] [--record JSON] [--timeout DURATION] [--on-timeout keep|drop] [--json]",
  summary: [
    "Takes one record through an integration and waits for what becomes of it.",
    "The record is --record, or the only one of FILE (.ndjson, .json, .csv), or stdin as JSON.",
  ].join("\n"),
  options: {
    record: { type: "string", value: "JSON", help: "The record." },
    timeout: { type: "string", value: "DURATION", help: "How long to wait, 1ms to 60s (default 10s)." },
    "on-timeout": {
      type: "string",
      value: "keep|drop",
      help: "A record that is not through in time goes on being delivered (keep, the default), or is dropped.",
    },
    json: { type: "boolean", help: "Print the API's answer, also where it is a problem." },
  },
  positionals: [1, 2],
};

/** `sluice invoke`. Exit code 0 when the record is delivered, filtered or in a window, else 1. */
export async function invoke(argv: readonly string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const [name, file] = args.positionals as [string, string | undefined];
  const given = args.string("record");
  if (given !== undefined && file !== undefined) throw usageError("--record stands beside a file; give one of the two");
  const record = await recordOf(given, file);
  const query = new URLSearchParams();
  for (const option of ["timeout", "on-timeout"]) {
    const value = args.string(option);
    if (value !== undefined) query.set(option.replace("-", "_"), value);
  }
  const client = createClient();
  const { id } = await byName(client, "integration", name);
  let invoked: Invoked;
  try {
    invoked = await client.call<Invoked>("POST", `/v1/integrations/${id}/invoke?${query}`, record);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    if (args.flag("json")) printJson(error.problem);
    for (const { path, message } of error.errors) note(`${path}: ${message}`);
    // What became of the record, and not how it was asked for.
    throw error.problem.kept === undefined ? error : new CommandError(error.message, exitCode.failed);
  }
  if (args.flag("json")) printJson(invoked);
  else show(name, invoked);
  return invoked.status === "partial" ? exitCode.failed : exitCode.done;
}

/** The records on stdout, what is to be said of them on stderr. */
function show(name: string, { status, by_destination, record }: Invoked): void {
  const results = Object.entries(by_destination);
  if (record !== null) print(JSON.stringify(record));
  else
    for (const [destination, { records }] of results)
      for (const one of records) print(`${destination}\t${JSON.stringify(one)}`);
  if (status === "delivered") return;
  note(`${name}: ${status}`);
  for (const [destination, { error }] of results) {
    if (error) note(`${destination}: ${error.code}: ${error.message}`);
  }
}

async function recordOf(given: string | undefined, file: string | undefined): Promise<Json> {
  const record = file === undefined || file === "-" ? parsed(given ?? (await stdin())) : await onlyOne(file);
  if (isObject(record)) return record;
  throw usageError(`a record must be a JSON object, found ${describeType(record)}`);
}

async function stdin(): Promise<string> {
  return (await buffer(process.stdin)).toString();
}

function parsed(text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    throw usageError(`the record is no JSON: ${messageOf(error)}`);
  }
}

async function onlyOne(file: string): Promise<Json> {
  const [record, second] = await readRecords(file, 2);
  if (record === undefined || second !== undefined) {
    throw usageError(`${file} must have one record, and has ${record === undefined ? "none" : "more"}`);
  }
  if (record.value === undefined) throw usageError(`${file}: ${record.message}`);
  return record.value;
}
