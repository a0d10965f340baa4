import { hash } from "node:crypto";
import { fromEvent, lastValueFrom, mergeMap, takeUntil } from "rxjs";
import type { ReadFailure } from "../connectors/sdk/index.ts";
import { type Actor, backoffMs, type Context } from "../runtime/actor/index.ts";
import type { ResolvedSource } from "../runtime/config/index.ts";
import { failureOf, type RetryPolicy, runError, within } from "../runtime/delivery/index.ts";
import { clipped, SluiceError } from "../runtime/errors/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import {
  type BatchHeader,
  headerBytesMax,
  type Log,
  type SourcePosition,
  StaleOwnerError,
} from "../runtime/ports/log.ts";
import type { Space } from "../runtime/ports/space.ts";
import type { RunError, RunRow } from "../runtime/ports/store.ts";
import { gathered, inSpan, type SpanOrigin, type Tracing } from "../runtime/ports/telemetry.ts";
import { Credit, fromPull } from "../runtime/stream/index.ts";
import type { Backlog } from "./backlog.ts";
import type { Connectors } from "./connectors.ts";
import { type Intake, sourceSubject } from "./intake.ts";
import { type KeptReadings, Reading } from "./reading.ts";
import type { SourceBatch } from "./replay-source.ts";
import { sourceName } from "./source-name.ts";
import { untilAborted } from "./until-aborted.ts";
import { untilReady } from "./until-ready.ts";

export interface SourceOptions {
  readonly run: RunRow;
  readonly source: ResolvedSource;
  readonly log: Log;
  readonly backlog: Backlog;
  readonly connectors: Pick<Connectors, "source" | "plugin">;
  readonly retry: RetryPolicy;
  /** For one batch, in milliseconds: a source that gives nothing for longer is taken to hang. The first may take longer. */
  readonly timeoutMs: number;
  readonly tracing: Tracing;
  readonly space: Space;
  /** Shared by the run's sources. */
  readonly intake: Intake;
  readonly waiting: (reason: string | null) => void;
  /** So many records of the run are in the log. */
  readonly appended: (records: number) => void;
  /** The source says that there is nothing new. */
  readonly quiet: (now: number) => void;
  /** The source has no end. Left out: it is read until its end. */
  readonly endless?: Endless | undefined;
}

/** Of a run whose sources have no end. */
export interface Endless {
  /** Aborts when the run is to end: the next one goes on from there. A source that is given up ends it for all. */
  readonly cut: AbortController;
  /** What stays open for it. */
  readonly kept: KeptReadings;
}

/** A batch as it was read, and what its way begins with. */
interface Read extends SourceBatch {
  readonly origin: SpanOrigin;
}

/** Aim of a batch in the log: larger messages slow the log's consumers down. */
const batch = { records: 500, bytes: 100_000 };
/** What may be on its way to the log at once. */
const credit = { records: 8_000, bytes: 2_000_000 };
/** What a reading's first answer may take, unless `timeoutMs` is longer; later ones of the run twice what the first took. */
const firstAnswerMs = 600_000;
/** A source that cannot even be opened is given up soon, one that has begun only after the retry policy. */
const openAttempts = 3;
/** A source without an end is never given up, and tried at least this often unless it asks for more patience. */
const endlessPauseMs = 30_000;

/**
 * Reads a source into the ingest log. The cursor is appended in the same message as the records (invariant 1), so that
 * the log itself says where to go on after a crash.
 */
export class SourceActor implements Actor<never> {
  readonly #options: SourceOptions;

  /** For the first answer of a reading: a query may take long before it gives anything, and as long when it is repeated. */
  #firstMs: number;
  /** What the source says of itself, with what it gave last. */
  #notice: string | null = null;
  /** Who is at fault where nothing comes. */
  #who = "the source";

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#firstMs = options.endless ? options.timeoutMs : Math.max(options.timeoutMs, firstAnswerMs);
  }

  started(ctx: Context<never>): void {
    ctx.run((signal) => this.#read(ctx, signal));
  }

  receive(): void {}

  async #read(ctx: Context<never>, signal: AbortSignal): Promise<void> {
    const { retry, waiting, intake, source, appended, endless } = this.#options;
    const until = endless ? AbortSignal.any([signal, endless.cut.signal]) : signal;
    appended(intake.totals.records);
    for (let attempt = 1; ; attempt++) {
      const from = intake.position(source);
      if (from.ended) return;
      try {
        await this.#readFrom(from, ctx.clock, signal, until);
        if (!endless || until.aborted) return await this.#end(undefined, ctx.clock, signal);
        throw new SluiceError("UNAVAILABLE", "the source ended, although it is read without an end");
      } catch (error) {
        signal.throwIfAborted();
        // Invariant 5: the log has another owner now. Nothing is wrong with the source.
        if (error instanceof StaleOwnerError) throw error;
        // What is wrong with the source the next run finds out.
        if (until.aborted) return this.#end(undefined, ctx.clock, signal);
        const failure = failureOf(error);
        const hasBegun = intake.position(source).batches > 0;
        if (intake.position(source).batches > from.batches) attempt = 1;
        // What it was let in with before may have been replaced: each try takes what there is then.
        const denied = hasBegun && (failure.code === "UNAUTHORIZED" || failure.code === "FORBIDDEN");
        const passing = failure.fault === "transient" || failure.code === "UNAVAILABLE" || failure.code === "TIMEOUT";
        const settled = !passing && !denied;
        const attempts = hasBegun ? retry.maxAttempts : openAttempts;
        const givenUp = endless ? failure.code === "VALIDATION_ERROR" : settled || attempt >= attempts;
        if (givenUp && !failure.notReady) {
          endless?.cut.abort(error);
          return this.#end(runError(failure), ctx.clock, signal);
        }
        waiting(failure.message);
        const pauseMs = backoffMs(retry, attempt, ctx.clock.random);
        const atMostMs = endless ? endlessPauseMs : Number.POSITIVE_INFINITY;
        await ctx.clock.sleep(failure.retryAfterMs ?? Math.min(pauseMs, atMostMs), until).catch(() => {});
      }
    }
  }

  async #readFrom(from: SourcePosition, clock: Clock, signal: AbortSignal, until: AbortSignal): Promise<void> {
    const { source, waiting, endless } = this.#options;
    const name = sourceName(source);
    const kept = await endless?.kept.take(name, from.cursor, clock);
    const open = () => this.#open(from, clock, until);
    const reading = kept ?? (await untilReady(open, { clock, signal: until, waiting }));
    const stop = () => reading.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    this.#notice = null;
    waiting(null);
    let goesOn = false;
    try {
      await this.#appendAll(reading, clock, signal, until);
      goesOn = endless !== undefined && until.aborted;
    } finally {
      signal.removeEventListener("abort", stop);
      if (goesOn && !signal.aborted) endless?.kept.keep(name, reading);
      // What it gave is in the log, or it said before what is wrong: how it closes changes nothing of that.
      else await reading.close(clock).catch(() => {});
    }
  }

  async #open(from: SourcePosition, clock: Clock, until: AbortSignal): Promise<Reading> {
    const { connectors, source, endless, run, tracing } = this.#options;
    const { stream, mode, cursorField } = source;
    // Of this reading: what hangs is aborted, and read anew.
    const aborter = new AbortController();
    const span = tracing.start("open", {}, { parent: run.correlation?.traceparent });
    const correlation = inSpan(run.correlation, span);
    const place = { stream, mode, cursorField, from: from.cursor, batch };
    const options = { ...place, correlation, ...(endless && { endless: true }) };
    const abort = (reason: unknown) => aborter.abort(reason);
    const stop = () => abort(until.reason);
    const opening = connectors.source(source.connector, { ...options, signal: aborter.signal });
    until.addEventListener("abort", stop, { once: true });
    connectors.plugin?.(source.connector).then(
      (plugin) => {
        this.#who = plugin === undefined ? "the source" : `the source in plugin ${plugin}`;
      },
      () => {},
    );
    try {
      const opened = await this.#limited(this.#options.timeoutMs, () => opening, abort, clock, until);
      span.end();
      return new Reading(opened, from.cursor, aborter);
    } catch (error) {
      span.end(error);
      abort(error);
      // One that opens all the same is of no use any more.
      opening.then((late) => late.close()).catch(() => {});
      throw error;
    } finally {
      until.removeEventListener("abort", stop);
    }
  }

  /** Rejects with TIMEOUT where the source does not answer in time, and aborts the reading. */
  async #limited<T>(
    ms: number,
    work: () => Promise<T>,
    abort: (reason: unknown) => void,
    clock: Clock,
    until: AbortSignal,
  ): Promise<T> {
    let late = false;
    try {
      return await within(ms, { clock, signal: until }, (limit) => {
        limit.addEventListener("abort", () => {
          late = !until.aborted;
          if (late) abort(limit.reason);
        });
        return work();
      });
    } catch (error) {
      if (!late) throw error;
      throw new SluiceError("TIMEOUT", `${this.#who} gave nothing for ${ms / 1000} s (delivery.timeout.total)`);
    }
  }

  /** Appends the batches in the order they are read, several at a time, until the source ends or is to rest. */
  async #appendAll(reading: Reading, clock: Clock, signal: AbortSignal, until: AbortSignal): Promise<void> {
    const { backlog, tracing, space, waiting, quiet, timeoutMs, run } = this.#options;
    const begun = clock.now();
    /** Room taken in the backlog for what is not in the log. */
    let reserved = 0;
    const next = async (): Promise<IteratorResult<SourceBatch>> => {
      if (space.reason !== null) {
        waiting(space.reason);
        await space.available(until);
        waiting(this.#notice);
      }
      return this.#limited(
        reading.answered ? timeoutMs : this.#firstMs,
        () => untilAborted(until, reading.next()),
        (reason) => reading.abort(reason),
        clock,
        until,
      );
    };
    const pull = async (): Promise<Read | null> => {
      if (until.aborted) return null;
      const origin = { parent: run.correlation?.traceparent, since: clock.now() };
      let read: IteratorResult<SourceBatch>;
      try {
        read = await next();
      } catch (error) {
        if (until.aborted) return null;
        tracing.start("read", {}, origin).end(error);
        throw error;
      }
      if (!reading.answered) this.#firstMs = Math.max(timeoutMs, 2 * (clock.now() - begun));
      reading.took();
      const said = read.done ? undefined : read.value.notice;
      const notice = said === undefined ? null : clipped(said);
      if (notice !== this.#notice) {
        this.#notice = notice;
        waiting(notice);
      }
      if (read.done) return null;
      const { count, data, cursor, correlations } = read.value;
      if (count === 0) quiet(clock.now());
      else reading.cursor = cursor;
      await backlog.take(data.length, signal);
      reserved += data.length;
      // What was sent is not read: its way began with the requests that brought it.
      if (correlations) return { ...read.value, origin: gathered(correlations.map((each) => each?.traceparent)) };
      const span = tracing.start("read", { "sluice.records": count }, origin);
      if (count > 0) span.end();
      return { ...read.value, origin: { parent: span.traceparent } };
    };
    const inFlight = new Set<Promise<void>>();
    const append = async (read: Read): Promise<void> => {
      if (read.count === 0) return;
      const done = this.#append(read, clock, signal).then(reading.stored.appending(read.cursor));
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
    }
  }

  async #append(read: Read, clock: Clock, signal: AbortSignal): Promise<void> {
    const { log, tracing, appended, intake, source } = this.#options;
    const span = tracing.start("append", { "sluice.records": read.count }, read.origin);
    const before = intake.position(source);
    const { batches, records } = before;
    intake.advance(source, { cursor: read.cursor, batches: batches + 1, records: records + read.count, ended: false });
    const { position, count, data: body, failures, replay, hooks, correlations } = read;
    const { traceparent } = span;
    const header = {
      ...intake.header("records", source, clock.now()),
      position,
      count,
      ...(traceparent && { traceparent }),
      ...(replay && { replay }),
      ...(hooks && { hooks }),
      ...(correlations && { correlations }),
    };
    const { records: total } = header.totals;
    try {
      // In the log it would be a hole, behind which nothing may land.
      const tooLarge = this.#tooLarge(header);
      if (tooLarge) {
        intake.advance(source, before);
        throw tooLarge;
      }
      await log.append(
        sourceSubject,
        { header, body, ...(failures && { failures: failures.map(bounded) }) },
        { id: this.#id() },
        signal,
      );
      span.end();
      appended(total);
    } catch (error) {
      span.end(error);
      throw error;
    }
  }

  /** What is wrong with a batch whose place does not fit into its header: the same would be read again. */
  #tooLarge(header: BatchHeader): SluiceError | undefined {
    const { cursor, position, sources, hooks, replay: _replay, correlations: _correlations, ...rest } = header;
    const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
    const bytes = bytesOf({ ...rest, cursor, sources, ids: hooks?.ids, base: position.base });
    if (bytes <= headerBytesMax) return undefined;
    const { connector, stream } = this.#options.source;
    const others = sources ? `, its header with those of the run's other sources ${bytes}` : `, its header ${bytes}`;
    const message = `connector ${connector} gave a batch of ${stream} with a cursor of ${bytesOf(cursor)} bytes${others}: it may have ${headerBytesMax}`;
    return new SluiceError("VALIDATION_ERROR", message);
  }

  /** The last one that comes to its end ends the run. */
  async #end(error: RunError | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
    const { log, run, intake, source, waiting } = this.#options;
    // Others may be read on: it is waited for no more.
    waiting(null);
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

const bounded = (failure: ReadFailure): ReadFailure => ({ ...failure, message: clipped(failure.message) });
