import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import {
  type ReadBatch as ReadBatchMessage,
  type ReadOpen,
  type ReadRequest,
  type ReadResponse,
  SourceMode,
} from "../../../proto/gen/sluice/connector/v1/connector.ts";
import type { ReadBatch, Source } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { parseExact } from "../exact.ts";
import { currentCorrelation } from "../spans.ts";
import { callError, failureOf } from "./failure.ts";
import type { Instances } from "./instances.ts";

/** How far the far side lets a source go on. */
class Credit {
  #records = 0;
  #wake = () => {};

  add(records: number): void {
    this.#records += records;
    this.#wake();
  }

  /** Resolves when so many records may be sent. */
  async reaches(records: number, signal: AbortSignal): Promise<void> {
    while (this.#records < records) {
      await new Promise<void>((resolve, reject) => {
        const aborted = () => reject(signal.reason);
        if (signal.aborted) aborted();
        signal.addEventListener("abort", aborted, { once: true });
        this.#wake = () => {
          signal.removeEventListener("abort", aborted);
          resolve();
        };
      });
    }
  }

  spend(records: number): void {
    this.#records -= records;
  }
}

/** Who is told what is stored, once it is open. */
interface Told {
  source?: Source;
}

/** Serves one Read call. */
export function serveRead(call: ServerDuplexStream<ReadRequest, ReadResponse>, instances: Instances): void {
  const aborter = new AbortController();
  const credit = new Credit();
  let opened = false;
  const told: Told = {};
  call.on("cancelled", () => aborter.abort(new Error("the call was cancelled")));
  call.on("error", (error) => aborter.abort(error));
  const take = ({ request }: ReadRequest) => {
    if (request?.$case === "credit") credit.add(request.value.records);
    if (request?.$case === "stored") told.source?.stored?.(parseExact(request.value.cursor));
    if (request?.$case !== "open" || opened) return;
    opened = true;
    read(request.value, call, instances, credit, told, aborter.signal).then(
      () => call.end(),
      (error) => call.emit("error", callError(error)),
    );
  };
  // In the trace that the call belongs to.
  call.on("data", AsyncLocalStorage.bind(take));
}

async function read(
  open: ReadOpen,
  call: ServerDuplexStream<ReadRequest, ReadResponse>,
  instances: Instances,
  credit: Credit,
  told: Told,
  signal: AbortSignal,
): Promise<void> {
  await instances.use(open.instance, async (connector) => {
    if (!connector.openSource)
      throw new ConnectorError("VALIDATION_ERROR", "it is no source", { fault: "destination" });
    const correlation = currentCorrelation();
    const source = await connector.openSource({
      stream: open.stream,
      mode: open.mode === SourceMode.SOURCE_MODE_INCREMENTAL ? "incremental" : "full",
      cursorField: open.cursorField || undefined,
      from: open.cursor === "" ? null : parseExact(open.cursor),
      batch: { records: open.batchRecords, bytes: open.batchBytes },
      ...(open.endless && { endless: true }),
      ...(correlation && { correlation }),
      signal,
    });
    told.source = source;
    call.write({ response: { $case: "opened", value: {} } });
    try {
      const batches = source.read()[Symbol.asyncIterator]();
      for (;;) {
        // Nothing is read that could not be sent.
        await credit.reaches(open.batchRecords, signal);
        const next = await batches.next();
        if (next.done) return;
        credit.spend(next.value.count);
        const value = messageOf(next.value);
        if (!call.write({ response: { $case: "batch", value } })) await once(call, "drain", { signal });
      }
    } finally {
      await source.close();
    }
  });
}

function messageOf({ data, count, cursor, position, failures = [], notice = "" }: ReadBatch): ReadBatchMessage {
  return {
    records: { data: Buffer.from(data.buffer, data.byteOffset, data.byteLength), count },
    cursor: JSON.stringify(cursor),
    base: position.base,
    offset: BigInt(position.offset),
    ordinals: (position.ordinals ?? []).map(BigInt),
    failures: failures.map(({ index, raw, ...failure }) => ({
      index,
      failure: failureOf(failure),
      raw: Buffer.from(raw),
    })),
    notice,
  };
}
