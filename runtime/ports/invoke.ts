import type { Correlation, ErrorCode, Json } from "../../connectors/sdk/index.ts";

/** What the owner of an integration is asked for by (`Owners`): one record through its pipeline, and to let go of it. */
export const invokeAsked = { invoke: "invoke", withdraw: "withdraw" } as const;

/** What becomes of a record that is not through when its time is up. */
export type OnTimeout = "keep" | "drop";

/**
 * An invocation as a request between nodes: what is said of the record, a line feed, and the record itself.
 */
export function encodeInvocation({ record, ...about }: Invocation): Uint8Array {
  return Buffer.from(`${JSON.stringify(about)}\n${record}`);
}

export function decodeInvocation(request: Uint8Array): Invocation {
  const text = Buffer.from(request.buffer, request.byteOffset, request.length).toString();
  const end = text.indexOf("\n");
  return { ...(JSON.parse(text.slice(0, end)) as Omit<Invocation, "record">), record: text.slice(end + 1) };
}

/** One record for an integration, whose caller waits for what becomes of it. */
export interface Invocation {
  /** By which it can be withdrawn. */
  readonly id: string;
  /** JSON text of an object, on one line. */
  readonly record: string;
  readonly onTimeout: OnTimeout;
  /** Milliseconds that are left. */
  readonly timeoutMs: number;
  /** Of the integration, as whoever asks knows it: an older one does not take it. */
  readonly integrationVersion: number;
  /** What goes along with the record. */
  readonly correlation: Correlation | null;
}

/** Why one did not get through. */
export interface InvokeError {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface StepFailed extends InvokeError {
  /** Null: before the steps, by the schema contract. */
  readonly step: string | null;
  readonly rule: number | null;
  /** All that is wrong, by field path. */
  readonly errors: readonly { readonly path: string; readonly message: string }[];
  /** The step's `on_error` lets it go: no failure of the record. */
  readonly dropped: boolean;
}

/**
 * - `delivered`: all of it is confirmed. `failed`: some of it was given up, and is a dead letter.
 * - `pending`: it goes on being delivered. `dropped`: nothing more of it is written.
 * - `unknown`: a write had begun when the record was dropped, and may have arrived.
 */
export type DestinationStatus = "delivered" | "failed" | "pending" | "dropped" | "unknown";

export interface DestinationResult {
  readonly status: DestinationStatus;
  /** Records confirmed, and given up. */
  readonly out: number;
  readonly failed: number;
  /** What the destination gets. */
  readonly records: readonly Json[];
  /** What it said last. */
  readonly error: (InvokeError & { readonly attempts: number }) | null;
}

/** What became of an invoked record, in the words of the API. */
export interface Invoked {
  /** Null: it never got into the log. */
  readonly record_id: string | null;
  readonly run_id: string | null;
  /**
   * `delivered` to each destination that it was for, or to some (`partial`), `aggregated` into a window, `filtered`,
   * `failed`, or `unfinished`: not known to be through.
   */
  readonly status: "delivered" | "partial" | "aggregated" | "filtered" | "failed" | "unfinished";
  /**
   * Whether it is in the log and goes on being delivered, or went through. False: nothing more of it is written. Null: not
   * known, since an append or a write was under way.
   */
  readonly kept: boolean | null;
  /** What came of it where that is one record, the same everywhere. */
  readonly record: Json;
  readonly by_destination: { readonly [destination: string]: DestinationResult };
  readonly failures: readonly StepFailed[];
  /** Why it is unfinished: TIMEOUT where its time was up. */
  readonly reason: InvokeError | null;
}
