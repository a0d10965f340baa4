import { type ServiceError, status } from "@grpc/grpc-js";
import type { ErrorCode, Fault as FaultName, Json, WriteFailure } from "../../connectors/sdk/index.ts";
import type { Duration } from "../../proto/gen/google/protobuf/duration.ts";
import { Code, Failure, Fault } from "../../proto/gen/sluice/record/v1/record.ts";
import { codes, StaleOwnerError } from "../../runtime/errors/index.ts";
import { parseJson } from "../../runtime/record/index.ts";

const codeNames = new Map<Code, ErrorCode>([
  [Code.CODE_VALIDATION_ERROR, "VALIDATION_ERROR"],
  [Code.CODE_UNAUTHORIZED, "UNAUTHORIZED"],
  [Code.CODE_FORBIDDEN, "FORBIDDEN"],
  [Code.CODE_NOT_FOUND, "NOT_FOUND"],
  [Code.CODE_CONFLICT, "CONFLICT"],
  [Code.CODE_BUSINESS_RULE, "BUSINESS_RULE"],
  [Code.CODE_RATE_LIMITED, "RATE_LIMITED"],
  [Code.CODE_INTERNAL_ERROR, "INTERNAL_ERROR"],
  [Code.CODE_UNAVAILABLE, "UNAVAILABLE"],
  [Code.CODE_TIMEOUT, "TIMEOUT"],
]);

const faultNames = new Map<Fault, FaultName>([
  [Fault.FAULT_RECORD, "record"],
  [Fault.FAULT_TRANSIENT, "transient"],
  [Fault.FAULT_DESTINATION, "destination"],
]);

const statusCodes = new Map<status, ErrorCode>([
  [status.INVALID_ARGUMENT, "VALIDATION_ERROR"],
  [status.FAILED_PRECONDITION, "VALIDATION_ERROR"],
  [status.UNAUTHENTICATED, "UNAUTHORIZED"],
  [status.PERMISSION_DENIED, "FORBIDDEN"],
  [status.NOT_FOUND, "NOT_FOUND"],
  [status.ABORTED, "CONFLICT"],
  [status.RESOURCE_EXHAUSTED, "RATE_LIMITED"],
  [status.UNAVAILABLE, "UNAVAILABLE"],
  [status.DEADLINE_EXCEEDED, "TIMEOUT"],
]);

/** What a plugin failed with; a connector's error by its fields (`isStated`). */
export class PluginError extends Error {
  override readonly name = "PluginError";
  readonly code: ErrorCode;
  readonly fault: FaultName;
  readonly path: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** There is no plugin at the moment: neither a record's fault nor the far side's. It is waited for. */
  readonly notReady: boolean;
  /** Its program ended meanwhile: by a bug, or by a record that is too much for it. */
  readonly died: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly fault?: FaultName;
      readonly path?: string;
      readonly retryAfterMs?: number | undefined;
      readonly notReady?: boolean;
      readonly died?: boolean;
    } = {},
  ) {
    super(message);
    this.code = code;
    this.fault = options.fault ?? codes[code].fault;
    this.path = options.path;
    this.retryAfterMs = options.retryAfterMs;
    this.notReady = options.notReady ?? false;
    this.died = options.died ?? false;
  }
}

/** A failure that a plugin told of a call, or of a batch. */
export function errorOf(failure: Failure, plugin: string): Error {
  const code = codeNames.get(failure.code) ?? "INTERNAL_ERROR";
  if (code === "CONFLICT" && failure.path === "stale owner") return new StaleOwnerError(failure.message);
  const fault = faultNames.get(failure.fault);
  const retryAfterMs = millisecondsOf(failure.retryAfter);
  const message = failure.message === "" ? `plugin ${plugin} gives no reason` : failure.message;
  return new PluginError(code, message, {
    ...(fault && { fault }),
    ...(failure.path !== "" && { path: failure.path }),
    retryAfterMs,
  });
}

/** How a call ended, where it did not end well. */
export function callErrorOf({ code, details, metadata }: ServiceError, plugin: string): Error {
  const [trailer] = metadata?.get("sluice-failure-bin") ?? [];
  if (trailer instanceof Uint8Array) {
    try {
      return errorOf(Failure.decode(trailer), plugin);
    } catch {
      // What it sent is none: the status says what can be said.
    }
  }
  if (code === status.RESOURCE_EXHAUSTED && /^Received message larger than max/.test(details)) {
    return misbehaves(plugin, "sent a message of more than 64 MiB");
  }
  const lost = code === status.UNAVAILABLE ? connectionFault(details) : undefined;
  if (lost !== undefined)
    return new PluginError(lost.code, `plugin ${plugin} ${lost.message}`, { fault: "destination" });
  const name = statusCodes.get(code) ?? "INTERNAL_ERROR";
  // A call of the host's that never came through is no fault of a record.
  const fault = codes[name].fault === "record" ? "destination" : codes[name].fault;
  return new PluginError(name, `plugin ${plugin}: ${details || status[code]}`, { fault });
}

/** How a call ended, and its program with it where that is why: which record it dies of can be found out then. */
export async function lostCall(
  error: ServiceError,
  plugin: string,
  { died }: { died(): Promise<string | undefined> },
): Promise<Error> {
  const failure = callErrorOf(error, plugin);
  const told = (error.metadata?.get("sluice-failure-bin") ?? []).length > 0;
  const end = told || error.code === status.CANCELLED ? undefined : await died();
  if (end === undefined) return failure;
  return new PluginError("UNAVAILABLE", `plugin ${plugin} ${end}`, { fault: "transient", died: true });
}

/** A record that was not written, or a request that was not answered. */
export function recordFailureOf(index: number, failure: Failure | undefined): WriteFailure {
  const code = (failure && codeNames.get(failure.code)) ?? "INTERNAL_ERROR";
  const retryAfterMs = millisecondsOf(failure?.retryAfter);
  return { index, code, message: failure?.message || code, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** What failed of `count` things, by index, as it was told; `what`, as in "record", is for the message. */
export function failedOf<F extends { readonly index: number }>(
  failed: readonly F[],
  count: number,
  what: string,
  plugin: string,
): readonly F[] {
  const seen = new Set<number>();
  for (const { index } of failed) {
    if (index >= count) throw misbehaves(plugin, `says that ${what} ${index} of ${count} failed`);
    if (seen.has(index)) throw misbehaves(plugin, `says twice what became of ${what} ${index}`);
    seen.add(index);
  }
  return failed;
}

export function durationOf(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

function millisecondsOf(duration: Duration | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

/** What the plugin's author has to mend. */
export function misbehaves(plugin: string, what: string): PluginError {
  return new PluginError("INTERNAL_ERROR", `plugin ${plugin} ${what}`, { fault: "transient" });
}

/** Of a text that must be JSON, to the digit: a cursor may hold an id of 64 bits. `what`, as in "a cursor", is for the message. */
export function jsonOf(text: string, what: string, plugin: string): Json {
  try {
    return parseJson(text);
  } catch {
    throw misbehaves(plugin, `sent ${what} that is no JSON`);
  }
}

/** Why there is no connection, as grpc-js says it; undefined where it is about something else. */
function connectionFault(details: string): { readonly code: ErrorCode; readonly message: string } | undefined {
  const [, why] = /^No connection established\. Last error: (?:Error(?: \[\w+\])?: )?(.*)/.exec(details) ?? [];
  if (why === undefined) {
    const [, host] = /^Name resolution failed for target \w+:(.*)/.exec(details) ?? [];
    return host === undefined ? undefined : { code: "UNAVAILABLE", message: `cannot be reached: nobody knows ${host}` };
  }
  const reason = why.replace(/;? ?(if the root CA|Resolution note|\(20\d\d-).*/, "").replace(/[. ]+$/, "");
  if (/altnames/.test(why)) {
    return { code: "UNAUTHORIZED", message: `shows a certificate for another name (tls.server_name): ${reason}` };
  }
  if (/alert.*(certificate|unknown ca)/.test(why)) {
    return { code: "UNAUTHORIZED", message: "refuses the certificate that it is shown (tls.cert)" };
  }
  if (/wrong version number|packet length too long/.test(why)) {
    return { code: "UNAVAILABLE", message: "speaks no TLS at its address" };
  }
  if (/certificate|signature/.test(why)) {
    return { code: "UNAUTHORIZED", message: `shows a certificate that tls.ca does not vouch for: ${reason}` };
  }
  if (/^Failed to connect/.test(why)) {
    return {
      code: "UNAVAILABLE",
      message: "ends the connection at once: it expects TLS, or another certificate (tls)",
    };
  }
  return { code: "UNAVAILABLE", message: `cannot be reached: ${reason}` };
}
