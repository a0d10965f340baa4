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
import { lostCall, misbehaves, recordFailureOf } from "./failure.ts";

/** A plugin in use: it is not ended before it is released. */
export interface PluginLease {
  readonly client: ConnectorServiceClient;
  /** May be called again. */
  release(): void;
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
  { stream, mode, cursorField, from, batch, endless = false, signal }: SourceOptions,
): Promise<Source> {
  const call: ClientDuplexStream<ReadRequest, ReadResponse> = lease.client.read();
  call.once("status", lease.release);
  const cancel = () => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  const arrived = new Arrivals<ReadBatch>();
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
    try {
      if (response?.$case === "opened") opened.resolve();
      if (response?.$case !== "batch") return;
      const taken = batchOf(response.value, plugin);
      if (taken.count > credit) throw misbehaves(plugin, `sent ${taken.count} records with credit for ${credit}`);
      credit -= taken.count;
      arrived.push(taken);
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

/** What has arrived and is not taken yet, for one reader. */
class Arrivals<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake = () => {};

  push(item: T): void {
    this.#items.push(item);
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

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      if (this.#items.length > 0) yield this.#items.shift() as T;
      else if (this.#end && "error" in this.#end) throw this.#end.error;
      else if (this.#end) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

function batchOf(response: ReadBatchMessage, plugin: string): ReadBatch {
  const { records, cursor, base, offset, ordinals, failures } = response;
  const { data = Buffer.alloc(0), count = 0 } = records ?? {};
  if (textsIn(data) !== count && !(count === 0 && data.length === 0)) {
    throw misbehaves(plugin, `sent ${textsIn(data)} records and says that they are ${count}`);
  }
  if (ordinals.length > 0 && ordinals.length !== count) {
    throw misbehaves(plugin, `sent ${ordinals.length} ordinals for ${count} records`);
  }
  return {
    data,
    count,
    cursor: parsed(cursor, plugin),
    position: { base, offset: Number(offset), ...(ordinals.length > 0 && { ordinals: ordinals.map(Number) }) },
    ...(failures.length > 0 && {
      failures: failures.map(({ index, failure, raw }) => {
        if (index >= count) throw misbehaves(plugin, `says that record ${index} of ${count} failed`);
        return { ...recordFailureOf(index, failure), raw };
      }),
    }),
  };
}

function textsIn(data: Uint8Array): number {
  let texts = 1;
  for (let at = data.indexOf(lf); at >= 0; at = data.indexOf(lf, at + 1)) texts++;
  return texts;
}

function parsed(cursor: string, plugin: string): Json {
  try {
    return JSON.parse(cursor) as Json;
  } catch {
    throw misbehaves(plugin, "sent a cursor that is no JSON");
  }
}
