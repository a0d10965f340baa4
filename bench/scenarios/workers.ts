import { Offload } from "../../actors/offload.ts";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { createWorkerPool } from "../../adapters/workers/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../../runtime/config/index.ts";
import { type Flow, Pipeline } from "../../runtime/pipeline/index.ts";
import { realClock } from "../../runtime/ports/clock.ts";
import { decodeLines } from "../../runtime/record/index.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, heavyRules } from "../pipeline.ts";
import { report } from "../report.ts";

const batchRecords = 430;
/** As a consumer of the log has. */
const inHand = 16;

const pipelines: { readonly [name: string]: JsonObject } = {
  cheap: filterAndMap,
  "10-rules": { mapping_spec: heavyRules(10) },
  "25-rules": { mapping_spec: heavyRules(25) },
  "50-rules": { mapping_spec: heavyRules(50) },
  "100-rules": { mapping_spec: heavyRules(100) },
};

/**
 * Batches parsed, through the steps, and joined to bytes again: on the main thread alone, and with threads beside it
 * where the batches are heavy enough. No log, no destination. `main_micros` and `cpu_micros` are CPU time a record, of
 * the main thread and of all.
 */
export async function run({ records = 200_000, only }: BenchOptions): Promise<void> {
  for (const [name, spec] of Object.entries(pipelines)) {
    if (only !== undefined && only !== name) continue;
    for (const threads of [0, 1, 2]) report(await measure(name, spec, threads, records));
  }
}

async function measure(name: string, spec: JsonObject, threads: number, records: number) {
  const integration = resolveIntegration({
    source: { connector: "c", stream: "s" },
    destination: { connector: "c", stream: "d" },
    ...spec,
  });
  const sandbox = { run: () => Promise.reject(new Error("no scripts")), close: async () => {} };
  const pipeline = new Pipeline(integration, {
    validator: createValidator(),
    sandbox,
    clock: realClock,
    lookUps: new Map(),
  });
  const pool = createWorkerPool({ program: new URL("../../cli/steps-worker.ts", import.meta.url), threads });
  const workers = pool.open(JSON.stringify(integration));
  const offload = threads > 0 ? new Offload(pipeline, workers) : undefined;
  let bytes = 0;
  const context = {
    scope: "",
    now: 0,
    recordId: () => "",
    meta: () => ({}),
    signal: new AbortController().signal,
    absorbed: () => {},
    failed: ({ message }: { readonly message: string }) => {
      throw new Error(message);
    },
    deliver: (_destination: string, { values }: Flow) => {
      bytes += Buffer.from(values.map((value) => JSON.stringify(value)).join("\n")).length;
    },
    deliverTexts: (_destination: string, _origins: readonly number[], texts: readonly string[]) => {
      bytes += Buffer.from(texts.join("\n")).length;
    },
  };
  const bodies = Array.from({ length: 20 }, (_, batch) => body(batch));
  const pass = async (batches: number) => {
    let next = 0;
    const lane = async () => {
      while (next < batches) {
        const body = bodies[next++ % bodies.length] as Buffer;
        const { values } = decodeLines(body, batchRecords);
        const flow = { origins: values.map((_, i) => i), values: values as JsonObject[] };
        if (offload) await offload.process({ body, count: batchRecords, origins: flow.origins }, flow, context);
        else await pipeline.process(flow, context);
        // As a batch comes from a socket and goes to one: the event loop turns.
        await new Promise(setImmediate);
      }
    };
    await Promise.all(Array.from({ length: inHand }, lane));
  };
  const batches = Math.ceil(records / batchRecords);
  await pass(Math.ceil(batches / 4));
  bytes = 0;
  const begin = performance.now();
  const main = process.threadCpuUsage();
  const all = process.cpuUsage();
  await pass(batches);
  const seconds = (performance.now() - begin) / 1000;
  const total = batches * batchRecords;
  const micros = ({ user, system }: NodeJS.CpuUsage) => (user + system) / total;
  const result = {
    scenario: "workers",
    name,
    threads,
    records: total,
    rate: Math.round(total / seconds),
    main_micros: micros(process.threadCpuUsage(main)),
    cpu_micros: micros(process.cpuUsage(all)),
    bytes_out: bytes,
  };
  workers.close();
  await pool.close();
  return result;
}

function body(batch: number): Buffer {
  const lines = Array.from({ length: batchRecords }, (_, i) => {
    const id = batch * batchRecords + i;
    return JSON.stringify({
      id,
      name: `user ${id}`,
      email: `user${id}@example.com`,
      status: id % 10 === 0 ? "inactive" : "active",
      amount: String((id % 100_000) / 4),
      created_at: "2026-01-02T03:04:05+01:00",
      address: { city: "Berlin", zip: "10115", street: "Some Street 12" },
      tags: ["a", "b"],
      note: "x".repeat(24),
    });
  });
  return Buffer.from(lines.join("\n"));
}
