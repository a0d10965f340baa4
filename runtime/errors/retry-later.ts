import type { ErrorCode } from "../../connectors/sdk/index.ts";
import { SluiceError } from "./error.ts";

/** Nothing was done, and the same request may well succeed after `retryAfterMs`: HTTP's Retry-After. */
export class RetryLaterError extends SluiceError {
  readonly retryAfterMs: number;

  constructor(
    message: string,
    retryAfterMs: number,
    code: ErrorCode & ("UNAVAILABLE" | "RATE_LIMITED") = "UNAVAILABLE",
  ) {
    super(code, message);
    this.retryAfterMs = retryAfterMs;
  }
}
