import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { Duration } from "../../../proto/gen/google/protobuf/duration.ts";
import { Code, Failure, Fault } from "../../../proto/gen/sluice/record/v1/record.ts";
import { ConnectorError, type ErrorCode, type Fault as FaultName, StaleOwnerError } from "../errors.ts";

const codes: { readonly [C in ErrorCode]: Code } = {
  VALIDATION_ERROR: Code.CODE_VALIDATION_ERROR,
  UNAUTHORIZED: Code.CODE_UNAUTHORIZED,
  FORBIDDEN: Code.CODE_FORBIDDEN,
  NOT_FOUND: Code.CODE_NOT_FOUND,
  CONFLICT: Code.CODE_CONFLICT,
  BUSINESS_RULE: Code.CODE_BUSINESS_RULE,
  RATE_LIMITED: Code.CODE_RATE_LIMITED,
  INTERNAL_ERROR: Code.CODE_INTERNAL_ERROR,
  UNAVAILABLE: Code.CODE_UNAVAILABLE,
  TIMEOUT: Code.CODE_TIMEOUT,
};

const faults: { readonly [F in FaultName]: Fault } = {
  record: Fault.FAULT_RECORD,
  transient: Fault.FAULT_TRANSIENT,
  destination: Fault.FAULT_DESTINATION,
};

const statuses: { readonly [C in ErrorCode]: status } = {
  VALIDATION_ERROR: status.INVALID_ARGUMENT,
  UNAUTHORIZED: status.UNAUTHENTICATED,
  FORBIDDEN: status.PERMISSION_DENIED,
  NOT_FOUND: status.NOT_FOUND,
  CONFLICT: status.ABORTED,
  BUSINESS_RULE: status.FAILED_PRECONDITION,
  RATE_LIMITED: status.RESOURCE_EXHAUSTED,
  INTERNAL_ERROR: status.INTERNAL,
  UNAVAILABLE: status.UNAVAILABLE,
  TIMEOUT: status.DEADLINE_EXCEEDED,
};

/** What a record failed with. */
export function failureOf({
  code,
  message,
  retryAfterMs,
}: {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}): Failure {
  return {
    code: codes[code],
    message,
    fault: Fault.FAULT_UNSPECIFIED,
    path: "",
    // No number of a connector's is too much for a message: an hour is the most that is waited.
    retryAfter:
      retryAfterMs !== undefined && retryAfterMs > 0 ? durationOf(Math.min(retryAfterMs, 3_600_000)) : undefined,
  };
}

/** What a connector threw. What says neither code nor fault is its own defect. */
export function thrown(error: unknown): Failure {
  if (error instanceof StaleOwnerError) {
    return { ...failureOf({ code: "CONFLICT", message: error.message }), path: "stale owner" };
  }
  if (!(error instanceof ConnectorError)) {
    const message = error instanceof Error ? error.message : String(error);
    return { ...failureOf({ code: "INTERNAL_ERROR", message }), fault: Fault.FAULT_TRANSIENT };
  }
  return { ...failureOf(error), fault: faults[error.fault], path: error.path ?? "" };
}

/** The same, as the end of a call. */
export function callError(error: unknown): Partial<ServiceError> {
  const failure = thrown(error);
  const [code] = Object.entries(codes).find(([, value]) => value === failure.code) as [ErrorCode, Code];
  const metadata = new Metadata();
  metadata.set("sluice-failure-bin", Buffer.from(Failure.encode(failure).finish()));
  return { code: statuses[code], details: failure.message, metadata };
}

export function durationOf(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

export function millisecondsOf(duration: Duration | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
