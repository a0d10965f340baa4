import { setTimeout as sleep } from "node:timers/promises";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, template } from "../pipeline.ts";
import { percentile, report } from "../report.ts";
import { countsIn } from "../scrape.ts";

/** The blackhole takes 4 batches of 500 at once: 2,000 records a second, about 1 % of what the source could give. */
const latency = "1s";
const warmUpMs = 10_000;
const sampleMs = 250;

/** What the node holds while a destination is slow; what is not delivered waits in the log, and the source waits too. */
export async function run({ seconds = 60 }: BenchOptions): Promise<void> {
  await BenchNode.with(async (node) => {
    await node.connector("generator", "generator", { template });
    await node.connector("blackhole", "blackhole", { latency });
    const source = { connector: "generator", stream: "fast" };
    const destination = { connector: "blackhole", stream: "slow", mode: "append" };
    await node.begin(await node.integration({ name: "slow-sink", source, destination, ...filterAndMap }));
    await sleep(warmUpMs);
    const cpu = node.cpu();
    const before = countsIn(await node.metrics(), "sluice_records_in_total").get("slow-sink") ?? 0;
    const begin = performance.now();
    const rss: number[] = [];
    while (performance.now() - begin < seconds * 1000) {
      rss.push(node.rssMb());
      await sleep(sampleMs);
    }
    const elapsed = (performance.now() - begin) / 1000;
    const records = (countsIn(await node.metrics(), "sluice_records_in_total").get("slow-sink") ?? 0) - before;
    const used = cpuBetween(cpu, node.cpu());
    const quarter = Math.ceil(rss.length / 4);
    report({
      scenario: "slow-sink",
      name: "1 % of the source's rate",
      records,
      seconds: elapsed,
      rate: Math.round(records / elapsed),
      cpu_seconds: used.node + used.nats + used.postgres,
      cpu: used,
      peak_rss_mb: Math.round(node.peakRssMb()),
      rss_mb: {
        first_quarter: Math.round(percentile(rss.slice(0, quarter), 0.5)),
        last_quarter: Math.round(percentile(rss.slice(-quarter), 0.5)),
        p50: Math.round(percentile(rss, 0.5)),
        p99: Math.round(percentile(rss, 0.99)),
      },
    });
  });
}
