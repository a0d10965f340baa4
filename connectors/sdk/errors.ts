/** The taxonomy of contract section 8; `runtime/errors` holds the one table with statuses and dispositions. */
export type ErrorCode =
  | "VALIDATION_ERROR"
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "NOT_FOUND"
  | "CONFLICT"
  | "BUSINESS_RULE"
  | "RATE_LIMITED"
  | "INTERNAL_ERROR"
  | "UNAVAILABLE"
  | "TIMEOUT";

/**
 * Whose fault a failure is, which decides what happens next:
 * - `record`: to the dead letters at once.
 * - `transient`: retried with backoff; each try counts as an attempt.
 * - `destination`: the far side is misconfigured or gone (bad credentials, missing table, no connection). Nothing is
 *   counted, the records wait in the log, the integration is degraded and says why.
 */
export type Fault = "record" | "transient" | "destination";

export interface ConnectorErrorOptions {
  readonly fault: Fault;
  /** The setting at fault, as a field path in the integration or connector: `config.password`, `source.stream`. */
  readonly path?: string;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** What a connector throws. The message is one sentence for a person, and never holds a secret. */
export class ConnectorError extends Error {
  override readonly name = "ConnectorError";
  readonly code: ErrorCode;
  readonly fault: Fault;
  readonly path: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: ConnectorErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fault = options.fault;
    this.path = options.path;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** What a destination throws at an owner that a later one has followed: nothing of the write was carried out. */
export class StaleOwnerError extends Error {
  override readonly name = "StaleOwnerError";
}
