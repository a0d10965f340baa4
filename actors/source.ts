import { hash } from "node:crypto";
import { fromEvent, lastValueFrom, mergeMap, takeUntil } from "rxjs";
import type { Source } from "../connectors/sdk/index.ts";
import { type Actor, backoffMs, type Context } from "../runtime/actor/index.ts";
import type { ResolvedSource } from "../runtime/config/index.ts";
import { failureOf, type RetryPolicy, runError, within } from "../runtime/delivery/index.ts";
import { SluiceError } from "../runtime/errors/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import { type Log, type SourcePosition, StaleOwnerError } from "../runtime/ports/log.ts";
import type { Space } from "../runtime/ports/space.ts";
import type { RunError, RunRow } from "../runtime/ports/store.ts";
import type { Tracing } from "../runtime/ports/telemetry.ts";
import { Credit, fromPull } from "../runtime/stream/index.ts";
import type { Backlog } from "./backlog.ts";
import type { Connectors } from "./connectors.ts";
import { type Intake, sourceSubject } from "./intake.ts";
import type { SourceBatch } from "./replay-source.ts";
import { sourceName } from "./source-name.ts";
import { StoredCursors } from "./stored-cursors.ts";

export interface SourceOptions {
  readonly run: RunRow;
  readonly source: ResolvedSource;
  readonly log: Log;
  readonly backlog: Backlog;
  readonly connectors: Pick<Connectors, "source">;
  readonly retry: RetryPolicy;
  /** For one batch, in milliseconds: a source that gives nothing for longer is taken to hang. */
  readonly timeoutMs: number;
  readonly tracing: Tracing;
  readonly space: Space;
  /** Shared by the run's sources. */
  readonly intake: Intake;
  readonly waiting: (reason: string | null) => void;
  /** So many records of the run are in the log. */
  readonly appended: (records: number) => void;
}

/** A batch as it was read, and the span of its reading. */
interface Read extends SourceBatch {
  readonly traceparent: string | undefined;
}

/** Aim of a batch in the log: larger messages slow the log's consumers down. */
const batch = { records: 500, bytes: 100_000 };
/** What may be on its way to the log at once. */
const credit = { records: 8_000, bytes: 2_000_000 };
/** What a source that was read, or given up, may take to close. */
const closeMs = 5_000;
/** A source that cannot even be opened is given up soon, one that has begun only after the retry policy. */
const openAttempts = 3;

/**
 * Reads a source into the ingest log. The cursor is appended in the same message as the records (invariant 1), so that
 * the log itself says where to go on after a crash.
 */
export class SourceActor implements Actor<never> {
  readonly #options: SourceOptions;

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  started(ctx: Context<never>): void {
    ctx.run((signal) => this.#read(ctx, signal));
  }

  receive(): void {}

  async #read(ctx: Context<never>, signal: AbortSignal): Promise<void> {
    const { retry, waiting, intake, source, appended } = this.#options;
    appended(intake.totals.records);
    for (let attempt = 1; ; attempt++) {
      const from = intake.position(source);
      if (from.ended) return;
      try {
        await this.#readFrom(from, ctx.clock, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        // Invariant 5: the log has another owner now. Nothing is wrong with the source.
        if (error instanceof StaleOwnerError) throw error;
        const failure = failureOf(error);
        if (intake.position(source).batches > from.batches) attempt = 1;
        const settled = failure.fault !== "transient" && failure.code !== "UNAVAILABLE" && failure.code !== "TIMEOUT";
        const attempts = intake.position(source).batches > 0 ? retry.maxAttempts : openAttempts;
        if (settled || attempt >= attempts) return this.#end(runError(failure), ctx.clock, signal);
        waiting(failure.message);
        await ctx.clock.sleep(failure.retryAfterMs ?? backoffMs(retry, attempt, ctx.clock.random), signal);
      }
    }
  }

  async #readFrom(from: SourcePosition, clock: Clock, signal: AbortSignal): Promise<void> {
    const { connectors, source, waiting } = this.#options;
    const { stream, mode, cursorField } = source;
    // Of this reading: what hangs is aborted, and read anew.
    const reading = new AbortController();
    const limited = <T>(work: () => Promise<T>) => this.#limited(work, reading, clock, signal);
    const ends = AbortSignal.any([signal, reading.signal]);
    const options = { stream, mode, cursorField, from: from.cursor, batch, signal: ends };
    const opened = await limited(() => connectors.source(source.connector, options));
    waiting(null);
    try {
      await this.#appendAll(opened, limited, clock, signal);
      await this.#end(undefined, clock, signal);
    } finally {
      await left(() => opened.close(), clock);
    }
  }

  /** Rejects with TIMEOUT where the source does not answer in time, and aborts the reading. */
  async #limited<T>(work: () => Promise<T>, reading: AbortController, clock: Clock, signal: AbortSignal): Promise<T> {
    const { timeoutMs } = this.#options;
    let late = false;
    try {
      return await within(timeoutMs, { clock, signal }, (limit) => {
        limit.addEventListener("abort", () => {
          late = !signal.aborted;
          reading.abort(limit.reason);
        });
        return work();
      });
    } catch (error) {
      if (!late) throw error;
      throw new SluiceError("TIMEOUT", `the source gave nothing for ${timeoutMs / 1000} s (delivery.timeout.total)`);
    }
  }

  /** Appends the batches in the order they are read, several at a time. */
  async #appendAll(
    source: Source,
    limited: <T>(work: () => Promise<T>) => Promise<T>,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<void> {
    const { backlog, tracing, space, waiting } = this.#options;
    const batches: AsyncIterator<SourceBatch> = source.read()[Symbol.asyncIterator]();
    /** Room taken in the backlog for what is not in the log. */
    let reserved = 0;
    const pull = async (): Promise<Read | null> => {
      if (space.reason !== null) {
        waiting(space.reason);
        await space.available(signal);
        waiting(null);
      }
      const span = tracing.start("read", {});
      const next = await limited(() => batches.next()).catch((error: unknown) => {
        span.end(error);
        throw error;
      });
      if (next.done) return null;
      span.end(undefined, { "sluice.records": next.value.count });
      await backlog.take(next.value.data.length, signal);
      reserved += next.value.data.length;
      return { ...next.value, traceparent: span.traceparent };
    };
    const stored = new StoredCursors(source);
    const inFlight = new Set<Promise<void>>();
    const append = async (read: Read): Promise<void> => {
      if (read.count === 0) return;
      const done = this.#append(read, clock, signal).then(stored.appending(read.cursor));
      inFlight.add(done);
      await done.finally(() => inFlight.delete(done));
      reserved -= read.data.length;
    };
    const cost = ({ count, data }: SourceBatch) => ({ records: count, bytes: data.length });
    try {
      const appended = fromPull(pull, new Credit(credit), cost).pipe(
        mergeMap(({ value, release }) => append(value).finally(release)),
        takeUntil(fromEvent(signal, "abort")),
      );
      await lastValueFrom(appended, { defaultValue: undefined });
      signal.throwIfAborted();
    } finally {
      // Where the source failed, what it gave before is still on its way: the log's last cursor is known only then.
      await Promise.allSettled(inFlight);
      backlog.give(reserved);
      await left(async () => batches.return?.(), clock);
    }
  }

  async #append(read: Read, clock: Clock, signal: AbortSignal): Promise<void> {
    const { log, tracing, appended, intake, source } = this.#options;
    const span = tracing.start("append", { "sluice.records": read.count }, read.traceparent);
    const { batches, records } = intake.position(source);
    intake.advance(source, { cursor: read.cursor, batches: batches + 1, records: records + read.count, ended: false });
    const { position, count, data: body, failures, replay } = read;
    const { traceparent } = span;
    const header = {
      ...intake.header("records", source, clock.now()),
      position,
      count,
      ...(traceparent && { traceparent }),
      ...(replay && { replay }),
    };
    const { records: total } = header.totals;
    try {
      await log.append(sourceSubject, { header, body, ...(failures && { failures }) }, { id: this.#id() }, signal);
      span.end();
      appended(total);
    } catch (error) {
      span.end(error);
      throw error;
    }
  }

  /** The last one that comes to its end ends the run. */
  async #end(error: RunError | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
    const { log, run, intake, source } = this.#options;
    if (!intake.end(source, error)) return;
    const header = intake.header("end", source, clock.now());
    await log.append(sourceSubject, { header, body: new Uint8Array() }, { id: `${run.id}:end` }, signal);
  }

  /** Of run, source, place, cursor and count: a batch that is read again differently is another one. */
  #id(): string {
    const { run, source, intake } = this.#options;
    const { batches, cursor, records } = intake.position(source);
    return `${run.id}:${batches}:${hash("md5", JSON.stringify([sourceName(source), cursor, records]), "hex")}`;
  }
}

/** What hangs may not even close: it is left behind then. */
async function left(close: () => Promise<unknown>, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(closeMs, resolve);
  await Promise.race([close(), promise]).finally(cancel);
}
