import type { ConnectorError, ErrorCode, Fault } from "../../connectors/sdk/index.ts";
import { clipped, codes, messageOf, SluiceError } from "../errors/index.ts";
import type { RunError } from "../ports/store.ts";

/** What becomes of a record after a failed try. */
export interface Disposition {
  readonly next: "retry" | "wait" | "dead_letter";
  /** Whether the try counts towards `retry.max_attempts`. */
  readonly counts: boolean;
  /** What it does to the destination's circuit: nothing, weigh against it, or open it at once. */
  readonly circuit: "none" | "weighs" | "opens";
}

/**
 * The one table that decides (contract section 8): retry, wait or dead letter. The deliverer, the runs and the docs read
 * it; nothing else decides.
 */
export const settlement: { readonly [F in Fault]: Disposition } = {
  // The record's own fault: trying again would give the same.
  record: { next: "dead_letter", counts: true, circuit: "none" },
  // The far side's passing trouble.
  transient: { next: "retry", counts: true, circuit: "weighs" },
  // The far side is misconfigured or gone: a backlog is never dead-lettered for a revoked key.
  destination: { next: "wait", counts: false, circuit: "opens" },
};

export interface Failure {
  readonly code: ErrorCode;
  readonly fault: Fault;
  readonly message: string;
  readonly path: string | undefined;
  /** As `patienceOf` has it. */
  readonly retryAfterMs: number | undefined;
  /** What asks is not there yet on this node (a plugin that does not start): it is waited for, without a limit. */
  readonly notReady?: boolean;
  /** A program crashed: by a bug, or by a record that is too much for it. Which record it is can be found out. */
  readonly defect?: boolean;
}

/**
 * Anything thrown by a connector, as a failure. What says neither code nor fault is the connector's own defect:
 * transient. A ConnectorError is known by its fields, so that it may come from another copy of the SDK or a process.
 */
export function failureOf(error: unknown): Failure {
  if (isConnectorError(error)) {
    const { code, fault, message, path, retryAfterMs } = error;
    const notReady = "notReady" in error && error.notReady === true;
    return {
      code,
      fault,
      message: clipped(message),
      path: path === undefined ? undefined : clipped(path),
      retryAfterMs: patienceOf(retryAfterMs),
      ...(notReady && { notReady }),
    };
  }
  const none = { path: undefined, retryAfterMs: undefined };
  if (error instanceof SluiceError) {
    const { code, message, errors } = error;
    return { ...none, code, fault: codes[code].fault, message, path: errors[0]?.path };
  }
  return {
    ...none,
    code: "INTERNAL_ERROR",
    fault: "transient",
    message: clipped(messageOf(error)),
    defect: isDefect(error),
  };
}

/** A far side may ask for this much patience at most. */
const mostPatienceMs = 3_600_000;

/** What a far side's Retry-After comes to. One that asks for no wait says nothing: the backoff holds. */
export function patienceOf(retryAfterMs: number | undefined): number | undefined {
  return retryAfterMs !== undefined && retryAfterMs > 0 ? Math.min(retryAfterMs, mostPatienceMs) : undefined;
}

/** What JavaScript throws by itself. With a cause it is another's: `fetch` wraps a broken connection in a TypeError. */
function isDefect(error: unknown): boolean {
  const defects = [RangeError, TypeError, ReferenceError, SyntaxError];
  return defects.some((type) => error instanceof type) && (error as Error).cause === undefined;
}

/** Whether an error says itself what it is: trying again without a change would give the same, or it says when to. */
export function isStated(error: unknown): boolean {
  return isConnectorError(error) || error instanceof SluiceError;
}

function isConnectorError(error: unknown): error is ConnectorError {
  return (
    error instanceof Error &&
    "fault" in error &&
    "code" in error &&
    typeof error.code === "string" &&
    Object.hasOwn(codes, error.code) &&
    Object.hasOwn(settlement, String(error.fault))
  );
}

/** A failure as a run shows it. */
export function runError({ code, message, path }: Failure): RunError {
  return { code, message, ...(path !== undefined && { path }) };
}
