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
const pointMs = 5_000;
const name = "1 % of the source's rate";

/** What the node holds while a destination is slow; what is not delivered waits in the log, and the source waits too. */
export async function run({ seconds = 60 }: BenchOptions): Promise<void> {
  await BenchNode.with(async (node) => {
    await node.connector("generator", "generator", { template });
    await node.connector("blackhole", "blackhole", { latency });
    const source = { connector: "generator", stream: "fast" };
    const destination = { connector: "blackhole", stream: "slow", mode: "append" };
    await node.begin(await node.integration({ name: "slow-sink", source, destination, ...filterAndMap }));
    const start = performance.now();
    let nextPoint = 0;
    /** Resident memory of a stretch of time, with a point of the curve every five seconds. */
    const watch = async (ms: number): Promise<number[]> => {
      const rss: number[] = [];
      for (const end = performance.now() + ms; performance.now() < end; await sleep(sampleMs)) {
        rss.push(node.rssMb());
        const at = performance.now() - start;
        if (at < nextPoint) continue;
        nextPoint += pointMs;
        report({ scenario: "slow-sink", name: `${name}, curve`, ...(await pointOf(node, at / 1000)) });
      }
      return rss;
    };
    await watch(warmUpMs);
    const cpu = node.cpu();
    const before = await pointOf(node, 0);
    const begin = performance.now();
    const rss = await watch(seconds * 1000);
    const elapsed = (performance.now() - begin) / 1000;
    const records = (await pointOf(node, 0)).settled - before.settled;
    const used = cpuBetween(cpu, node.cpu());
    const quarter = Math.ceil(rss.length / 4);
    report({
      scenario: "slow-sink",
      name,
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

/** A point of the curve: what is in the log is read, and not settled yet. */
async function pointOf(node: BenchNode, seconds: number) {
  const metrics = await node.metrics();
  const count = (metric: string) => countsIn(metrics, metric).get("slow-sink") ?? 0;
  const inLog = count("sluice_consumer_lag");
  const settled = count("sluice_records_in_total");
  return {
    seconds: Math.round(seconds),
    rss_mb: Math.round(node.rssMb()),
    in_log: inLog,
    read: settled + inLog,
    settled,
    delivered: count("sluice_records_out_total"),
  };
}
