import { join } from "node:path";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, passing, writeInput } from "../pipeline.ts";
import { median, report } from "../report.ts";

/** NDJSON file → fsynced log → filter and map → a fsynced log for each of two files and a blackhole → these. */
export async function run({ records = 500_000, runs = 3 }: BenchOptions): Promise<void> {
  await BenchNode.with(async (node) => {
    await writeInput(join(node.files, "in.ndjson"), records);
    await node.connector("files", "file", { path: node.files, create: true });
    await node.connector("blackhole", "blackhole", {});
    const id = await node.integration({
      name: "fanout",
      source: { connector: "files", stream: "in.ndjson" },
      destinations: [
        { id: "first", connector: "files", stream: "first.ndjson", mode: "replace" },
        { id: "second", connector: "files", stream: "second.ndjson", mode: "replace" },
        { id: "third", connector: "blackhole", stream: "third", mode: "append" },
      ],
      ...filterAndMap,
    });
    const measures: { seconds: number; cpu: ReturnType<typeof cpuBetween> }[] = [];
    for (let i = 0; i < runs; i++) {
      const before = node.cpu();
      const begin = performance.now();
      const { records_out } = await node.ended(await node.begin(id));
      const seconds = (performance.now() - begin) / 1000;
      if (records_out !== 3 * passing(records)) throw new Error(`${records_out} records out of ${records}`);
      measures.push({ seconds, cpu: cpuBetween(before, node.cpu()) });
    }
    const { seconds, cpu } = median(measures, (one) => one.seconds);
    report({
      scenario: "fanout",
      name: "two files and a blackhole",
      records,
      runs,
      seconds,
      rate: Math.round(records / seconds),
      rate_out: Math.round((3 * passing(records)) / seconds),
      cpu_seconds: cpu.node + cpu.nats + cpu.postgres,
      cpu,
      peak_rss_mb: Math.round(node.peakRssMb()),
    });
  });
}
