import { join } from "node:path";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, passing, writeInput } from "../pipeline.ts";
import { median, report } from "../report.ts";
import { latenciesIn, latencyPercentiles } from "../scrape.ts";

/** What is measured of one run. */
export interface Measure {
  readonly seconds: number;
  readonly cpu: { readonly node: number; readonly nats: number; readonly postgres: number };
  readonly latency: object;
}

/** NDJSON file → fsynced log → filter and map → destination, one integration; a node for each destination. */
export async function run(options: BenchOptions): Promise<void> {
  const { records = 1_000_000, runs = 3, only } = options;
  for (const name of ["file", "postgres"] as const) {
    if (only !== undefined && only !== name) continue;
    await BenchNode.with(async (node) => {
      await writeInput(join(node.files, "in.ndjson"), records);
      await node.connector("files", "file", { path: node.files, create: true });
      await node.connector("db", "postgres", { url: node.databaseUrl, create_table: true });
      const measures: Measure[] = [];
      for (let i = 0; i < runs; i++) {
        const destination =
          name === "file"
            ? { connector: "files", stream: "out.ndjson", mode: "replace" }
            : { connector: "db", stream: `out_${i}`, mode: "upsert", key: ["id"] };
        const source = { connector: "files", stream: "in.ndjson" };
        const id = await node.integration({ name: `single-${i}`, source, destination, ...filterAndMap });
        measures.push(await measure(node, id, records));
      }
      const { seconds, cpu, latency } = median(measures, (one) => one.seconds);
      report({
        scenario: "single",
        name,
        records,
        runs,
        seconds,
        rate: Math.round(records / seconds),
        rates: measures.map((one) => Math.round(records / one.seconds)),
        cpu_seconds: cpu.node + cpu.nats + cpu.postgres,
        cpu,
        peak_rss_mb: Math.round(node.peakRssMb()),
        latency,
      });
    });
  }
}

export async function measure(node: BenchNode, integrationId: string, records: number): Promise<Measure> {
  const cpu = node.cpu();
  const before = latenciesIn(await node.metrics());
  const begin = performance.now();
  const { records_in, records_out } = await node.ended(await node.begin(integrationId));
  const seconds = (performance.now() - begin) / 1000;
  if (records_in !== records || records_out !== passing(records)) {
    throw new Error(`${records_in} records in and ${records_out} out, of ${records}`);
  }
  const latency = latencyPercentiles(before, latenciesIn(await node.metrics()));
  return { seconds, cpu: cpuBetween(cpu, node.cpu()), latency };
}
