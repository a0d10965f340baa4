import type { Destination, ErrorCode, Json, OutRecord, WriteFailure, WriteResult } from "../../connectors/sdk/index.ts";
import { type Backoff, backoffMs } from "../actor/index.ts";
import { clipped, codes } from "../errors/index.ts";
import type { Clock } from "../ports/clock.ts";
import type { DeliveryCall } from "../ports/delivery-call.ts";
import { failedIn, noTracing, type Span, type SpanName, type SpanOrigin, type Tracing } from "../ports/telemetry.ts";
import { sharedCorrelation } from "../record/index.ts";
import type { CallOutcome } from "./circuit.ts";
import type { Gate } from "./gate.ts";
import { type Failure, failureOf, patienceOf, settlement } from "./settlement.ts";

export interface Attempt {
  /** RFC 3339. */
  readonly at: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** A record that no further try would help, or that is handed back to be tried later. */
export interface Undelivered {
  /** Index in the batch that was handed in. */
  readonly index: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly attempts: readonly Attempt[];
  /** Milliseconds until the next try; left out: it is given up. */
  readonly retryInMs?: number;
}

/** A record with the tries that it has behind it. */
export interface Deliverable extends OutRecord {
  readonly attempts?: readonly Attempt[];
  /** Somebody waits for it. */
  readonly call?: DeliveryCall | undefined;
}

export interface RetryPolicy extends Backoff {
  readonly maxAttempts: number;
}

export interface DeliverOptions {
  readonly destination: Pick<Destination, "write">;
  /** Who writes, for messages. */
  readonly connector?: string | undefined;
  readonly retry: RetryPolicy;
  /** No record is confirmed before one that was handed in ahead of it is confirmed or given up. */
  readonly ordered?: boolean | undefined;
  /** Whether a record whose next try is far off may be handed back; left out: it waits here. Not where order counts. */
  readonly putsOff?: (() => boolean) | undefined;
  /** Others of the same message are confirmed, or given up: at a stop, these are put off rather than written again with them. */
  readonly begun?: boolean | undefined;
  /** Each write is a span of this, */
  readonly origin?: SpanOrigin | undefined;
  readonly tracing?: Tracing | undefined;
  /** and called so; `write` unless it is given. */
  readonly spanName?: SpanName;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Passed before each write. Without it, a destination that is at fault is asked again at a pace of its own. */
  readonly gate?: Gate | undefined;
  /** Why nothing moves, or null once it does again; what waits at the gate says so itself. */
  readonly waiting: (reason: string | null) => void;
}

export interface Delivered {
  readonly undelivered: readonly Undelivered[];
  /** The destination's state after its last write. */
  readonly state: Json | undefined;
}

/** A record waits in place for no longer: it would hold a write of its destination, and a batch of the log. */
const inPlaceMs = 500;

/** While the destination is at fault and there is no gate it is asked again at this pace. */
const waitPolicy: Backoff = { initialMs: 500, maxMs: 30_000, multiplier: 2, jitter: 0.2 };

/**
 * Writes a batch until each record is confirmed or given up. Records settle one by one (invariant 6): a batch that is
 * refused whole is halved until the records at fault stand alone. Rejects only when the signal aborts; where some are
 * confirmed by then, and records may be put off, the others are.
 */
export async function deliver(records: readonly Deliverable[], options: DeliverOptions): Promise<Delivered> {
  const { destination, retry, ordered = false, putsOff, begun = false, clock, signal, gate, waiting } = options;
  const { tracing = noTracing, spanName = "write", origin } = options;
  const attempts = new Map<number, Attempt[]>();
  const undelivered: Undelivered[] = [];
  let state: Json | undefined;
  let waits = 0;
  /** The destination has taken a record of these: what crashes it then is another record's doing. */
  let confirmed = false;
  /** Records that crashed it before it had taken any: tried once more behind the others. */
  const suspects = new Set<number>();

  /** Notes a failed try of one record; gives it up, or returns the number of its tries. */
  const note = (index: number, failure: Failure): number => {
    const { next, counts } = settlement[failure.fault];
    // Attempts count only while the circuit is closed.
    if (!counts || (next === "retry" && gate?.counts === false)) return 0;
    const tries = attempts.get(index) ?? [...(records[index]?.attempts ?? [])];
    attempts.set(index, tries);
    tries.push({ at: new Date(clock.now()).toISOString(), code: failure.code, message: failure.message });
    if (next === "retry" && tries.length < retry.maxAttempts) return tries.length;
    undelivered.push({ index, code: failure.code, message: failure.message, attempts: tries });
    return -1;
  };

  const pending: number[][] = [records.map((_, index) => index)];
  try {
    while (pending.length > 0) await next();
  } catch (error) {
    if (!signal.aborted || !(confirmed || begun || undelivered.length > 0) || !putsOff?.()) throw error;
    for (const index of pending.flat()) putOff(index, 0);
  }
  // The last record may have been given up while it was waited for.
  if (waits > 0) waiting(null);
  return { undelivered, state };

  /** A write of the last group that is pending. What is not settled when it rejects is pending still. */
  async function next(): Promise<void> {
    signal.throwIfAborted();
    const group = pending.at(-1) as number[];
    let again: number[] = [];
    /** Of those, what waits by itself, and not for the destination: it may be put off. */
    const apart = new Set<number>();
    /** How long each of them waits, where it does not go along with others. */
    const pauses = new Map<number, number>();
    /** The far side asks for patience, of what the write did not come to also. */
    let asked: { readonly failure: Failure; readonly ms: number } | undefined;
    /** The first record that failed with what passes; in order, it stopped the write. */
    let stopped = Number.POSITIVE_INFINITY;
    /** Takes note of a failure of some records: those that are tried again go to `again`, after a pause. */
    const fail = (indexes: readonly number[], failure: Failure) => {
      let tries = -1;
      const passing = settlement[failure.fault].next !== "dead_letter";
      for (const index of indexes) {
        const n = note(index, failure);
        if (n >= 0) again.push(index);
        if (n > 0) apart.add(index);
        if (passing) stopped = Math.min(stopped, index);
        tries = Math.max(tries, n);
      }
      if (tries !== 0 && asksPatience(failure)) {
        const ms = pause(failure, 1);
        if (ms > (asked?.ms ?? 0)) asked = { failure, ms };
      }
      if (tries < 0) return;
      const ms = pause(failure, tries);
      for (const index of indexes) pauses.set(index, ms);
    };
    const batch = group.length === records.length ? records : group.map((index) => records[index] as Deliverable);
    const written = await write(batch);
    pending.pop();
    if ("withdrawn" in written) {
      const gone = new Set(written.withdrawn.map((i) => group[i] as number));
      for (const index of gone) undelivered.push({ index, ...withdrawnFailure, attempts: attempts.get(index) ?? [] });
      const rest = group.filter((index) => !gone.has(index));
      if (rest.length > 0) pending.push(rest);
      return;
    }
    if ("fault" in written) {
      const { defect = false } = written;
      if ((written.fault === "record" || defect) && group.length > 1) {
        const half = group.length >> 1;
        pending.push(group.slice(half), group.slice(0, half));
        return;
      }
      const [alone] = group as [number];
      if (defect && !confirmed && !ordered && pending.length > 0 && !suspects.has(alone)) {
        suspects.add(alone);
        pending.unshift(group);
        return;
      }
      fail(group, defect && confirmed ? { ...written, fault: "record" } : written);
    } else {
      if (written.state !== undefined) state = written.state;
      const { failed = [], left = [] } = written;
      if (failed.length + left.length < group.length) confirmed = true;
      if (waits > 0) waiting(null);
      waits = 0;
      for (const { index, ...failure } of failed) fail([group[index] as number], failureIn(failure));
      for (const at of left) {
        const index = group[at] as number;
        again.push(index);
        stopped = Math.min(stopped, index);
        if (!asked) continue;
        apart.add(index);
        pauses.set(index, asked.ms);
      }
    }
    let pauseMs = Math.max(0, ...pauses.values());
    if (ordered) again = behind(group, stopped);
    else if (pauseMs >= inPlaceMs && apart.size > 0 && putsOff?.()) {
      const isFarOff = (index: number) => apart.has(index) && (pauses.get(index) as number) >= inPlaceMs;
      for (const index of again) if (isFarOff(index)) putOff(index, pauses.get(index) as number, asked?.failure);
      again = again.filter((index) => !isFarOff(index));
      // What was not tried waits with those that were, and not for what is put off.
      pauseMs = again.reduce((longest, index) => Math.max(longest, pauses.get(index) ?? inPlaceMs), 0);
    }
    if (again.length > 0) {
      // Failures are told in any order, and `group` is in that of the records (`batch` above).
      pending.push(again.sort((a, b) => a - b));
      await clock.sleep(pauseMs, signal);
    }
  }

  /** `why`: where it was not tried yet. */
  function putOff(index: number, retryInMs: number, why: Omit<Attempt, "at"> = notWritten): void {
    const tries = attempts.get(index) ?? records[index]?.attempts ?? [];
    const { code, message } = tries.at(-1) ?? why;
    const perishable = records[index]?.call?.perishable === true;
    undelivered.push({ index, code, message, attempts: tries, ...(!perishable && { retryInMs }) });
  }

  /** What of a write that stopped at `first` is written again: all that is not given up, confirmed or not. */
  function behind(group: readonly number[], first: number): number[] {
    if (first === Number.POSITIVE_INFINITY) return [];
    const givenUp = new Set(undelivered.map(({ index }) => index));
    return group.filter((index) => index >= first && !givenUp.has(index));
  }

  /** One write, once the gate lets it pass: what it gave, or why it failed. On trial, one record is enough. */
  async function write(whole: readonly Deliverable[]): Promise<WriteResult | Failure | Withdrawn> {
    const call = gate && (await gate.begin(signal));
    const batch = call?.trial && whole.length > 1 ? whole.slice(0, 1) : whole;
    /** One record that fails again: that it hangs may be its own doing. */
    const repeats = batch.length === 1 && (attempts.size > 0 || (batch[0]?.attempts?.length ?? 0) > 0);
    let outcome: CallOutcome | undefined;
    const beganAt = clock.now();
    let span: Span | undefined;
    try {
      const withdrawn = beginCalls(batch);
      if (withdrawn) return { withdrawn };
      span = tracing.start(spanName, { "sluice.records": batch.length }, origin);
      const correlation = sharedCorrelation(batch, span.traceparent);
      const result = await destination.write({ records: batch, ordered, ...(correlation && { correlation }), signal });
      checkResult(result, batch.length, options.connector);
      const failures = (result.failed ?? []).map(failureIn);
      span.end(undefined, failedIn(failures));
      // Whoever says at once that something else took too long does not hang.
      const isAnswer = clock.now() - beganAt < answeredMs;
      outcome = outcomeOf(batch.length - (result.left?.length ?? 0), failures, repeats || isAnswer);
      return batch === whole ? result : { ...result, left: whole.slice(1).map((_, index) => index + 1) };
    } catch (error) {
      span?.end(error);
      signal.throwIfAborted();
      const failure = failureOf(error);
      // A crash says nothing of the far side, where it may be one record's doing.
      const fault = failure.defect && (batch.length > 1 || confirmed) ? "record" : failure.fault;
      outcome = outcomeOf(batch.length, new Array<Failure>(batch.length).fill({ ...failure, fault }), repeats);
      return failure;
    } finally {
      if (call) gate?.end(call, outcome);
    }
  }

  /** How long to wait before the next try; `tries` 0 means that the destination is waited for. */
  function pause(failure: Failure, tries: number): number {
    const { retryAfterMs } = failure;
    if (tries === 0 && gate) return 0;
    if (tries === 0 && waits++ === 0) waiting(failure.message);
    if (retryAfterMs !== undefined) return retryAfterMs;
    return tries > 0 ? backoffMs(retry, tries, clock.random) : backoffMs(waitPolicy, Math.min(waits, 16), clock.random);
  }
}

/** Records that nobody wants written any more, by their indexes in a batch: nothing of it was written. */
interface Withdrawn {
  readonly withdrawn: readonly number[];
}

const withdrawnFailure = {
  code: "TIMEOUT",
  message: "whoever invoked it waits no more, and it was to be dropped then (on_timeout=drop)",
} as const;

/** Indexes of the records that were withdrawn; where there are none, a write of all begins. */
function beginCalls(batch: readonly Deliverable[]): number[] | undefined {
  let withdrawn: number[] | undefined;
  let called = false;
  for (let i = 0; i < batch.length; i++) {
    const call = (batch[i] as Deliverable).call;
    if (call === undefined) continue;
    called = true;
    if (call.withdrawn) (withdrawn ??= []).push(i);
  }
  if (called && !withdrawn) for (const { call } of batch) call?.begin();
  return withdrawn;
}

/** Time limits are longer, so that a TIMEOUT that comes sooner is an answer. */
const answeredMs = 100;

/** Of a record that was put off before its first try. */
const notWritten = { code: "UNAVAILABLE", message: "not written yet when the run stopped" } as const;

/**
 * Throws where a write says twice what became of a record, or says it of one that it was not given, or came to none: by
 * what it says, records would be lost or given up twice.
 */
function checkResult({ failed = [], left = [] }: WriteResult, records: number, connector = "the connector"): void {
  if (failed.length + left.length === 0) return;
  const told = new Set<number>();
  for (const index of [...failed.map((failure) => failure.index), ...left]) {
    if (!(Number.isInteger(index) && index >= 0 && index < records)) {
      throw new Error(`${connector} says what became of record ${index} of ${records}`);
    }
    if (told.has(index)) throw new Error(`${connector} says twice what became of record ${index}`);
    told.add(index);
  }
  if (left.length === records) throw new Error(`${connector} came to none of ${records} records, and does not say why`);
}

/** Whether what was not sent yet is to wait, too. */
function asksPatience({ code, fault, retryAfterMs }: Failure): boolean {
  return settlement[fault].next === "retry" && (retryAfterMs !== undefined || code === "RATE_LIMITED");
}

/** What a record of a write failed with, as a failure. */
function failureIn({ code, message, retryAfterMs }: Omit<WriteFailure, "index">): Failure {
  return {
    code,
    fault: codes[code].fault,
    message: clipped(message),
    path: undefined,
    retryAfterMs: patienceOf(retryAfterMs),
  };
}

/** What a write says of its destination, by the table of settlement; `records`: those that it came to. */
function outcomeOf(records: number, failures: readonly Failure[], repeats: boolean): CallOutcome {
  const passing = failures.filter(({ fault }) => settlement[fault].circuit !== "none");
  const broken = passing.find(({ fault }) => settlement[fault].circuit === "opens");
  const { message: reason = "", retryAfterMs } = broken ?? passing[0] ?? {};
  const hung =
    !repeats && records > 0 && failures.length === records && failures.every(({ code }) => code === "TIMEOUT");
  return { records, failed: passing.length, broken: broken !== undefined, hung, reason, retryAfterMs };
}
