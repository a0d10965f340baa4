import { hash } from "node:crypto";
import { fromEvent, lastValueFrom, mergeMap, takeUntil } from "rxjs";
import type { Cursor, ReadBatch, Source } from "../connectors/sdk/index.ts";
import { type Actor, backoffMs, type Context } from "../runtime/actor/index.ts";
import type { ResolvedSource } from "../runtime/config/index.ts";
import { failureOf, type RetryPolicy, runError } from "../runtime/delivery/index.ts";
import { type BatchHeader, type Log, StaleOwnerError } from "../runtime/ports/log.ts";
import type { Space } from "../runtime/ports/space.ts";
import type { RunError, RunRow } from "../runtime/ports/store.ts";
import type { Tracing } from "../runtime/ports/telemetry.ts";
import { Credit, fromPull } from "../runtime/stream/index.ts";
import type { Backlog } from "./backlog.ts";
import type { Connectors } from "./connectors.ts";
import { sourceName } from "./source-name.ts";
import { untilAborted } from "./until-aborted.ts";

export const sourceSubject = "r.0";

export interface SourceOptions {
  readonly run: RunRow;
  readonly source: ResolvedSource;
  readonly log: Log;
  readonly backlog: Backlog;
  readonly connectors: Connectors;
  readonly retry: RetryPolicy;
  readonly tracing: Tracing;
  readonly space: Space;
  /** The copy of the cursor, for a log that has none. */
  readonly savedCursor: () => Promise<Cursor | null>;
  readonly waiting: (reason: string | null) => void;
  /** So many records of the run are in the log. */
  readonly appended: (records: number) => void;
}

/** A batch as it was read, and the span of its reading. */
interface Read extends ReadBatch {
  readonly traceparent: string | undefined;
}

/** Aim of a batch in the log: larger messages slow the log's consumers down. */
const batch = { records: 500, bytes: 100_000 };
/** What may be on its way to the log at once. */
const credit = { records: 8_000, bytes: 2_000_000 };
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
    const { retry, waiting } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const from = await this.#position(signal);
      this.#options.appended(from.totals.records);
      if (from.ended) return;
      const progress = { made: false };
      try {
        await this.#readFrom(from, progress, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        // Invariant 5: the log has another owner now. Nothing is wrong with the source.
        if (error instanceof StaleOwnerError) throw error;
        const failure = failureOf(error);
        if (progress.made) attempt = 1;
        const settled = failure.fault !== "transient" && failure.code !== "UNAVAILABLE" && failure.code !== "TIMEOUT";
        const attempts = from.totals.batches > 0 || progress.made ? retry.maxAttempts : openAttempts;
        if (settled || attempt >= attempts) {
          await this.#end(await this.#position(signal), runError(failure), signal);
          return;
        }
        waiting(failure.message);
        await ctx.clock.sleep(failure.retryAfterMs ?? backoffMs(retry, attempt, ctx.clock.random), signal);
      }
    }
  }

  /** Where the log says that this run stands. */
  async #position(signal: AbortSignal): Promise<Position> {
    const { log, run, source, savedCursor } = this.#options;
    const last = await untilAborted(signal, log.last(sourceSubject));
    if (last?.runId === run.id) return { cursor: last.cursor, totals: last.totals, ended: last.kind === "end" };
    const fresh = { totals: { batches: 0, records: 0 }, ended: false };
    if (source.mode === "full") return { ...fresh, cursor: null };
    // What the cursor belongs to is part of it: another stream or cursor field begins anew.
    if (last?.source === sourceName(source)) return { ...fresh, cursor: last.cursor };
    return { ...fresh, cursor: last ? null : await savedCursor() };
  }

  async #readFrom(from: Position, progress: { made: boolean }, signal: AbortSignal): Promise<void> {
    const { connectors, source, waiting } = this.#options;
    const { stream, mode, cursorField } = source;
    const opened = await connectors.source(source.connector, {
      stream,
      mode,
      cursorField,
      from: from.cursor,
      batch,
      signal,
    });
    waiting(null);
    try {
      const last = await this.#appendAll(opened, from, progress, signal);
      await this.#end(last, undefined, signal);
    } finally {
      await opened.close();
    }
  }

  /** Appends the batches in the order they are read, several at a time. */
  async #appendAll(
    source: Source,
    from: Position,
    progress: { made: boolean },
    signal: AbortSignal,
  ): Promise<Position> {
    const { backlog, tracing, space, waiting } = this.#options;
    const batches = source.read()[Symbol.asyncIterator]();
    /** Room taken in the backlog for what is not in the log. */
    let reserved = 0;
    const pull = async (): Promise<Read | null> => {
      if (space.reason !== null) {
        waiting(space.reason);
        await space.available(signal);
        waiting(null);
      }
      const span = tracing.start("read", {});
      const next = await batches.next().catch((error: unknown) => {
        span.end(error);
        throw error;
      });
      if (next.done) return null;
      span.end(undefined, { "sluice.records": next.value.count });
      await backlog.take(next.value.data.length, signal);
      reserved += next.value.data.length;
      return { ...next.value, traceparent: span.traceparent };
    };
    let position = from;
    const inFlight = new Set<Promise<void>>();
    const append = async (read: Read): Promise<void> => {
      if (read.count === 0) return;
      const totals = { batches: position.totals.batches + 1, records: position.totals.records + read.count };
      position = { cursor: read.cursor, totals, ended: false };
      const done = this.#append(position, read, signal);
      inFlight.add(done);
      await done.finally(() => inFlight.delete(done));
      reserved -= read.data.length;
      progress.made = true;
    };
    const cost = ({ count, data }: ReadBatch) => ({ records: count, bytes: data.length });
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
      await batches.return?.();
    }
    return position;
  }

  async #append(position: Position, read: Read, signal: AbortSignal): Promise<void> {
    const { log, tracing, appended } = this.#options;
    const span = tracing.start("append", { "sluice.records": read.count }, read.traceparent);
    const header = this.#header("records", position, read, span.traceparent);
    const logged = { header, body: read.data, ...(read.failures && { failures: read.failures }) };
    try {
      await log.append(sourceSubject, logged, { id: this.#id(position) }, signal);
      span.end();
      appended(position.totals.records);
    } catch (error) {
      span.end(error);
      throw error;
    }
  }

  async #end(position: Position, error: RunError | undefined, signal: AbortSignal): Promise<void> {
    const header = { ...this.#header("end", position), ...(error && { error }) };
    const id = `${this.#options.run.id}:end`;
    await this.#options.log.append(sourceSubject, { header, body: new Uint8Array() }, { id }, signal);
  }

  #header(
    kind: BatchHeader["kind"],
    { cursor, totals }: Position,
    read?: ReadBatch,
    traceparent?: string,
  ): BatchHeader {
    const { run, source } = this.#options;
    return {
      kind,
      runId: run.id,
      integrationVersion: run.integrationVersion,
      stream: source.stream,
      source: sourceName(source),
      count: read?.count ?? 0,
      cursor,
      position: read?.position ?? { base: "", offset: 0 },
      ingestedAt: Date.now(),
      totals,
      ...(traceparent && { traceparent }),
    };
  }

  /** Of run, place, cursor and count: a batch that is read again differently is another one. */
  #id({ totals, cursor }: Position): string {
    return `${this.#options.run.id}:${totals.batches}:${hash("md5", JSON.stringify([cursor, totals.records]), "hex")}`;
  }
}

interface Position {
  readonly cursor: Cursor | null;
  readonly totals: { readonly batches: number; readonly records: number };
  readonly ended: boolean;
}
