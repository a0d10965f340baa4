import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { Any } from "../../proto/gen/google/protobuf/any.ts";
import {
  BadRequest,
  ErrorInfo,
  type MessageFns,
  RequestInfo,
  RetryInfo,
} from "../../proto/gen/google/rpc/error_details.ts";
import { Status } from "../../proto/gen/google/rpc/status.ts";
import { codes, RetryLaterError } from "../../runtime/errors/index.ts";
import { toProblem } from "../rest/problem.ts";
import { NotThroughError } from "../services/index.ts";

/** Whose codes they are. */
const domain = "sluice";
/** Clients take little in trailers, 8 kB many of them, and what is too much ends the call with no reason at all. */
const most = { violations: 20, text: 200, message: 1_000 };
/** Where the error says nothing else, of what passes by itself. */
const retryMs = 1_000;

/** An error as gRPC tells it: what REST would answer as a problem, as status and `google.rpc` details. */
export function toServiceError(error: unknown, requestId: string): ServiceError {
  const { code, status: http, detail, errors } = toProblem(error, requestId);
  // What was changed meanwhile is read and tried again: ABORTED, where ALREADY_EXISTS would say that it never helps.
  const name = http === 412 ? "ABORTED" : codes[code].grpc;
  const number = status[name as keyof typeof status];
  const message = clipped(detail, most.message);
  const details: Any[] = [packed("ErrorInfo", ErrorInfo, { reason: code, domain, metadata: knownOf(error) })];
  if (errors.length > 0) {
    const fieldViolations = errors.slice(0, most.violations).map(({ path: field, message: text }) => {
      return { field: clipped(field, most.text), description: clipped(text, most.text) };
    });
    details.push(packed("BadRequest", BadRequest, { fieldViolations }));
  }
  // Of a record that may be on its way it is not said that trying again is well.
  if ((code === "RATE_LIMITED" || code === "UNAVAILABLE") && !hasDoneSomething(error)) {
    const retryAfterMs = Math.ceil(error instanceof RetryLaterError ? error.retryAfterMs : retryMs);
    const retryDelay = { seconds: BigInt(Math.floor(retryAfterMs / 1000)), nanos: (retryAfterMs % 1000) * 1_000_000 };
    details.push(packed("RetryInfo", RetryInfo, { retryDelay }));
  }
  details.push(packed("RequestInfo", RequestInfo, { requestId, servingData: "" }));
  const metadata = new Metadata();
  metadata.set("x-request-id", requestId);
  metadata.set("grpc-status-details-bin", Buffer.from(Status.encode({ code: number, message, details }).finish()));
  return Object.assign(new Error(message), { code: number, details: message, metadata });
}

function hasDoneSomething(error: unknown): boolean {
  return error instanceof NotThroughError && !error.didNothing;
}

/** What became of a record that did not get through. */
function knownOf(error: unknown): Record<string, string> {
  if (!(error instanceof NotThroughError)) return {};
  const { by_destination: results, ...members } = error.members;
  const known = Object.entries(members).filter(([, value]) => value !== null && value !== undefined);
  const told = Object.fromEntries(known.map(([name, value]) => [name, clipped(String(value), most.text)]));
  const statuses = Object.entries(results ?? {}).map(([name, { status: stands }]) => [name, stands]);
  const text = JSON.stringify(Object.fromEntries(statuses));
  return statuses.length > 0 && text.length <= most.message ? { ...told, by_destination: text } : told;
}

function packed<T>(name: string, type: MessageFns<T>, message: T): Any {
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value: Buffer.from(type.encode(message).finish()) };
}

/** No half characters at the cut, nor anywhere else: they are no UTF-8. */
function clipped(text: string, length: number): string {
  return (text.length > length ? `${text.slice(0, length)}…` : text).toWellFormed();
}
