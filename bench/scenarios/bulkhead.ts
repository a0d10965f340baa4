import { setTimeout as sleep } from "node:timers/promises";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, template } from "../pipeline.ts";
import { percentile, report } from "../report.ts";
import { countsIn } from "../scrape.ts";

const integrations = 50;
const stuck = 5;
/** What each of the others is held to: well below what the node could do. */
const rate = 500;
const warmUpMs = 10_000;
const startTimeoutMs = 60_000;
const counter = "sluice_records_out_total";

/** 50 integrations at a steady rate, none and then five of whose destinations hang: the other 45 keep their rate. */
export async function run({ seconds = 20, only }: BenchOptions): Promise<void> {
  for (const [name, hanging] of Object.entries({ "none hangs": 0, "5 of 50 hang": stuck })) {
    if (only === undefined || only === name) await BenchNode.with((node) => measure(node, name, hanging, seconds));
  }
}

async function measure(node: BenchNode, name: string, hanging: number, seconds: number): Promise<void> {
  await node.connector("generator", "generator", { template, rate });
  await node.connector("blackhole", "blackhole", {});
  await node.connector("stuck", "blackhole", { hang_after: 0 });
  const ids: string[] = [];
  for (let i = 0; i < integrations; i++) {
    const source = { connector: "generator", stream: `stream-${i}` };
    const destination = { connector: i < hanging ? "stuck" : "blackhole", stream: `stream-${i}`, mode: "append" };
    ids.push(await node.integration({ name: `bulkhead-${i}`, source, destination, ...filterAndMap }));
  }
  await Promise.all(ids.map((id) => node.begin(id)));
  const others = integrations - hanging;
  for (const end = performance.now() + startTimeoutMs; ; await sleep(250)) {
    const moving = [...countsIn(await node.metrics(), counter).values()].filter((count) => count > 0).length;
    if (moving >= others) break;
    if (performance.now() > end) throw new Error(`only ${moving} of ${others} integrations move records`);
  }
  await sleep(warmUpMs);

  const begin = performance.now();
  const cpu = node.cpu();
  const before = countsIn(await node.metrics(), counter);
  await sleep(seconds * 1000);
  const after = countsIn(await node.metrics(), counter);
  const elapsed = (performance.now() - begin) / 1000;
  const used = cpuBetween(cpu, node.cpu());
  const each = [...after]
    .map(([integration, count]) => (count - (before.get(integration) ?? 0)) / elapsed)
    .filter((each) => each > 0);
  report({
    scenario: "bulkhead",
    name,
    integrations: others,
    seconds: elapsed,
    records: Math.round(each.reduce((sum, one) => sum + one, 0) * elapsed),
    moving: each.length,
    slowest: Math.round(Math.min(...each)),
    median: Math.round(percentile(each, 0.5)),
    fastest: Math.round(Math.max(...each)),
    cpu_seconds: used.node + used.nats + used.postgres,
    cpu: used,
    peak_rss_mb: Math.round(node.peakRssMb()),
  });
}
