import { createSandbox } from "../../adapters/isolate/index.ts";
import type { Script } from "../../runtime/ports/sandbox.ts";
import type { BenchOptions } from "../options.ts";
import { report } from "../report.ts";
import { usageOf } from "../usage.ts";

const batchSize = 500;
const batchesAtOnce = 2;

const cases: { readonly [name: string]: Script } = {
  value: { kind: "expression", source: "value.toUpperCase()" },
  record: { kind: "expression", source: "record.amount * 2" },
  predicate: { kind: "predicate", source: "record.amount > 100 && record.status === 'active'" },
  meta: { kind: "expression", source: "meta.record_id + ':' + record.id" },
  function: { kind: "function", source: "record => { record.amount *= 2; return record; }" },
};

/**
 * Users' JavaScript through the sandbox, from objects to objects, records of 230 bytes. `cpu_seconds` is that of the
 * node and of the sandbox's process, and `rate_per_core` goes by it. One JSON line a result.
 */
export async function run(options: BenchOptions = {}): Promise<void> {
  const total = options.records ?? 500_000;
  for (const [name, script] of Object.entries(cases)) {
    if (options.only !== undefined && options.only !== name) continue;
    const sandbox = createSandbox();
    const calls = Array.from({ length: batchSize }, (_, id) => callOf(id));
    const signal = new AbortController().signal;
    const evaluate = async (records: number): Promise<void> => {
      let left = Math.ceil(records / batchSize);
      const worker = async () => {
        while (left-- > 0) {
          const results = await sandbox.run("bench", script, calls, signal);
          if (results.some(({ ok }) => !ok)) throw new Error(JSON.stringify(results.find(({ ok }) => !ok)));
        }
      };
      await Promise.all(Array.from({ length: batchesAtOnce }, worker));
    };
    await evaluate(Math.min(total, 50_000));
    const child = sandbox.pid as number;
    const cpu = () => usageOf(process.pid, false).cpuSeconds + usageOf(child, false).cpuSeconds;
    const before = cpu();
    const start = performance.now();
    await evaluate(total);
    const seconds = (performance.now() - start) / 1000;
    const used = cpu() - before;
    report({
      scenario: "script",
      name,
      records: total,
      seconds,
      rate: Math.round(total / seconds),
      cpu_seconds: used,
      rate_per_core: Math.round(total / used),
      child_rss_mb: Math.round(usageOf(child, false).rssMb),
    });
    await sandbox.close();
  }
}

function callOf(id: number) {
  const record = {
    id: 1_000_000 + id,
    email: `customer-${id}@example.com`,
    name: "Ada Lovelace",
    amount: 1234.5 + id,
    address: { city: "Zürich", street: "Bahnhofstrasse 12" },
    created_at: "2025-11-21T10:09:00.000Z",
    status: id % 2 === 0 ? "active" : "closed",
    tags: ["vip", "newsletter"],
  };
  const meta = {
    integration: "bench",
    run_id: "01936f5e-7c1e-7b3a-9d55-0242ac120002",
    stream: "orders",
    record_id: String(id),
    attempt: 1,
    ingested_at: "2025-11-21T10:09:00.000Z",
  };
  return { value: record.name, record, meta };
}
