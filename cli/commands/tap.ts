import { type ClientReadableStream, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { ControlServiceClient } from "../../proto/gen/sluice/control/v1/control.ts";
import { TapPoint, type TappedRecord, type TapResponse } from "../../proto/gen/sluice/control/v1/tap.ts";
import { integerOption, parseArguments, type Syntax } from "../arguments.ts";
import { byName, createClient } from "../client.ts";
import { CommandError, exitCode, usageError } from "../exit.ts";
import { note, print } from "../output.ts";
import { grpcUrl, serverToken } from "../settings.ts";
import { authorities } from "../trusting-fetch.ts";

const syntax: Syntax = {
  usage: "sluice tap INTEGRATION [--step ID | --destination ID] [--filter PREDICATE] [--limit N]",
  summary:
    "Prints records of an integration as they pass, a line of JSON each, until Ctrl-C: a sample of at most 100 a second.",
  options: {
    step: { type: "string", value: "ID", help: "Only what this step gives; `source`: what was read." },
    destination: { type: "string", value: "ID", help: "Only what this destination was given." },
    filter: { type: "string", value: "PREDICATE", help: "Only records of which it holds: '$.amount > 10'." },
    limit: { type: "string", value: "N", help: "End after so many records." },
  },
  positionals: [1, 1],
};

export async function tap(argv: readonly string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  const limit = integerOption(args.string("limit"), "limit", 1, 1_000_000_000);
  const url = new URL(grpcUrl());
  const { id } = await byName(createClient(), "integration", args.positionals[0]!);
  const client = new ControlServiceClient(url.host, credentialsOf(url));
  const metadata = new Metadata();
  const token = serverToken();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  const wanted = {
    id,
    step: args.string("step"),
    destination: args.string("destination"),
    filter: args.string("filter"),
    limit,
  };
  try {
    await printed(client.tap(wanted, metadata), url.origin);
    return exitCode.done;
  } finally {
    client.close();
  }
}

function credentialsOf({ protocol }: URL) {
  if (protocol !== "https:") return credentials.createInsecure();
  const { ca, cert, key } = authorities(process.env);
  return credentials.createSsl(ca ?? null, key ?? null, cert ?? null);
}

async function printed(call: ClientReadableStream<TapResponse>, server: string): Promise<void> {
  const stop = () => call.cancel();
  process.once("SIGINT", stop);
  try {
    let begun = false;
    for await (const { records, skipped } of call as AsyncIterable<TapResponse>) {
      if (!begun) note("listening; Ctrl-C ends");
      begun = true;
      for (const record of records) print(lineOf(record));
      if (skipped > 0n) note(`… and ${skipped} more`);
    }
  } catch (error) {
    const { code, details } = error as ServiceError;
    if (code === status.CANCELLED) return;
    if (code === status.UNAVAILABLE)
      throw new CommandError(`no server answers at ${server} (${details})`, exitCode.unreachable);
    if (code === status.INVALID_ARGUMENT || code === status.UNAUTHENTICATED) throw usageError(details);
    throw new CommandError(details, exitCode.failed);
  } finally {
    process.off("SIGINT", stop);
  }
}

const points = {
  [TapPoint.TAP_POINT_UNSPECIFIED]: "unknown",
  [TapPoint.TAP_POINT_SOURCE]: "source",
  [TapPoint.TAP_POINT_STEP]: "step",
  [TapPoint.TAP_POINT_DESTINATION]: "destination",
};

/** The record's text as it is: no digit is lost. */
function lineOf({ point, at, recordId, to, recordJson, failure }: TappedRecord): string {
  const { retryInMs, ...failed } = failure ?? {};
  const told = { ...failed, ...(retryInMs !== undefined && { retry_in_ms: Number(retryInMs) }) };
  const line = JSON.stringify({ point: points[point], at, record_id: recordId, to, ...(failure && { failure: told }) });
  return `${line.slice(0, -1)},"record":${recordJson}}`;
}
