import type {
  Correlation,
  DestinationMode,
  Json,
  JsonObject,
  OutRecord,
  WriteBatch,
  WriteResult,
} from "../connectors/sdk/index.ts";
import type { ResolvedDelivery, ResolvedDestination } from "../runtime/config/index.ts";
import {
  type Circuit,
  type Delivered,
  failureOf,
  Gate,
  Lanes,
  type Order,
  type Parcel,
  type RateLimit,
  within,
} from "../runtime/delivery/index.ts";
import { clipped } from "../runtime/errors/index.ts";
import { parseFieldPath } from "../runtime/mapping/index.ts";
import { groupKey } from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import { type BatchHeader, StaleOwnerError } from "../runtime/ports/log.ts";
import type { CheckpointStore } from "../runtime/ports/store.ts";
import type { SuspectStore } from "../runtime/ports/suspects.ts";
import {
  failedIn,
  inSpan,
  type Metrics,
  type SpanOrigin,
  type Tracing,
  withAttributes,
} from "../runtime/ports/telemetry.ts";
import { CarefulWrites } from "./careful-writes.ts";
import type { Connectors, OpenedDestination } from "./connectors.ts";
import { idempotencyKey } from "./idempotency-key.ts";
import type { Processed } from "./ledger.ts";
import { ProcessedKeys } from "./processed-keys.ts";
import { type Lives, mayBeFatal } from "./suspects.ts";
import type { Taps } from "./taps.ts";
import { untilAborted } from "./until-aborted.ts";
import type { ConsumerVitals } from "./vitals.ts";

export interface DestinationWriterOptions {
  readonly integration: string;
  readonly integrationId: string;
  readonly destination: ResolvedDestination;
  readonly delivery: ResolvedDelivery;
  readonly connectors: Connectors;
  readonly store: Pick<CheckpointStore, "processed" | "forgetProcessed">;
  readonly runId: string;
  /** Of the run. */
  readonly correlation?: Correlation | null | undefined;
  readonly epoch: number;
  readonly state: Json | null;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Who listens. */
  readonly taps?: Taps | undefined;
  readonly tracing: Tracing;
  readonly vitals: Pick<ConsumerVitals, "freshAt" | "latency" | "writing">;
  readonly signal: AbortSignal;
  readonly circuit: Circuit;
  readonly limit?: RateLimit | undefined;
  readonly suspects: SuspectStore;
  /** Of its consumer, where that counts no deliveries. */
  readonly lives?: Lives | undefined;
  /** As for `deliver`. */
  readonly putsOff?: (() => boolean) | undefined;
  readonly waiting: (reason: string | null) => void;
  /** Before a write, as for the gate, and before what was written is made visible. */
  readonly owned: () => Promise<void> | undefined;
  /** A later owner writes there. */
  readonly stale: (error: unknown) => void;
  /** What the destination cannot do as it should. */
  readonly warn: (warning: string) => void;
  /** The circuit has been open for `ms`, and longer than it should. */
  readonly openTooLong: (ms: number, reason: string) => void;
}

/** Where written records come from. */
interface Written extends Pick<Parcel, "cutFrom" | "failing" | "urgent"> {
  readonly header: Pick<BatchHeader, "ingestedAt" | "traceparent">;
  readonly bytes: number;
  /** Of its span; left out: what the header says. */
  readonly origin?: SpanOrigin | undefined;
  /** As of a log message. */
  readonly deliveries: number;
}

/** A destination opened for one run, with the retries, the waits and the measures around its writes. */
export class DestinationWriter {
  readonly #options: DestinationWriterOptions;
  readonly #opened: OpenedDestination;
  readonly #gate: Gate;
  readonly #lanes: Lanes;
  /** The destination keeps the keys itself. */
  readonly #keyOf: ((record: OutRecord) => string) | undefined;
  /** They are kept for it. Neither: nothing is remembered. */
  readonly #processed: ProcessedKeys | undefined;
  readonly #careful: CarefulWrites;

  private constructor(options: DestinationWriterOptions, opened: OpenedDestination, careful: CarefulWrites) {
    this.#options = options;
    this.#opened = opened;
    const { destination } = opened;
    const { delivery, putsOff, clock, signal, waiting } = options;
    this.#careful = careful;
    this.#gate = new Gate(options);
    this.#lanes = new Lanes(orderOf(delivery), {
      destination: { concurrency: destination.concurrency, write: (batch) => this.#request(batch) },
      connector: `connector ${options.destination.connector}`,
      batch: delivery.batch,
      retry: delivery.retry,
      putsOff,
      tracing: withAttributes(options.tracing, { "sluice.destination": options.destination.id }),
      clock,
      signal,
      gate: this.#gate,
      waiting,
    });
    const { key, windowMs } = delivery.idempotency;
    if (windowMs === null) return;
    const keyOf = idempotencyKey(key);
    const ordered = delivery.ordering !== "none";
    if (destination.dedupes) this.#keyOf = keyOf;
    else
      this.#processed = new ProcessedKeys({
        ...options,
        destination: options.destination.id,
        keyOf,
        windowMs,
        ordered,
        serial: destination.concurrency === 1,
      });
  }

  /** Waits while the destination cannot be reached; throws where its settings are wrong. */
  static async open(options: DestinationWriterOptions): Promise<DestinationWriter> {
    const { destination, connectors, integrationId, epoch, runId, correlation, tracing, state, signal } = options;
    const { timeout, idempotency } = options.delivery;
    const { id: destinationId, stream, key } = destination;
    const mode: DestinationMode = destination.mode;
    const careful = await CarefulWrites.open({ ...options, destination: destinationId, store: options.suspects });
    const span = tracing.start("open", { "sluice.destination": destinationId }, { parent: correlation?.traceparent });
    const opening = connectors.destination(destination.connector, {
      stream,
      mode,
      key,
      runId,
      state,
      owner: { integrationId, destinationId, epoch },
      ...(idempotency.windowMs !== null && { idempotencyWindowMs: idempotency.windowMs }),
      timeout,
      correlation: inSpan(correlation, span),
      signal,
    });
    opening.then(
      () => span.end(),
      (error) => span.end(error),
    );
    const opened = await opening.catch((error: unknown) => {
      throw isStale(error) ? new StaleOwnerError(error.message) : error;
    });
    for (const warning of opened.destination.warnings ?? []) options.warn(clipped(warning));
    return new DestinationWriter(options, opened, careful);
  }

  /** What has been delivered so often that a process may have died of it is written with care. */
  write(records: readonly OutRecord[], message: Written): Promise<Delivered & { readonly processed?: Processed }> {
    return mayBeFatal(message, this.#options.lives)
      ? this.#careful.during(() => this.#write(records, message))
      : this.#write(records, message);
  }

  async #write(
    records: readonly OutRecord[],
    message: Written,
  ): Promise<Delivered & { readonly processed?: Processed }> {
    const { integration, destination, metrics, tracing, clock, vitals } = this.#options;
    const { header } = message;
    vitals.writing.batches++;
    vitals.writing.records += records.length;
    const span = tracing.start(
      "deliver",
      { "sluice.destination": destination.id, "sluice.records": records.length },
      message.origin ?? { parent: header.traceparent },
    );
    try {
      const { cutFrom, failing, urgent } = message;
      const submit = (some: readonly OutRecord[], split = false) => {
        const bytes = Math.ceil((message.bytes * some.length) / records.length);
        return this.#lanes.submit({
          records: some,
          bytes,
          // The rest waits for it.
          ...(split ? { cutFrom: cutFrom ?? message, urgent: true } : { cutFrom, urgent }),
          failing,
          traceparent: span.traceparent,
        });
      };
      const delivered = await (this.#processed ? this.#processed.write(records, submit) : submit(records));
      const out = records.length - delivered.undelivered.length;
      const { taps, integrationId } = this.#options;
      taps?.of(integrationId)?.written(destination.id, records, delivered.undelivered);
      metrics.recordsOut(integration, destination.id, this.#opened.type, out);
      const now = clock.now();
      const seconds = (now - header.ingestedAt) / 1000;
      metrics.recordLatency(integration, destination.id, out, seconds);
      vitals.latency.add(out, seconds, now);
      if (out > 0) vitals.freshAt = now;
      span.end(undefined, failedIn(delivered.undelivered));
      return delivered;
    } catch (error) {
      span.end(error);
      throw error;
    } finally {
      vitals.writing.batches--;
      vitals.writing.records -= records.length;
    }
  }

  /** Its time is limited, and that of the notes around it is not: while the store is away it is waited for. */
  #request(batch: WriteBatch): Promise<WriteResult> {
    const { delivery, clock } = this.#options;
    const limit = this.#gate.further;
    const totalMs = this.#opened.destination.timesRequests ? undefined : delivery.timeout.totalMs;
    const write = () =>
      within(totalMs, { clock, signal: batch.signal }, (signal) =>
        this.#call({ ...batch, signal, ...(limit && { limit }) }),
      );
    return this.#careful.isNeeded(batch) ? this.#careful.write(batch, write) : write();
  }

  /** One write as the destination sees it: what is tried again counts again. */
  async #call(batch: WriteBatch): Promise<WriteResult> {
    const { integration, destination, metrics, stale, signal } = this.#options;
    const keyOf = this.#keyOf;
    let outcome: "ok" | "failed" = "failed";
    try {
      const result = await this.#opened.destination.write(keyOf ? { ...batch, keys: batch.records.map(keyOf) } : batch);
      if (!result.failed?.length && !result.left?.length) outcome = "ok";
      return result;
    } catch (error) {
      // One that was left behind is refused, too, once the next one has begun.
      if (!isStale(error) || batch.signal.aborted) throw error;
      // Invariant 5: no failure of these records, which another owner has in hand. This run ends here.
      stale(new StaleOwnerError(error.message));
      return await untilAborted(signal, new Promise<never>(() => {}));
    } finally {
      const { type: connectorType, provider } = this.#opened;
      const { id, stream } = destination;
      metrics.request(integration, { destination: id, endpoint: stream }, { connectorType, provider }, outcome);
    }
  }

  flush(): void {
    this.#lanes.flush();
  }

  /** The source came to its end and the last record is settled: a run that failed takes no file's place. Tried again until it succeeds: what was confirmed must become visible. */
  async complete(): Promise<void> {
    const { clock, signal, waiting, owned } = this.#options;
    for (let pauseMs = 500; ; pauseMs = Math.min(30_000, pauseMs * 2)) {
      try {
        await owned();
        await this.#opened.destination.complete();
        waiting(null);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (isStale(error)) throw new StaleOwnerError(error.message);
        waiting(failureOf(error).message);
        await clock.sleep(pauseMs, signal);
      }
    }
  }

  async close(): Promise<void> {
    this.#lanes.close(new Error(`destination ${this.#options.destination.id} was closed`));
    this.#gate.close();
    await this.#opened.destination.close();
  }
}

/** By its name: it may come from another copy of the SDK. */
function isStale(error: unknown): error is Error {
  return error instanceof Error && error.name === "StaleOwnerError";
}

function orderOf({ ordering, key }: ResolvedDelivery): Order {
  if (ordering !== "key") return ordering;
  const paths = key.map(parseFieldPath);
  // What is no object has none of the fields.
  return { key: ({ value }) => groupKey(value as JsonObject, paths) };
}
