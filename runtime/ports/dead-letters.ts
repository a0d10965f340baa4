import type { Correlation, ErrorCode } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import type { ReplayOf } from "./replays.ts";

export interface Attempt {
  readonly at: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface NewDeadLetter {
  readonly id: string;
  readonly runId: string;
  readonly integrationId: string;
  readonly integrationVersion: number;
  readonly recordId: string;
  /** The step that failed, or null when it was a destination. */
  readonly step: string | null;
  readonly destination: string | null;
  /** Index of the mapping rule, or null. */
  readonly rule: number | null;
  readonly code: ErrorCode;
  readonly message: string;
  /** The record as it entered the pipeline, as text or bytes; any bytes at all. */
  readonly raw: Uint8Array;
  /** The record before the failing step, as JSON text, or null where it never parsed. */
  readonly state: string | null;
  /** Where it stood in the source: base and ordinal (file and line). */
  readonly position: { readonly base: string; readonly ordinal: number };
  readonly attempts: readonly Attempt[];
  /** All that is wrong, by field path, where there is more to say than the message. */
  readonly errors?: readonly FieldError[];
  /** Hash of code, step, rule and the message without its values: a thousand alike are one row to look at. */
  readonly fingerprint: string;
  readonly traceId: string | null;
  /** The request that set the record going; left out: none. */
  readonly correlation?: Correlation | undefined;
  /** Which of the records that steps made of one it is; left out: the record itself. */
  readonly child?: string;
  /** What the record was read from, as a batch's header says it; null for a window's result. */
  readonly source?: string | null;
  /** The record was replayed: its dead letter gets one more attempt, where this is the replay's first failure. */
  readonly replayOf?: ReplayOf;
}
