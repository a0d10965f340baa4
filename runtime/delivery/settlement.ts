import { ConnectorError, type ErrorCode, type Fault } from "../../connectors/sdk/index.ts";
import { codes, messageOf, SluiceError } from "../errors/index.ts";
import type { RunError } from "../ports/store.ts";

/** What becomes of a record after a failed try. */
export interface Disposition {
  readonly next: "retry" | "wait" | "dead_letter";
  /** Whether the try counts towards `retry.max_attempts`. */
  readonly counts: boolean;
}

/**
 * The one table that decides (contract section 8): retry, wait or dead letter. The deliverer, the runs and the docs read
 * it; nothing else decides.
 */
export const settlement: { readonly [F in Fault]: Disposition } = {
  // The record's own fault: trying again would give the same.
  record: { next: "dead_letter", counts: true },
  // The far side's passing trouble.
  transient: { next: "retry", counts: true },
  // The far side is misconfigured or gone: a backlog is never dead-lettered for a revoked key.
  destination: { next: "wait", counts: false },
};

export interface Failure {
  readonly code: ErrorCode;
  readonly fault: Fault;
  readonly message: string;
  readonly path: string | undefined;
  readonly retryAfterMs: number | undefined;
}

/** Anything thrown by a connector, as a failure. What is no ConnectorError is the connector's own defect: transient. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ConnectorError) {
    const { code, fault, message, path, retryAfterMs } = error;
    return { code, fault, message, path, retryAfterMs };
  }
  if (error instanceof SluiceError) {
    return {
      code: error.code,
      fault: codes[error.code].fault,
      message: error.message,
      path: error.errors[0]?.path,
      retryAfterMs: undefined,
    };
  }
  return {
    code: "INTERNAL_ERROR",
    fault: "transient",
    message: messageOf(error),
    path: undefined,
    retryAfterMs: undefined,
  };
}

/** A failure as a run shows it. */
export function runError({ code, message, path }: Failure): RunError {
  return { code, message, ...(path !== undefined && { path }) };
}
