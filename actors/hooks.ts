import { randomUUID } from "node:crypto";
import type { Cursor, Source, SourceOptions } from "../connectors/sdk/index.ts";
import type { ResolvedIntegration, ResolvedSource } from "../runtime/config/index.ts";
import { RetryLaterError } from "../runtime/errors/index.ts";
import { decodeHooks, type HookRecord, hookAsk, Outcome, rivalId, SeenIds, sizeOf } from "../runtime/hooks/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { Log } from "../runtime/ports/log.ts";
import type { Owners } from "../runtime/ports/owners.ts";
import { sourceSubject } from "./intake.ts";
import type { SourceBatch } from "./replay-source.ts";

/** What records that were sent are known by in the log. */
const hookSource: ResolvedSource = { connector: "", stream: "hooks", mode: "incremental", cursorField: undefined };

/** What is sent to an integration is its source (decision 0027). */
export function withHooks(integration: ResolvedIntegration): ResolvedIntegration {
  return integration.trigger.type === "webhook" ? { ...integration, sources: [hookSource] } : integration;
}

export interface HookOptions {
  readonly integrationId: string;
  readonly owners: Pick<Owners, "serve" | "maxBytes">;
  readonly log: Pick<Log, "beyond" | "headers">;
  readonly clock: Clock;
  /** For so long after it was signed, and before, a request is valid. */
  readonly toleranceMs: number;
}

/** What may wait for the log: more is refused, to come again. */
const atMost = { records: 5_000, bytes: 16 * 1024 * 1024 };
/** Of a batch with the headers of its records; less where nats-server takes no message of twice as much. */
const mostAtOnce = 512 * 1024;
/** A batch gathers what comes while two are on their way to the log: one would leave the disk idle in between. */
const onTheirWay = 2;
/** How soon whoever was refused may come again. */
const againMs = 1_000;
/** A source that waits on purpose says so. */
const idleMs = 1_000;

/** One request of a node, with records of many senders. */
interface Ask {
  readonly outcomes: Uint8Array;
  left: number;
  /** Nobody waits any more. */
  gone: boolean;
  readonly resolve: (outcomes: Uint8Array) => void;
}

interface Waiting {
  readonly record: HookRecord;
  readonly ask: Ask;
  readonly index: number;
  /** The same, sent again before this one is in the log. */
  again: Waiting[] | undefined;
}

/**
 * The records that are sent to an integration, as a source that its owner reads: a node that has some asks the owner to
 * take them, and has its answer once they are in the log. What comes while an append is under way goes into the next.
 */
export async function openHooks(
  { integrationId, owners, log, clock, toleranceMs }: HookOptions,
  { from, batch, signal }: Pick<SourceOptions, "from" | "batch" | "signal">,
): Promise<Source> {
  // Signed as far ahead as is allowed, it stays valid for twice as long.
  const windowMs = 2 * toleranceMs;
  const seen = new SeenIds(windowMs, clock.now());
  const older = await log.beyond({ bytes: Number.POSITIVE_INFINITY, ageMs: windowMs });
  for await (const { header } of log.headers([sourceSubject], older + 1)) {
    const ids = header.hooks?.ids ?? "";
    for (let at = 0; at < ids.length; at += idLength) seen.add(ids.slice(at, at + idLength), clock.now());
  }
  // A log that was lost begins to count anew: the ids of records must not.
  const base = `hooks ${randomUUID()}`;
  let count = (from as number | null) ?? 0;
  let queue: Waiting[] = [];
  let queued = 0;
  let closed = false;
  const appending: { readonly cursor: Cursor; readonly records: readonly Waiting[] }[] = [];
  /** By their ids, those that are not in the log yet. */
  const pending = new Map<string, Waiting>();
  let wake = () => {};

  const settle = (waiting: Waiting, outcome: number): void => {
    const { ask, index, record, again } = waiting;
    ask.outcomes[index] = outcome;
    if (record.id !== null && pending.get(record.id) === waiting) {
      pending.delete(record.id);
      if (outcome === Outcome.stored) seen.add(record.id, clock.now());
    }
    if (--ask.left === 0) ask.resolve(ask.outcomes);
    for (const each of again ?? []) settle(each, outcome === Outcome.stored ? Outcome.duplicate : outcome);
  };

  const serve = (request: Uint8Array, given: AbortSignal): Promise<Uint8Array> => {
    const records = decodeHooks(request);
    if (closed) throw new RetryLaterError("the integration is on its way to another node", againMs);
    if (
      queue.length > 0 &&
      (queue.length + records.length > atMost.records || queued + request.length > atMost.bytes)
    ) {
      throw new RetryLaterError("the integration's log takes no more for now", againMs);
    }
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    const ask: Ask = { outcomes: new Uint8Array(records.length), left: records.length, gone: false, resolve };
    given.addEventListener("abort", () => {
      ask.gone = true;
    });
    if (records.length === 0) resolve(ask.outcomes);
    for (const [index, record] of records.entries()) {
      const waiting: Waiting = { record, ask, index, again: undefined };
      const { id } = record;
      // Taken as one record or as several, it is the same request.
      const ids = id === null ? [] : [id, rivalId(id)];
      const before = ids.map((each) => pending.get(each)).find((each) => each !== undefined);
      if (before) (before.again ??= []).push(waiting);
      else if (ids.some((each) => seen.has(each))) settle(waiting, Outcome.duplicate);
      else {
        if (id !== null) pending.set(id, waiting);
        queue.push(waiting);
        queued += record.text.length;
      }
    }
    wake();
    return promise;
  };

  /** What fits into a batch; what nobody waits for any more is left out, unless another waits for the same. */
  const take = (): SourceBatch => {
    const records: Waiting[] = [];
    let bytes = 0;
    let withHeaders = 0;
    const atOnceBytes = Math.min(mostAtOnce, owners.maxBytes / 2);
    let taken = 0;
    for (const waiting of queue) {
      const { length } = waiting.record.text;
      const size = sizeOf(waiting.record);
      const isFull =
        records.length >= batch.records || bytes + length > batch.bytes || withHeaders + size > atOnceBytes;
      if (records.length > 0 && isFull) break;
      taken++;
      queued -= length;
      if (waiting.ask.gone && !waiting.again?.some(({ ask }) => !ask.gone)) settle(waiting, Outcome.refused);
      else {
        records.push(waiting);
        bytes += length + 1;
        withHeaders += size;
      }
    }
    queue = queue.slice(taken);
    const position = { base, offset: count };
    count += records.length;
    if (records.length > 0) appending.push({ cursor: count, records });
    return { ...joined(records.map(({ record }) => record)), count: records.length, cursor: count, position };
  };

  const end = owners.serve(integrationId, hookAsk, serve);
  const stop = () => {
    closed = true;
    end();
    for (const waiting of [...appending.splice(0).flatMap(({ records }) => records), ...queue]) {
      settle(waiting, Outcome.refused);
    }
    queue = [];
    wake();
  };
  signal.addEventListener("abort", stop, { once: true });

  return {
    async *read(): AsyncGenerator<SourceBatch> {
      while (!closed) {
        if (queue.length === 0 || appending.length >= onTheirWay) {
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          const cancel = clock.after(idleMs, resolve);
          await promise.finally(cancel);
          const isIdle = queue.length === 0 || appending.length >= onTheirWay;
          if (isIdle && !closed)
            yield { data: new Uint8Array(), count: 0, cursor: count, position: { base, offset: count } };
          if (isIdle) continue;
        }
        // Together with what comes in this turn.
        await new Promise(setImmediate);
        if (!closed) yield take();
      }
    },
    stored(cursor) {
      const upTo = appending.findIndex((each) => each.cursor === cursor);
      for (const { records } of appending.splice(0, upTo + 1)) {
        for (const waiting of records) settle(waiting, Outcome.stored);
      }
      wake();
    },
    async close() {
      signal.removeEventListener("abort", stop);
      if (!closed) stop();
    },
  };
}

/** 12 bytes in base64. */
const idLength = 16;
const lf = Buffer.from("\n");

function joined(records: readonly HookRecord[]): Pick<SourceBatch, "data" | "hooks" | "correlations"> {
  const parts = records.flatMap(({ text }, index) => (index === 0 ? [text] : [lf, text]));
  const ids = records.map(({ id }) => id ?? "").join("");
  const headers = records.some(({ headers }) => headers !== null) ? records.map(({ headers }) => headers) : undefined;
  return {
    data: Buffer.concat(parts),
    hooks: { ...(ids !== "" && { ids }), ...(headers && { headers }) },
    correlations: records.map(({ correlation }) => correlation),
  };
}
