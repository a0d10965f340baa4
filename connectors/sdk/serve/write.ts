import type { ServerDuplexStream } from "@grpc/grpc-js";
import {
  DestinationMode,
  type WriteBatch,
  type WriteOpen,
  type WriteRequest,
  type WriteResponse,
  type WriteResult,
} from "../../../proto/gen/sluice/connector/v1/connector.ts";
import { Fault } from "../../../proto/gen/sluice/record/v1/record.ts";
import type { Destination, DestinationMode as ModeName, OutRecord } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { parseExact } from "../exact.ts";
import type { Json } from "../json.ts";
import { currentCorrelation, within } from "../spans.ts";
import { callError, failureOf, millisecondsOf, thrown } from "./failure.ts";
import type { Instances } from "./instances.ts";

const modes = new Map<DestinationMode, ModeName>([
  [DestinationMode.DESTINATION_MODE_APPEND, "append"],
  [DestinationMode.DESTINATION_MODE_UPSERT, "upsert"],
  [DestinationMode.DESTINATION_MODE_REPLACE, "replace"],
]);

/** Serves one Write call. */
export function serveWrite(call: ServerDuplexStream<WriteRequest, WriteResponse>, instances: Instances): void {
  const aborter = new AbortController();
  const requests = new Queue<WriteRequest["request"]>();
  call.on("cancelled", () => {
    aborter.abort(new Error("the call was cancelled"));
    requests.end();
  });
  call.on("error", (error) => {
    aborter.abort(error);
    requests.end();
  });
  call.on("data", ({ request }: WriteRequest) => requests.push(request));
  call.on("end", () => requests.end());
  write(call, requests, instances, aborter.signal).then(
    () => call.end(),
    (error) => call.emit("error", callError(error)),
  );
}

async function write(
  call: ServerDuplexStream<WriteRequest, WriteResponse>,
  requests: AsyncIterable<WriteRequest["request"]>,
  instances: Instances,
  signal: AbortSignal,
): Promise<void> {
  const all = requests[Symbol.asyncIterator]();
  const first = (await all.next()).value as WriteRequest["request"];
  if (first?.$case !== "open") {
    throw new ConnectorError("VALIDATION_ERROR", "the first request must open a stream", { fault: "destination" });
  }
  await instances.use(first.value.instance, async (connector) => {
    if (!connector.openDestination) {
      throw new ConnectorError("VALIDATION_ERROR", "it is no destination", { fault: "destination" });
    }
    const destination = await connector.openDestination(optionsOf(first.value, signal));
    const { concurrency, dedupes = false, warnings = [] } = destination;
    call.write({ response: { $case: "opened", value: { concurrency, dedupes, warnings: [...warnings] } } });
    const answers = new Set<Promise<void>>();
    try {
      for (let next = await all.next(); !next.done; next = await all.next()) {
        const request = next.value as WriteRequest["request"];
        const answer = answerOf(request, destination, signal).then((value) => {
          if (value && !signal.aborted) call.write({ response: { $case: "result", value } });
        });
        answers.add(answer);
        void answer.finally(() => answers.delete(answer));
      }
      await Promise.all(answers);
    } finally {
      await destination.close();
    }
  });
}

async function answerOf(
  request: WriteRequest["request"],
  destination: Destination,
  signal: AbortSignal,
): Promise<WriteResult | undefined> {
  if (request?.$case !== "batch" && request?.$case !== "complete") return undefined;
  const { id } = request.value;
  try {
    if (request.$case === "complete") {
      await destination.complete();
      return { id, failed: [], failure: undefined, state: "" };
    }
    const batch = batchOf(request.value, signal);
    const { failed = [], left = [], state } = await within(batch.correlation, () => destination.write(batch));
    return {
      id,
      failed: [
        ...failed.map(({ index, ...failure }) => ({ index, failure: failureOf(failure) })),
        ...left.map((index) => ({ index, failure: notReached })),
      ],
      failure: undefined,
      state: state === undefined ? "" : JSON.stringify(state),
    };
  } catch (error) {
    return { id, failed: [], failure: thrown(error), state: "" };
  }
}

/** Of what is `left`: no record's fault, and no attempt of one. */
const notReached = {
  ...failureOf({ code: "UNAVAILABLE", message: "The write did not come to it." }),
  fault: Fault.FAULT_DESTINATION,
};

function batchOf(value: WriteBatch, signal: AbortSignal) {
  const { records, ids, keys, ordered, timeout, traceparent, requestId } = value;
  const texts = records === undefined || records.count === 0 ? [] : records.data.toString("utf8").split("\n");
  const ms = millisecondsOf(timeout);
  return {
    records: texts.map((text, index): OutRecord => new TextRecord(text, ids[index] ?? "")),
    ...(keys.length > 0 && { keys }),
    ordered,
    correlation: {
      ...currentCorrelation(),
      ...(traceparent !== "" && { traceparent }),
      ...(requestId !== "" && { requestId }),
    },
    signal: ms === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(ms)]),
  };
}

class TextRecord implements OutRecord {
  readonly text: string;
  readonly id: string;
  #value: Json | undefined;

  constructor(text: string, id: string) {
    this.text = text;
    this.id = id;
  }

  get value(): Json {
    return (this.#value ??= parseExact(this.text));
  }
}

function optionsOf(open: WriteOpen, signal: AbortSignal) {
  const connectMs = millisecondsOf(open.connectTimeout);
  const readMs = millisecondsOf(open.readTimeout);
  const idempotencyWindowMs = millisecondsOf(open.idempotencyWindow);
  const correlation = currentCorrelation();
  return {
    ...(correlation && { correlation }),
    stream: open.stream,
    mode: modes.get(open.mode) ?? "append",
    key: open.key,
    runId: open.runId,
    state: open.state === "" ? null : parseExact(open.state),
    ...(connectMs !== undefined && readMs !== undefined && { timeout: { connectMs, readMs } }),
    ...(open.owner && { owner: { ...open.owner, epoch: Number(open.owner.epoch) } }),
    ...(idempotencyWindowMs !== undefined && { idempotencyWindowMs }),
    signal,
  };
}

/** What was pushed, for one reader. The far side's window bounds it. */
class Queue<T> implements AsyncIterable<T> {
  #items: T[] = [];
  #ended = false;
  #wake = () => {};

  push(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      if (this.#items.length > 0) yield this.#items.shift() as T;
      else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
