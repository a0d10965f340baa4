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

/** How much an answer has where all of it is too large. */
const most = { failures: 10, errors: 5, text: 300 };

/**
 * An answer for another node, of at most `maxBytes`. One that would be larger has no records, and then less of what was
 * said of failures: what became of the record is told in any case, since it cannot be undone.
 */
export function encodeInvoked(invoked: Invoked, maxBytes: number): Uint8Array {
  const whole = Buffer.from(JSON.stringify(invoked));
  if (whole.length <= maxBytes) return whole;
  const results = Object.entries(invoked.by_destination);
  const bare: Invoked = {
    ...invoked,
    record: null,
    by_destination: Object.fromEntries(results.map(([name, result]) => [name, { ...result, records: [] }])),
  };
  const without = Buffer.from(JSON.stringify(bare));
  return without.length <= maxBytes ? without : Buffer.from(JSON.stringify(shortened(bare)));
}

function shortened(invoked: Invoked): Invoked {
  const { by_destination, failures } = invoked;
  const results = Object.entries(by_destination).map(([name, result]) => {
    return [name, { ...result, error: result.error && { ...result.error, message: clipped(result.error.message) } }];
  });
  // Those that make it a failure go before those that a step let go.
  const told = failures.toSorted((a, b) => Number(a.dropped) - Number(b.dropped)).slice(0, most.failures);
  return {
    ...invoked,
    by_destination: Object.fromEntries(results),
    failures: told.map(({ message, errors, ...failure }) => ({
      ...failure,
      message: clipped(message),
      errors: errors.slice(0, most.errors).map((one) => ({ path: clipped(one.path), message: clipped(one.message) })),
    })),
  };
}

function clipped(text: string): string {
  return text.length > most.text ? `${text.slice(0, most.text)}…`.toWellFormed() : text;
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
  /** What the destination gets; none where that is too large for an answer. */
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
   * Whether it is in the log and goes on being delivered, or went through. False: nothing of it is written anywhere, and
   * none will be. Null: neither is known of the whole, since an append or a write was under way, or some of it was
   * delivered or failed before the rest was dropped; `by_destination` has what is known of each.
   */
  readonly kept: boolean | null;
  /** What came of it where that is one record, the same everywhere, and not too large for an answer. */
  readonly record: Json;
  readonly by_destination: { readonly [destination: string]: DestinationResult };
  readonly failures: readonly StepFailed[];
  /** Why it is unfinished: TIMEOUT where its time was up. */
  readonly reason: InvokeError | null;
}
