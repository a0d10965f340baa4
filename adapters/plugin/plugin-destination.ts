import type { ClientDuplexStream } from "@grpc/grpc-js";
import type {
  Destination,
  DestinationOptions,
  Json,
  DestinationMode as ModeName,
  WriteBatch,
  WriteResult,
} from "../../connectors/sdk/index.ts";
import {
  DestinationMode,
  type WriteOpened,
  type WriteRequest,
  type WriteResponse,
  type WriteResult as WriteResultMessage,
} from "../../proto/gen/sluice/connector/v1/connector.ts";
import { callErrorOf, durationOf, errorOf, recordFailureOf } from "./failure.ts";
import { misbehaves, type PluginCall } from "./plugin-source.ts";

const modes: { readonly [M in ModeName]: DestinationMode } = {
  append: DestinationMode.DESTINATION_MODE_APPEND,
  upsert: DestinationMode.DESTINATION_MODE_UPSERT,
  replace: DestinationMode.DESTINATION_MODE_REPLACE,
};
const concurrencyMax = 64;

interface Open {
  readonly records: number;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Writes through a plugin. Resolves once the plugin has opened the stream. */
export async function pluginDestination(
  open: () => ClientDuplexStream<WriteRequest, WriteResponse>,
  { plugin, instance }: PluginCall,
  options: DestinationOptions,
): Promise<Destination> {
  const call = open();
  const opened = Promise.withResolvers<WriteOpened>();
  const waiting = new Map<bigint, Open>();
  let ended: unknown;
  let lastId = 0n;

  const fail = (error: unknown) => {
    ended ??= error;
    opened.reject(error);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const ask = (request: (id: bigint) => NonNullable<WriteRequest["request"]>, records: number, signal?: AbortSignal) =>
    new Promise<WriteResult>((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      const id = ++lastId;
      waiting.set(id, { records, resolve, reject });
      // The answer to one that was given up is of no interest, but must be the only one.
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      call.write({ request: request(id) });
    });

  call.on("error", (error) => fail(callErrorOf(error as never, plugin)));
  call.on("end", () => fail(misbehaves(plugin, "ended the call")));
  call.on("data", ({ response }: WriteResponse) => {
    if (response?.$case === "opened") return opened.resolve(response.value);
    if (response?.$case !== "result") return;
    const { id } = response.value;
    const open = waiting.get(id);
    if (open === undefined) {
      call.cancel();
      return fail(misbehaves(plugin, `answered batch ${id}, which waits for no answer`));
    }
    waiting.delete(id);
    try {
      open.resolve(resultOf(response.value, open.records, plugin));
    } catch (error) {
      open.reject(error);
    }
  });
  const cancel = () => call.cancel();
  options.signal.addEventListener("abort", cancel, { once: true });

  const { stream, mode, key, runId, state, timeout, owner, idempotencyWindowMs } = options;
  call.write({
    request: {
      $case: "open",
      value: {
        instance,
        stream,
        mode: modes[mode],
        key: [...key],
        runId,
        state: state === null ? "" : JSON.stringify(state),
        owner: owner && { ...owner, epoch: BigInt(owner.epoch) },
        idempotencyWindow: idempotencyWindowMs === undefined ? undefined : durationOf(idempotencyWindowMs),
        connectTimeout: timeout && durationOf(timeout.connectMs),
        readTimeout: timeout && durationOf(timeout.readMs),
      },
    },
  });
  const { concurrency, dedupes, warnings } = await opened.promise;
  return {
    concurrency: Math.min(concurrencyMax, Math.max(1, concurrency)),
    ...(dedupes && { dedupes }),
    warnings,
    write: (batch) => ask((id) => ({ $case: "batch", value: batchOf(id, batch) }), batch.records.length, batch.signal),
    complete: async () => {
      await ask((id) => ({ $case: "complete", value: { id } }), 0);
    },
    close: async () => {
      options.signal.removeEventListener("abort", cancel);
      ended ??= new Error("the destination was closed");
      // What is under way is over; the plugin closes its own end.
      if (waiting.size > 0) call.cancel();
      else call.end();
    },
  };
}

function batchOf(id: bigint, { records, keys = [], ordered = false }: WriteBatch) {
  return {
    id,
    records: { data: Buffer.from(records.map(({ text }) => text).join("\n")), count: records.length },
    ids: records.map((record) => record.id),
    keys: [...keys],
    ordered,
    timeout: undefined,
  };
}

function resultOf({ failed, failure, state }: WriteResultMessage, records: number, plugin: string): WriteResult {
  if (failure) throw errorOf(failure, plugin);
  const seen = new Set<number>();
  const failures = failed.map(({ index, failure: why }) => {
    if (index >= records) throw misbehaves(plugin, `says that record ${index} of ${records} failed`);
    if (seen.has(index)) throw misbehaves(plugin, `says twice what became of record ${index}`);
    seen.add(index);
    return recordFailureOf(index, why);
  });
  return {
    ...(failures.length > 0 && { failed: failures }),
    ...(state !== "" && { state: JSON.parse(state) as Json }),
  };
}
