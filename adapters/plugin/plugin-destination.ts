import { setTimeout as sleep } from "node:timers/promises";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import type {
  Destination,
  DestinationOptions,
  DestinationMode as ModeName,
  WriteBatch,
  WriteResult,
} from "../../connectors/sdk/index.ts";
import type { Duration } from "../../proto/gen/google/protobuf/duration.ts";
import {
  DestinationMode,
  type Instance,
  type WriteOpen,
  type WriteOpened,
  type WriteRequest,
  type WriteResponse,
  type WriteResult as WriteResultMessage,
} from "../../proto/gen/sluice/connector/v1/connector.ts";
import { Fault } from "../../proto/gen/sluice/record/v1/record.ts";
import {
  durationOf,
  errorOf,
  failedOf,
  jsonOf,
  lostCall,
  misbehaves,
  PluginError,
  recordFailureOf,
} from "./failure.ts";
import { messageBytes, metadataOf } from "./grpc.ts";
import type { PluginCall, PluginLease } from "./plugin-source.ts";
import { PoisonWatch } from "./poison.ts";

const modes: { readonly [M in ModeName]: DestinationMode } = {
  append: DestinationMode.DESTINATION_MODE_APPEND,
  upsert: DestinationMode.DESTINATION_MODE_UPSERT,
  replace: DestinationMode.DESTINATION_MODE_REPLACE,
};
const concurrencyMax = 64;
/** One that was aborted may still be answered for so long, before its call is cancelled: the host waits for a second. */
const lateMs = 900;
/** What is cancelled ends within a second, says the contract: nothing is written before that. */
const endMs = 1_000;

/** It was under way in a call that was cancelled for another write: nothing is known of it. */
class CallGivenUp extends Error {}

interface Open {
  readonly records: number;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes through a plugin. Resolves once the plugin has opened the stream. Where the plugin dies, or breaks the contract,
 * what is under way fails, and the next write opens the stream anew, with the state of the last that was confirmed.
 */
export async function pluginDestination(
  plugin: { lease(signal: AbortSignal): Promise<PluginLease> },
  of: PluginCall,
  options: DestinationOptions,
): Promise<Destination> {
  let { state } = options;
  let closed = false;
  let opening: Promise<WriteCall> | undefined;
  const open = async (after?: WriteCall) => {
    if (after?.givenUpAt !== undefined) await sleep(after.givenUpAt + endMs - performance.now());
    return WriteCall.open(await plugin.lease(options.signal), of, { ...options, state });
  };
  let current = await open();
  const live = async (): Promise<WriteCall> => {
    if (!current.ended || closed) return current;
    opening ??= open(current).finally(() => {
      opening = undefined;
    });
    current = await opening;
    return current;
  };
  const { concurrency, dedupes, warnings } = current.opened;
  const watch = new PoisonWatch(plugin, of.plugin);
  return {
    concurrency: Math.min(concurrencyMax, Math.max(1, concurrency)),
    ...(dedupes && { dedupes }),
    warnings,
    write: async (batch) => {
      let call: WriteCall | undefined;
      const write = async () => {
        for (;;) {
          call = current.ended ? await live() : current;
          // One that was left behind meanwhile must not land behind what came after it.
          batch.signal.throwIfAborted();
          try {
            return await call.write(batch);
          } catch (error) {
            if (!(error instanceof CallGivenUp) || closed) throw error;
          }
        }
      };
      // A write that was given up says nothing, nor does one that never began.
      const hasDied = () => call?.ended === true && call.givenUpAt === undefined && !closed && !batch.signal.aborted;
      const result = await watch.write(batch, write, hasDied);
      if (result.state !== undefined) state = result.state;
      return result;
    },
    complete: async () => (await live()).complete(),
    close: async () => {
      closed = true;
      current.close();
    },
  };
}

/** One call of Write. */
class WriteCall {
  readonly opened: WriteOpened;
  readonly #call: ClientDuplexStream<WriteRequest, WriteResponse>;
  readonly #waiting: Map<bigint, Open>;
  readonly #plugin: string;
  readonly #totalMs: number | undefined;
  readonly #timeout: Duration | undefined;
  #error: unknown;
  #lastId = 0n;
  /** When it was cancelled because of a write that took too long, as `performance.now` has it. */
  givenUpAt: number | undefined;

  private constructor(
    call: ClientDuplexStream<WriteRequest, WriteResponse>,
    opened: WriteOpened,
    waiting: Map<bigint, Open>,
    plugin: string,
    totalMs: number | undefined,
  ) {
    this.#call = call;
    this.#totalMs = totalMs;
    this.#timeout = totalMs === undefined ? undefined : durationOf(totalMs);
    this.opened = opened;
    this.#waiting = waiting;
    this.#plugin = plugin;
  }

  static async open(
    lease: PluginLease,
    { plugin, instance }: PluginCall,
    options: DestinationOptions,
  ): Promise<WriteCall> {
    const call: ClientDuplexStream<WriteRequest, WriteResponse> = lease.client.write(metadataOf(options.correlation));
    const opened = Promise.withResolvers<WriteOpened>();
    const waiting = new Map<bigint, Open>();
    let made: WriteCall | undefined;
    let failure: unknown;
    const cancel = () => call.cancel();
    const fail = (error: unknown) => {
      failure ??= error;
      opened.reject(error);
      made?.fail(error);
    };
    const totalMs = options.timeout?.totalMs;
    call.once("status", () => {
      options.signal.removeEventListener("abort", cancel);
      lease.release();
    });
    // What fails also ends: the failure says why.
    let broken = false;
    call.on("error", (error) => {
      broken = true;
      void lostCall(error as never, plugin, lease).then(fail);
    });
    call.on("end", () => broken || fail(misbehaves(plugin, "ended the call")));
    call.on("data", ({ response }: WriteResponse) => {
      lease.heard?.();
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
    options.signal.addEventListener("abort", cancel, { once: true });
    call.write({ request: { $case: "open", value: openOf(instance, options) } });
    const first = await inTime(opened.promise, totalMs, () => {
      const error = late(plugin, "did not open the stream", totalMs);
      // What it says after this is of no interest.
      fail(error);
      call.cancel();
      return error;
    });
    made = new WriteCall(call, first, waiting, plugin, totalMs);
    // It may have failed in the same packet.
    if (failure !== undefined) made.fail(failure);
    return made;
  }

  get ended(): boolean {
    return this.#error !== undefined;
  }

  fail(error: unknown): void {
    this.#error ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  async write(batch: WriteBatch): Promise<WriteResult> {
    const value = batchOf(batch);
    const bytes = value.records.data.length + 200 * batch.records.length;
    if (bytes > messageBytes) {
      const what = batch.records.length === 1 ? "a record" : "a batch";
      const message = `${what} of ${value.records.data.length} bytes is more than plugin ${this.#plugin} takes in a message`;
      throw new PluginError("VALIDATION_ERROR", message, { fault: "record" });
    }
    return this.#ask(
      (id) => ({ $case: "batch", value: { id, ...value, timeout: this.#timeout } }),
      batch.records.length,
      batch.signal,
    );
  }

  /** One that takes too long is asked again in a call of its own: what it had begun is over then. */
  async complete(): Promise<void> {
    const answered = this.#ask((id) => ({ $case: "complete", value: { id } }), 0);
    await inTime(answered, this.#totalMs, () => {
      this.#giveUp();
      return late(this.#plugin, "did not complete the run", this.#totalMs);
    });
  }

  close(): void {
    const ended = this.ended;
    const busy = this.#waiting.size > 0;
    this.fail(new Error("the destination was closed"));
    // What is under way is over; the plugin closes its own end.
    if (busy) this.#call.cancel();
    else if (!ended) this.#call.end();
  }

  #ask(request: (id: bigint) => NonNullable<WriteRequest["request"]>, records: number, signal?: AbortSignal) {
    return new Promise<WriteResult>((resolve, reject) => {
      if (this.#error !== undefined) return reject(this.#error);
      const id = ++this.#lastId;
      let late: NodeJS.Timeout | undefined;
      // One that heeds the batch's timeout answers in time; one that does not may not go on behind later writes.
      const abort = () => {
        late = setTimeout(() => {
          reject(signal?.reason);
          this.#giveUp();
        }, lateMs);
      };
      const settled = () => {
        clearTimeout(late);
        signal?.removeEventListener("abort", abort);
      };
      this.#waiting.set(id, {
        records,
        resolve: (result) => {
          settled();
          resolve(result);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      signal?.addEventListener("abort", abort, { once: true });
      this.#call.write({ request: request(id) });
    });
  }

  /** The protocol cancels no single batch: all that is under way is over, and what was not aborted is written again. */
  #giveUp(): void {
    this.givenUpAt = performance.now();
    this.fail(new CallGivenUp(`a write through plugin ${this.#plugin} took too long, and its call was cancelled`));
    this.#call.cancel();
  }
}

/** Rejects with what `tooLate` makes once `ms` are over; without them it is waited for without end. */
function inTime<T>(work: Promise<T>, ms: number | undefined, tooLate: () => Error): Promise<T> {
  if (ms === undefined) return work;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(tooLate()), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

const late = (plugin: string, what: string, ms = 0) =>
  new PluginError("TIMEOUT", `plugin ${plugin} ${what} within ${ms / 1000} s (delivery.timeout.total)`);

function openOf(instance: Instance, options: DestinationOptions): WriteOpen {
  const { stream, mode, key, runId, state, timeout, owner, idempotencyWindowMs } = options;
  return {
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
  };
}

function batchOf({ records, keys = [], ordered = false, correlation }: WriteBatch) {
  return {
    records: { data: Buffer.from(records.map(({ text }) => text).join("\n")), count: records.length },
    ids: records.map((record) => record.id),
    keys: [...keys],
    ordered,
    traceparent: correlation?.traceparent ?? "",
    requestId: correlation?.requestId ?? "",
  };
}

function resultOf({ failed, failure, state }: WriteResultMessage, records: number, plugin: string): WriteResult {
  if (failure) throw errorOf(failure, plugin);
  const told = failedOf(failed, records, "record", plugin);
  // The destination's own fault is no record's, and no attempt of one.
  const isLeft = ({ failure: why }: (typeof told)[number]) => why?.fault === Fault.FAULT_DESTINATION;
  const left = told.filter(isLeft);
  const [first] = left;
  if (first?.failure && left.length === records) throw errorOf(first.failure, plugin);
  const failures = told.filter((each) => !isLeft(each)).map(({ index, failure: why }) => recordFailureOf(index, why));
  return {
    ...(failures.length > 0 && { failed: failures }),
    ...(left.length > 0 && { left: left.map(({ index }) => index) }),
    ...(state !== "" && { state: jsonOf(state, "a state", plugin) }),
  };
}
