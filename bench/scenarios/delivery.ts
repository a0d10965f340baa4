import { join } from "node:path";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { BenchNode } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, writeInput } from "../pipeline.ts";
import { median, report } from "../report.ts";
import { type Measure, measure } from "./single.ts";

const deliveries: Readonly<Record<string, JsonObject>> = {
  none: {},
  key: { ordering: "key", key: ["email"] },
  strict: { ordering: "strict" },
  idempotency: { idempotency: { window: "1h" } },
};

/** As `single`, into a file, a table by append and a destination that takes four writes at once, one delivery after another on a node. */
export async function run(options: BenchOptions): Promise<void> {
  const { records = 500_000, runs = 3, only } = options;
  await BenchNode.with(async (node) => {
    await writeInput(join(node.files, "in.ndjson"), records);
    await node.connector("files", "file", { path: node.files, create: true });
    await node.connector("db", "postgres", { url: node.databaseUrl, create_table: true });
    await node.connector("nowhere", "blackhole", {});
    const source = { connector: "files", stream: "in.ndjson" };
    const destinations: Readonly<Record<string, JsonObject>> = {
      file: { connector: "files", stream: "out.ndjson", mode: "replace" },
      table: { connector: "db", stream: "out", mode: "append" },
      blackhole: { connector: "nowhere", stream: "out" },
    };
    for (const [to, destination] of Object.entries(destinations)) {
      for (const [name, delivery] of Object.entries(deliveries)) {
        if (only !== undefined && only !== name) continue;
        const measures: Measure[] = [];
        for (let i = 0; i < runs; i++) {
          // An integration of its own each time: with keys of its own.
          const spec = { name: `${name}-${to}-${i}`, source, destination, delivery, ...filterAndMap };
          measures.push(await measure(node, await node.integration(spec), records));
        }
        const { seconds, cpu, latency } = median(measures, (one) => one.seconds);
        const rate = Math.round(records / seconds);
        const rates = measures.map((one) => Math.round(records / one.seconds));
        report({ scenario: "delivery", name, destination: to, records, runs, seconds, rate, rates, cpu, latency });
      }
    }
  });
}
