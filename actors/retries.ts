import type { Correlation, Json, OutRecord } from "../connectors/sdk/index.ts";
import type { Attempt, Undelivered } from "../runtime/delivery/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { BatchHeader } from "../runtime/ports/log.ts";
import type { RetryStore, ScheduledRetry } from "../runtime/ports/retries.ts";
import type { NewDeadLetter } from "../runtime/ports/store.ts";
import type { SuspectStore } from "../runtime/ports/suspects.ts";
import { gathered, type Metrics } from "../runtime/ports/telemetry.ts";
import { parseJson } from "../runtime/record/index.ts";
import { fingerprint } from "./dead-letter.ts";
import type { DestinationWriter } from "./destination-writer.ts";
import type { Invocations } from "./invocations.ts";
import type { RunLedger } from "./ledger.ts";
import { countsOf } from "./ledger-counts.ts";
import { persist } from "./persist.ts";
import { isFullRead } from "./source-name.ts";
import { longMs } from "./suspects.ts";
import { untilAborted } from "./until-aborted.ts";

export interface RetriesOptions {
  readonly integration: string;
  readonly integrationId: string;
  readonly runId: string;
  readonly destination: string;
  /** Whose checkpoint has the destination's state. */
  readonly consumer: string;
  readonly ledger: RunLedger;
  readonly invocations: Invocations;
  readonly store: RetryStore;
  readonly suspects: SuspectStore;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
}

/** More of a destination wait in place: then its backlog waits in the log, as it does for one that is slow. */
const openMax = 10_000;
/** Tried at once. */
const atOnce = { records: 2_000, bytes: 4 * 1024 * 1024 };

/** What failed for a passing reason and waits for its next try: in the store, so that it holds no batch, nor a write. */
export class Retries {
  readonly #options: RetriesOptions;
  #open = 0;
  #nextDue = Number.POSITIVE_INFINITY;
  /** Scheduled since the last look at the store began. */
  #fresh = { count: 0, due: Number.POSITIVE_INFINITY };
  #wake = () => {};

  private constructor(options: RetriesOptions) {
    this.#options = options;
  }

  /** Knows what earlier runs have left. */
  static async open(options: RetriesOptions): Promise<Retries> {
    const { store, integrationId, runId, clock, signal } = options;
    await persist(clock, signal, () => store.dropRead(integrationId, runId));
    const retries = new Retries(options);
    await retries.#look();
    return retries;
  }

  /** What there is to wait for, or null. */
  get reason(): string | null {
    if (this.#open === 0) return null;
    const next =
      Number.isFinite(this.#nextDue) && this.#nextDue > this.#options.clock.now()
        ? `, the next at ${new Date(this.#nextDue).toISOString()}`
        : "";
    return `${this.#open} record${this.#open === 1 ? " is" : "s are"} tried again${next}`;
  }

  /** Whether one more may wait here. */
  readonly hasRoom = (): boolean => this.#open < openMax;

  /** These have been settled: they are in the store with the next commit. */
  scheduled(retries: readonly ScheduledRetry[]): void {
    this.#open += retries.length;
    this.#fresh.count += retries.length;
    for (const { dueAt } of retries) {
      this.#nextDue = Math.min(this.#nextDue, dueAt);
      this.#fresh.due = Math.min(this.#fresh.due, dueAt);
    }
    if (retries.length > 0) this.#wake();
  }

  /** Tries what is due; after `stopping` nothing more is taken. Calls `through` when none waits any more. Rejects when the signal aborts. */
  async run(writer: DestinationWriter, stopping: AbortSignal, through: () => void): Promise<void> {
    const { ledger, store, integrationId, destination, clock, signal } = this.#options;
    while (!stopping.aborted) {
      const ms = this.#nextDue - clock.now();
      if (ms > 0) {
        await this.#change(ms, stopping);
        continue;
      }
      // What has been settled is in the store, or no longer there.
      await untilAborted(signal, ledger.flushed());
      const due = await persist(clock, signal, () => store.due(integrationId, destination, clock.now(), atOnce));
      if (due.length > 0) await this.#try(due, writer);
      else await this.#look();
      if (this.#open === 0) through();
    }
  }

  /** What there is: what the store has, and what may not have reached it yet. Until then the former count stands. */
  async #look(): Promise<void> {
    const { ledger, store, integrationId, destination, clock, signal } = this.#options;
    this.#fresh = { count: 0, due: Number.POSITIVE_INFINITY };
    await untilAborted(signal, ledger.flushed());
    const { count, nextDue } = await persist(clock, signal, () => store.waiting(integrationId, destination));
    // Scheduled since the commit was asked for: counted twice, perhaps, until they are due.
    this.#open = count + this.#fresh.count;
    this.#nextDue = Math.min(this.#fresh.due, nextDue ?? Number.POSITIVE_INFINITY);
  }

  async #try(due: readonly ScheduledRetry[], writer: DestinationWriter): Promise<void> {
    const { integrationId, destination, suspects, clock, signal } = this.#options;
    // Nobody else counts how often they are taken in hand.
    const key = { integrationId, marks: [`retries ${destination}`] };
    const [before] = await persist(clock, signal, () => suspects.take(key));
    const letGo = () => persist(clock, signal, () => suspects.letGo(key)).catch(() => {});
    const cancel = clock.after(longMs, letGo);
    await this.#tryNow(due, writer, (before as number) + 1);
    cancel();
    await letGo();
  }

  async #tryNow(due: readonly ScheduledRetry[], writer: DestinationWriter, deliveries: number): Promise<void> {
    const { integration, runId, destination, consumer, ledger, clock, metrics } = this.#options;
    const records = due.map((retry) => new RetriedRecord(retry));
    const [{ ingestedAt }] = due as [ScheduledRetry];
    const origin = gathered(due.map(({ letter: { traceparent } }) => traceparent));
    const bytes = due.reduce((sum, { letter: { state } }) => sum + state.length, 0);
    const written = writer.write(records, { header: { ingestedAt }, bytes, origin, deliveries });
    // They have waited long enough.
    writer.flush();
    const { undelivered, state, processed } = await written;
    this.#options.invocations.retried(destination, due, undelivered);
    const deadLetters: NewDeadLetter[] = [];
    const retries: ScheduledRetry[] = [];
    for (const failure of undelivered) {
      const retry = due[failure.index] as ScheduledRetry;
      const failed = failedAgain(retry, failure);
      if (failure.retryInMs === undefined) deadLetters.push({ ...failed, runId });
      else retries.push({ ...retry, letter: failed, dueAt: clock.now() + failure.retryInMs });
    }
    if (deadLetters.length > 0) metrics.recordsFailed(integration, { destination }, deadLetters.length);
    const out = due.length - undelivered.length;
    ledger.settleRetries(consumer, {
      tried: due,
      retries,
      deadLetters,
      state,
      processed: processed && [processed],
      count: (total) => {
        const counts = countsOf(total, destination);
        total.out += out;
        total.failed += deadLetters.length;
        counts.out += out;
        counts.failed += deadLetters.length;
      },
    });
    this.#open -= due.length;
    this.#nextDue = Number.NEGATIVE_INFINITY;
    this.scheduled(retries);
  }

  /** Resolves after `ms`, or when something is scheduled. */
  #change(ms: number, stopping: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        stopping.removeEventListener("abort", done);
        this.#wake = () => {};
        resolve();
      };
      const cancel = Number.isFinite(ms) ? clock.after(ms, done) : () => {};
      stopping.addEventListener("abort", done, { once: true });
      this.#wake = done;
    });
  }
}

function failedAgain({ letter }: ScheduledRetry, { code, message, attempts }: Undelivered): ScheduledRetry["letter"] {
  const failed = { ...letter, code, message, attempts };
  return { ...failed, fingerprint: fingerprint(failed) };
}

/** A record that its destination put off, with the dead letter that it would be now. */
export function scheduledRetry(
  letter: NewDeadLetter,
  { id, text }: OutRecord,
  { destination, retryInMs }: { readonly destination: string; readonly retryInMs: number },
  header: BatchHeader,
  clock: Clock,
): ScheduledRetry {
  const { ingestedAt, traceparent } = header;
  const dueAt = clock.now() + retryInMs;
  return {
    letter: { ...letter, destination, state: text, ...(traceparent && { traceparent }) },
    dueAt,
    outId: id,
    ingestedAt,
    fullRead: isFullRead(header),
  };
}

/** A record as it was when it was put off. */
class RetriedRecord implements OutRecord {
  readonly id: string;
  readonly text: string;
  readonly attempts: readonly Attempt[];
  readonly correlation: Correlation | undefined;
  #value: Json | undefined;

  constructor({ outId, letter }: ScheduledRetry) {
    this.id = outId;
    this.text = letter.state;
    this.attempts = letter.attempts;
    this.correlation = letter.correlation;
  }

  get value(): Json {
    return (this.#value ??= parseJson(this.text));
  }
}
