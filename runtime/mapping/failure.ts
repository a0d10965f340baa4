import type { ErrorCode } from "../../connectors/sdk/index.ts";

export type FailureReason = "source" | "cast" | "destination" | "transform" | "predicate";

/**
 * Why a rule failed a record. Thrown; no Error, since a stack says nothing here and would cost more than the record.
 * The message names the paths and the value's JSON type, never the value.
 */
export class MappingFailure {
  /** Index of the rule in its mapping; of the outer one within `each`. Null for a predicate that stands alone. */
  readonly rule: number | null;
  readonly reason: FailureReason;
  readonly code: ErrorCode;
  readonly message: string;

  constructor(rule: number | null, reason: FailureReason, message: string, code: ErrorCode = "VALIDATION_ERROR") {
    this.rule = rule;
    this.reason = reason;
    this.code = code;
    this.message = message;
  }
}
