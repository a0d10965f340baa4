import type { Json } from "../connectors/sdk/index.ts";
import type { StoredGroup } from "../runtime/pipeline/index.ts";
import { noLedger } from "../runtime/ports/ledger.ts";
import type { LogMessage } from "../runtime/ports/log.ts";
import { type Logger, noLogger } from "../runtime/ports/logger.ts";
import type { ReplayOf } from "../runtime/ports/replays.ts";
import type { ScheduledRetry } from "../runtime/ports/retries.ts";
import type {
  Checkpoint,
  LogEnds,
  NewDeadLetter,
  RunCounts,
  RunRow,
  RunSeries,
  Settlement,
} from "../runtime/ports/store.ts";
import { noTracing, type Span, type Tracing } from "../runtime/ports/telemetry.ts";
import { logDeadLetters } from "./dead-letter.ts";
import { addOutcome, addRetries, type LedgerChange, own } from "./ledger-counts.ts";
import {
  type MessageKey,
  messageKey,
  type SettledKeys,
  type StoredParts,
  settledKeys,
  settleKey,
  storedParts,
  storedVersions,
} from "./settled-keys.ts";

/** What a consumer has done of the current run. Kept in its checkpoint. */
export interface Progress {
  readonly runId: string;
  readonly batches: number;
  readonly records: number;
  /** Records that were delivered, filtered, failed or passed on, counted where that happens (invariant 8). */
  readonly accounted: number;
  /** Records passed on, by destination. */
  readonly sent: Readonly<Record<string, number>>;
  /** Of the records accounted, those that wait for a later try. */
  readonly deferred?: number;
  /** In the log, of the first and the last message settled; null before. */
  readonly sequences: readonly [first: number, last: number] | null;
  /** The run's end is settled here: nothing of it is to come. */
  readonly done: boolean;
}

function noProgress(runId: string): Progress {
  return { runId, batches: 0, records: 0, accounted: 0, sent: {}, sequences: null, done: false };
}

/** Idempotency keys that a message's delivery confirmed, committed with what is settled. */
export interface Processed {
  readonly destination: string;
  /** SHA-256 in hex. */
  readonly keys: readonly string[];
  /** To be called once they are committed: the store knows them from now on. */
  stored(): void;
}

/** What settling one log message changes. */
export interface Outcome {
  /** Adds to the run's counts. */
  readonly count: (counts: RunCounts) => void;
  readonly deadLetters: readonly NewDeadLetter[];
  /** The destination's state after these records. */
  readonly state?: Json | undefined;
  /** As in Progress, of this message. */
  readonly accounted: number;
  readonly sent?: ReadonlyMap<string, number>;
  /** By step and destination. */
  readonly change?: LedgerChange;
  /** Dead letters that were replayed without a failure. */
  readonly replayed?: readonly ReplayOf[] | undefined;
  /** Windows that changed. */
  readonly groups?: readonly StoredGroup[];
  /** Idempotency keys that were confirmed. */
  readonly processed?: readonly Processed[] | undefined;
  /** Records that are tried again later. */
  readonly retries?: readonly ScheduledRetry[] | undefined;
}

/** What came of records that were tried again. */
export interface RetryOutcome extends Pick<Outcome, "count" | "deadLetters" | "state" | "processed"> {
  /** All of them. */
  readonly tried: readonly ScheduledRetry[];
  /** Those that are tried once more. */
  readonly retries: readonly ScheduledRetry[];
}

/** Where a ledger tells what it settles. */
export interface LedgerTelemetry {
  /** The integration's name. */
  readonly integration: string;
  readonly tracing: Tracing;
  readonly logger: Logger;
}

export interface LedgerOptions {
  readonly telemetry?: LedgerTelemetry;
  /** How far the logs reach: what is settled refers to nothing behind that. */
  readonly ends?: () => LogEnds;
}

const untold: LedgerTelemetry = { integration: "", tracing: noTracing, logger: noLogger };

interface ConsumerState extends SettledKeys {
  /** Keys that no commit holds yet, with the sequence of the message. */
  readonly uncommitted: Map<MessageKey, number>;
  state: Json | null;
  progress: Progress;
  /** Sequences, the lowest and the highest, of what was settled since `sinceChecked` was called; null: nothing. */
  recent: readonly [number, number] | null;
  changed: boolean;
}

/** What is kept of a message until its commit: not its body, of which there may be many while the store is away. */
interface Settled {
  readonly consumer: string;
  readonly key: MessageKey;
  readonly ack: LogMessage["ack"];
  readonly working: LogMessage["working"];
  readonly span: Span;
}

interface Snapshot {
  readonly settlement: Settlement;
  readonly messages: readonly Settled[];
  readonly generation: number;
}

/** Where a consumer's `parts` and `versions` are in its checkpoint's progress. */
interface StoredProgress extends Progress {
  readonly parts?: readonly StoredParts[];
  readonly versions?: readonly number[];
}

/**
 * A run's account, kept in memory and committed by the Settler: counts, checkpoints and dead letters of all its
 * consumers in one transaction. A message is acknowledged only after the commit that holds it (invariants 2 and 3), and
 * a message that comes again after its commit is known, so that nothing counts twice.
 */
export class RunLedger {
  readonly integrationId: string;
  readonly runId: string;
  readonly epoch: number;
  readonly counts: RunCounts;
  waiting: string | null = null;
  /** Counters over time, until the commit that keeps them. */
  series: RunSeries | undefined;
  readonly #consumers = new Map<string, ConsumerState>();
  #deadLetters: NewDeadLetter[] = [];
  #deadLetterBytes = 0;
  /** Bytes of each of the dead letters and retries that are not stored yet, what they share counted once. */
  readonly #letterSizes: number[] = [];
  readonly #retrySizes: number[] = [];
  #replayed: ReplayOf[] = [];
  #retries: ScheduledRetry[] = [];
  #retried: string[] = [];
  #messages: Settled[] = [];
  #processed: Processed[] = [];
  #keys = 0;
  /** Windows that changed since the last commit. */
  readonly #groups = new Map<string, StoredGroup>();
  #generation = 0;
  #committed = 0;
  #ownedAt = Number.NEGATIVE_INFINITY;
  #waiters: { generation: number; resolve: () => void; reject: (error: unknown) => void }[] = [];
  #dirty: () => void = () => {};
  #checkpoint: (settlement: Settlement) => void = () => {};
  #closed: { readonly error: unknown } | undefined;

  readonly #telemetry: LedgerTelemetry;
  readonly #ends: (() => LogEnds) | undefined;

  constructor(
    run: Pick<RunRow, "id" | "integrationId" | "counts">,
    epoch: number,
    checkpoints: readonly Checkpoint[],
    { telemetry = untold, ends }: LedgerOptions = {},
  ) {
    this.#telemetry = telemetry;
    this.#ends = ends;
    this.integrationId = run.integrationId;
    this.runId = run.id;
    this.epoch = epoch;
    this.counts = structuredClone(run.counts);
    for (const { consumer, settled, state, progress } of checkpoints) {
      const { parts, versions, ...known } = (progress ?? noProgress("")) as unknown as StoredProgress;
      const same = known.runId === run.id;
      this.#consumers.set(consumer, {
        ...settledKeys(settled, parts, versions),
        uncommitted: new Map(),
        state: same ? state : null,
        progress: same ? known : noProgress(run.id),
        recent: null,
        changed: false,
      });
    }
  }

  /** Called by the Settler, to be told of changes. */
  onDirty(dirty: () => void): void {
    this.#dirty = dirty;
  }

  /** `checkpoint` is called after each commit, with what was committed. */
  onCommitted(checkpoint: (settlement: Settlement) => void): void {
    this.#checkpoint = checkpoint;
  }

  consumer(name: string): Readonly<ConsumerState> {
    return this.#consumer(name);
  }

  #consumer(name: string): ConsumerState {
    let consumer = this.#consumers.get(name);
    if (!consumer) {
      const progress = noProgress(this.runId);
      consumer = {
        ...settledKeys([]),
        uncommitted: new Map(),
        state: null,
        progress,
        recent: null,
        changed: false,
      };
      this.#consumers.set(name, consumer);
    }
    return consumer;
  }

  /**
   * Messages settled but not yet acknowledged, and the bytes of dead letters and of records put off and the idempotency
   * keys that are not yet stored: bounds what may pile up.
   */
  get unsettled(): { readonly messages: number; readonly deadLetterBytes: number; readonly keys: number } {
    return { messages: this.#messages.length, deadLetterBytes: this.#deadLetterBytes, keys: this.#keys };
  }

  /** Enters what became of a message. It is acknowledged once that is committed. */
  settle(name: string, message: LogMessage, outcome: Outcome): void {
    const consumer = this.#consumer(name);
    const { progress } = consumer;
    const { kind } = message.header;
    this.#enter(consumer, outcome);
    const own = message.header.runId === this.runId;
    addOutcome((this.counts.ledger ??= noLedger()), outcome, own);
    const [lowest, highest] = consumer.recent ?? [message.sequence, message.sequence];
    consumer.recent = [Math.min(lowest, message.sequence), Math.max(highest, message.sequence)];
    for (const letter of outcome.replayed ?? []) this.#replayed.push(letter);
    this.#schedule(outcome.retries ?? []);
    const { settled } = this.#consumer("steps");
    settleKey(consumer, message, (ingestSequence) => settled.has(ingestSequence));
    this.change(outcome.groups ?? []);
    consumer.uncommitted.set(messageKey(message), message.sequence);
    // What an earlier run left is settled here, and is no progress of this one.
    if (own) {
      consumer.progress = {
        runId: this.runId,
        batches: progress.batches + (kind === "records" ? 1 : 0),
        records: progress.records + message.header.count,
        accounted: progress.accounted + outcome.accounted,
        sent: added(progress.sent, outcome.sent),
        sequences: [progress.sequences?.[0] ?? message.sequence, message.sequence],
        // A tick may come behind the end.
        done: progress.done || kind === "end",
      };
    }
    this.#defer(consumer, outcome.retries?.length ?? 0);
    consumer.changed = true;
    const { ack, working } = message;
    const { header } = message;
    const span = this.#telemetry.tracing.start(
      "settle",
      { "sluice.consumer": name, "sluice.records": header.count },
      { parent: header.traceparent },
    );
    this.#messages.push({ consumer: name, key: messageKey(message), ack, working, span });
    this.touch();
  }

  /** Enters what became of records that were scheduled for a later try. */
  settleRetries(name: string, { tried, retries, ...outcome }: RetryOutcome): void {
    const consumer = this.#consumer(name);
    this.#enter(consumer, outcome);
    addRetries((this.counts.ledger ??= noLedger()), this.runId, { tried, retries, deadLetters: outcome.deadLetters });
    this.#schedule(retries);
    const again = new Set(retries.map(({ letter }) => letter.id));
    const done = tried.filter(({ letter }) => !again.has(letter.id));
    for (const { letter } of done) this.#retried.push(letter.id);
    // Of an earlier run's, it was not this one that put them off.
    const own = done.filter(({ letter }) => letter.runId === this.runId).length;
    this.#defer(consumer, -own);
    consumer.changed = true;
    this.touch();
  }

  #enter(consumer: ConsumerState, outcome: Pick<Outcome, "count" | "deadLetters" | "state" | "processed">): void {
    outcome.count(this.counts);
    for (const letter of outcome.deadLetters) this.#deadLetters.push(letter);
    this.#weigh(this.#letterSizes, outcome.deadLetters);
    if (outcome.state !== undefined) consumer.state = outcome.state;
    for (const processed of outcome.processed ?? []) {
      this.#processed.push(processed);
      this.#keys += processed.keys.length;
    }
  }

  #defer(consumer: ConsumerState, more: number): void {
    if (more === 0) return;
    const { progress } = consumer;
    consumer.progress = { ...progress, deferred: (progress.deferred ?? 0) + more };
  }

  #schedule(retries: readonly ScheduledRetry[]): void {
    for (const retry of retries) this.#retries.push(retry);
    const letters = retries.map(({ letter }) => letter);
    this.#weigh(this.#retrySizes, letters);
  }

  /** What follows one another of one record shares its texts. */
  #weigh(sizes: number[], letters: readonly NewDeadLetter[]): void {
    let last: NewDeadLetter | undefined;
    for (const letter of letters) {
      const { raw, state, attempts } = letter;
      const texts = (raw === last?.raw ? 0 : raw.length) + (state === last?.state ? 0 : (state?.length ?? 0));
      const size = attempts.reduce((sum, { message }) => sum + message.length, texts);
      sizes.push(size);
      this.#deadLetterBytes += size;
      last = letter;
    }
  }

  /** Windows that changed; committed with what is settled next. */
  change(groups: readonly StoredGroup[]): void {
    for (const group of groups) this.#groups.set(JSON.stringify([group.step, group.key]), group);
  }

  /** Tells the log that what waits for its commit is worked on, so that it is not delivered again. */
  working(name: string): void {
    for (const { consumer, working } of this.#messages) if (consumer === name) working();
  }

  setWaiting(reason: string | null): void {
    if (this.waiting === reason) return;
    this.waiting = reason;
    this.touch();
  }

  /** The range of sequences settled by a consumer since the last call; null where there were none. */
  sinceChecked(name: string): ConsumerState["recent"] {
    const consumer = this.#consumer(name);
    const { recent } = consumer;
    consumer.recent = null;
    return recent;
  }

  /** Asks for a commit although nothing was settled: it tells whether this is still the owner (invariant 5). */
  touch(): void {
    this.#generation++;
    this.#dirty();
  }

  /** Undefined where a commit that began after `since` found this run to be the owner; else the next one does, or rejects. */
  owned(since: number): Promise<void> | undefined {
    if (this.#ownedAt >= since) return undefined;
    this.touch();
    return this.flushed();
  }

  /** Resolves when all that was settled before this call is committed; rejects when the ledger is closed before. */
  flushed(): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed.error);
    if (this.#committed >= this.#generation) return Promise.resolve();
    const generation = this.#generation;
    return new Promise((resolve, reject) => this.#waiters.push({ generation, resolve, reject }));
  }

  snapshot(): Snapshot {
    const checkpoints: Checkpoint[] = [];
    for (const [consumer, { settled, parts, versions, state, progress, changed }] of this.#consumers) {
      if (!changed) continue;
      const stored: StoredProgress = {
        ...progress,
        ...(parts.size > 0 && { parts: storedParts(parts) }),
        ...(versions.bounds.length > 0 && { versions: storedVersions(versions) }),
      };
      checkpoints.push({ consumer, settled: [...settled.bounds], state, progress: stored as unknown as Json });
    }
    return {
      settlement: {
        integrationId: this.integrationId,
        epoch: this.epoch,
        run: {
          id: this.runId,
          counts: structuredClone(this.counts),
          waiting: this.waiting,
          ...(this.series && { series: this.series }),
        },
        checkpoints,
        deadLetters: [...this.#deadLetters],
        groups: [...this.#groups.values()],
        ...(this.#ends && { ends: this.#ends() }),
        ...(this.#replayed.length > 0 && { replayed: [...this.#replayed] }),
        ...(this.#retries.length > 0 && { retries: [...this.#retries] }),
        ...(this.#retried.length > 0 && { retried: [...this.#retried] }),
        ...(this.#processed.length > 0 && {
          processed: this.#processed.map(({ destination, keys }) => ({ destination, keys })),
        }),
      },
      messages: [...this.#messages],
      generation: this.#generation,
    };
  }

  /** The snapshot is durable: its messages are acknowledged now. `begun`: when its commit began. */
  committed(snapshot: Snapshot, begun: number): void {
    this.#committed = snapshot.generation;
    if (this.series === snapshot.settlement.run?.series) this.series = undefined;
    this.#ownedAt = begun;
    const letters = this.#deadLetters.splice(0, snapshot.settlement.deadLetters.length);
    this.#replayed.splice(0, snapshot.settlement.replayed?.length ?? 0);
    const retries = this.#retries.splice(0, snapshot.settlement.retries?.length ?? 0);
    this.#retried.splice(0, snapshot.settlement.retried?.length ?? 0);
    for (const size of this.#letterSizes.splice(0, letters.length)) this.#deadLetterBytes -= size;
    for (const size of this.#retrySizes.splice(0, retries.length)) this.#deadLetterBytes -= size;
    if (letters.length > 0) logDeadLetters(this.#telemetry.logger, this.#telemetry.integration, letters);
    this.#messages.splice(0, snapshot.messages.length);
    for (const { keys, stored } of this.#processed.splice(0, snapshot.settlement.processed?.length ?? 0)) {
      this.#keys -= keys.length;
      stored();
    }
    for (const group of snapshot.settlement.groups) {
      const id = JSON.stringify([group.step, group.key]);
      if (this.#groups.get(id) === group) this.#groups.delete(id);
    }
    for (const { consumer, key, ack, span } of snapshot.messages) {
      span.end();
      this.#consumer(consumer).uncommitted.delete(key);
      // Where this fails it is delivered again, and known.
      ack().catch(() => {});
    }
    const due = this.#waiters.filter(({ generation }) => generation <= snapshot.generation);
    this.#waiters = this.#waiters.filter(({ generation }) => generation > snapshot.generation);
    for (const { resolve } of due) resolve();
    this.#checkpoint(snapshot.settlement);
  }

  /** Nothing more of this ledger is committed: a later owner has it, or the node stops. */
  close(error: unknown): void {
    this.#closed ??= { error };
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }
}

function added(
  counts: Readonly<Record<string, number>>,
  more: ReadonlyMap<string, number> | undefined,
): Readonly<Record<string, number>> {
  if (!more || more.size === 0) return counts;
  const sum: Record<string, number> = { ...counts };
  for (const [name, count] of more) sum[name] = (own(sum, name) ?? 0) + count;
  return sum;
}
