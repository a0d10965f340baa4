import type { ClientDuplexStream } from "@grpc/grpc-js";
import type { Json, ReadBatch, Source, SourceOptions } from "../../connectors/sdk/index.ts";
import {
  type ConnectorServiceClient,
  type Instance,
  type ReadBatch as ReadBatchMessage,
  type ReadRequest,
  type ReadResponse,
  SourceMode,
} from "../../proto/gen/sluice/connector/v1/connector.ts";
import { failedOf, jsonOf, lostCall, misbehaves, recordFailureOf } from "./failure.ts";
import { metadataOf } from "./grpc.ts";

/** A plugin in use: it is not ended before it is released. */
export interface PluginLease {
  readonly client: ConnectorServiceClient;
  /** May be called again. */
  release(): void;
  /** It has just sent something: it does not hang. */
  heard?(): void;
  /** How its program ended just now, by itself; undefined where it lives, runs elsewhere or was asked to end. */
  died(): Promise<string | undefined>;
}

/** Batches that may be on their way from the plugin. */
const batchesAhead = 4;
const lf = 10;

export interface PluginCall {
  readonly plugin: string;
  readonly instance: Instance;
}

/**
 * Reads from a plugin: it sends no more than it has credit for, or is ended for it. Resolves once the plugin has opened
 * the stream.
 */
export async function pluginSource(
  lease: PluginLease,
  { plugin, instance, endless: isTold }: PluginCall & { readonly endless: boolean },
  { stream, mode, cursorField, from, batch, endless = false, correlation, signal }: SourceOptions,
): Promise<Source> {
  const call: ClientDuplexStream<ReadRequest, ReadResponse> = lease.client.read(metadataOf(correlation));
  call.once("status", lease.release);
  const cancel = () => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  const bytesMax = batchesAhead * batch.bytes;
  // Credit is counted in records: how large they are, and what has none, is bounded here.
  const arrived = new Arrivals(
    (bytes) => bytes > bytesMax && call.pause(),
    (bytes) => bytes <= bytesMax && call.isPaused() && call.resume(),
  );
  const opened = Promise.withResolvers<void>();
  const fail = (error: unknown) => {
    opened.reject(error);
    arrived.fail(error);
  };
  let credit = 0;
  const give = (records: number) => {
    credit += records;
    call.write({ request: { $case: "credit", value: { records } } });
  };
  // Counted when it arrives, whenever it is taken: what has no credit is never held.
  call.on("data", ({ response }: ReadResponse) => {
    lease.heard?.();
    try {
      if (response?.$case === "opened") opened.resolve();
      if (response?.$case !== "batch") return;
      const taken = batchOf(response.value, plugin);
      if (taken.count > credit) throw misbehaves(plugin, `sent ${taken.count} records with credit for ${credit}`);
      credit -= taken.count;
      arrived.push(taken, response.value.cursor.length);
    } catch (error) {
      fail(error);
      cancel();
    }
  });
  // What fails also ends: that is no end of the stream.
  let broken = false;
  call.on("error", (error) => {
    broken = true;
    void lostCall(error as never, plugin, lease).then(fail);
  });
  call.on("end", () => {
    if (broken) return;
    opened.reject(misbehaves(plugin, "ended the call before it had opened the stream"));
    arrived.end();
  });
  const value = {
    instance,
    stream,
    mode: mode === "full" ? SourceMode.SOURCE_MODE_FULL : SourceMode.SOURCE_MODE_INCREMENTAL,
    cursorField: cursorField ?? "",
    cursor: from === null ? "" : JSON.stringify(from),
    batchRecords: batch.records,
    batchBytes: batch.bytes,
    endless,
  };
  call.write({ request: { $case: "open", value } });
  const close = async () => {
    signal.removeEventListener("abort", cancel);
    cancel();
  };
  try {
    await opened.promise;
  } catch (error) {
    await close();
    signal.throwIfAborted();
    throw error;
  }

  async function* read(): AsyncGenerator<ReadBatch> {
    give(batchesAhead * batch.records);
    try {
      for await (const taken of arrived) {
        yield taken;
        if (taken.count > 0) give(taken.count);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }
  const stored = (cursor: Json) => {
    call.write({ request: { $case: "stored", value: { cursor: JSON.stringify(cursor) } } });
  };
  return { read, close, ...(isTold && { stored }) };
}

/** A batch, and what it takes in memory, about. */
interface Arrived {
  readonly batch: ReadBatch;
  readonly bytes: number;
}

/** What has arrived and is not taken yet, for one reader. */
class Arrivals implements AsyncIterable<ReadBatch> {
  readonly #items: Arrived[] = [];
  readonly #pushed: (bytes: number) => void;
  readonly #taken: (bytes: number) => void;
  #bytes = 0;
  #end: { readonly error?: unknown } | undefined;
  #wake = () => {};

  /** Both are told how many bytes are held then. */
  constructor(pushed: (bytes: number) => void, taken: (bytes: number) => void) {
    this.#pushed = pushed;
    this.#taken = taken;
  }

  push(batch: ReadBatch, cursorBytes: number): void {
    const last = this.#items.at(-1);
    // Of batches that only tell of a place the last one says it all.
    if (batch.count === 0 && last?.batch.count === 0) this.#bytes -= (this.#items.pop() as Arrived).bytes;
    const raw = (batch.failures ?? []).reduce((sum, failure) => sum + failure.raw.length + failure.message.length, 0);
    const bytes = batch.data.length + 2 * cursorBytes + raw;
    this.#items.push({ batch, bytes });
    this.#bytes += bytes;
    this.#pushed(this.#bytes);
    this.#wake();
  }

  end(): void {
    this.#end ??= {};
    this.#wake();
  }

  /** After what has arrived before. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ReadBatch> {
    for (;;) {
      if (this.#items.length > 0) {
        const { batch, bytes } = this.#items.shift() as Arrived;
        this.#bytes -= bytes;
        this.#taken(this.#bytes);
        yield batch;
      } else if (this.#end && "error" in this.#end) throw this.#end.error;
      else if (this.#end) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

function batchOf(response: ReadBatchMessage, plugin: string): ReadBatch {
  const { records, cursor, base, offset, ordinals, failures, notice } = response;
  const { data = Buffer.alloc(0), count = 0 } = records ?? {};
  if (textsIn(data) !== count && !(count === 0 && data.length === 0)) {
    throw misbehaves(plugin, `sent ${textsIn(data)} records and says that they are ${count}`);
  }
  if (ordinals.length > 0 && ordinals.length !== count) {
    throw misbehaves(plugin, `sent ${ordinals.length} ordinals for ${count} records`);
  }
  const shared = repeatedIn(ordinals);
  if (shared !== undefined) throw misbehaves(plugin, `gave two records of a batch the ordinal ${shared}`);
  return {
    data,
    count,
    cursor: jsonOf(cursor, "a cursor", plugin),
    position: positionOf(base, offset, ordinals, count),
    ...(failures.length > 0 && {
      failures: failedOf(failures, count, "record", plugin).map(({ index, failure, raw }) => ({
        ...recordFailureOf(index, failure),
        raw,
      })),
    }),
    ...(notice !== "" && { notice }),
  };
}

/** A number that two of them are: both records would have one id, and one would be taken for the other. */
function repeatedIn(ordinals: readonly bigint[]): bigint | undefined {
  // As a rule they ascend.
  if (ordinals.every((each, at) => at === 0 || each > (ordinals[at - 1] as bigint))) return undefined;
  const seen = new Set<bigint>();
  return ordinals.find((each) => seen.size === seen.add(each).size);
}

const longest = BigInt(Number.MAX_SAFE_INTEGER);

/** Numbers of 64 bits: those that a double does not hold are told in digits. */
function positionOf(base: string, offset: bigint, given: readonly bigint[], count: number): ReadBatch["position"] {
  const isLong = given.length === 0 && offset + BigInt(count) > longest;
  const ordinals = isLong ? Array.from({ length: count }, (_, index) => offset + BigInt(index)) : given;
  return {
    base,
    offset: offset > longest ? 0 : Number(offset),
    ...(ordinals.length > 0 && { ordinals: ordinals.map((each) => (each > longest ? String(each) : Number(each))) }),
  };
}

function textsIn(data: Uint8Array): number {
  let texts = 1;
  for (let at = data.indexOf(lf); at >= 0; at = data.indexOf(lf, at + 1)) texts++;
  return texts;
}
