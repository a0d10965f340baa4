import { setTimeout as sleep } from "node:timers/promises";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, template } from "../pipeline.ts";
import { report } from "../report.ts";
import { countsIn, latenciesIn, latencyPercentiles } from "../scrape.ts";

const integrations = 50;
/** From when all have moved records; what the first ones piled up meanwhile is gone by then, and code is compiled. */
const warmUpMs = 5_000;
const startTimeoutMs = 60_000;
const counter = "sluice_records_in_total";

/**
 * 50 integrations on one node, each generator → fsynced log → filter and map → blackhole: as fast as they go, and at a
 * rate that each is held to. The generators have no end: what is measured is a stretch of time.
 */
export async function run({ seconds = 20, only }: BenchOptions): Promise<void> {
  for (const [name, rate] of Object.entries({ unlimited: 0, "1300-a-second-each": 1_300 })) {
    if (only === undefined || only === name) await BenchNode.with((node) => measure(node, name, rate, seconds));
  }
}

async function measure(node: BenchNode, name: string, rate: number, seconds: number): Promise<void> {
  await node.connector("generator", "generator", { template, rate });
  await node.connector("blackhole", "blackhole", {});
  const ids: string[] = [];
  for (let i = 0; i < integrations; i++) {
    const source = { connector: "generator", stream: `stream-${i}` };
    const destination = { connector: "blackhole", stream: `stream-${i}`, mode: "append" };
    ids.push(await node.integration({ name: `fleet-${i}`, source, destination, ...filterAndMap }));
  }
  await Promise.all(ids.map((id) => node.begin(id)));
  await allMove(node);
  await sleep(warmUpMs);

  const begin = performance.now();
  const cpu = node.cpu();
  const before = await node.metrics();
  await sleep(seconds * 1000);
  const after = await node.metrics();
  const used = cpuBetween(cpu, node.cpu());
  const elapsed = (performance.now() - begin) / 1000;

  const first = countsIn(before, counter);
  const each = [...countsIn(after, counter)].map(([integration, count]) => count - (first.get(integration) ?? 0));
  if (each.length !== integrations)
    throw new Error(`only ${each.length} of ${integrations} integrations moved records`);
  const records = each.reduce((sum, count) => sum + count, 0);
  report({
    scenario: "fleet",
    name,
    integrations,
    records,
    seconds: elapsed,
    rate: Math.round(records / elapsed),
    slowest: Math.round(Math.min(...each) / elapsed),
    fastest: Math.round(Math.max(...each) / elapsed),
    slowest_to_fastest: Math.min(...each) / Math.max(...each),
    cpu_seconds: used.node + used.nats + used.postgres,
    cpu: used,
    peak_rss_mb: Math.round(node.peakRssMb()),
    latency: latencyPercentiles(latenciesIn(before), latenciesIn(after)),
  });
}

async function allMove(node: BenchNode): Promise<void> {
  for (const end = performance.now() + startTimeoutMs; ; await sleep(250)) {
    const moving = [...countsIn(await node.metrics(), counter).values()].filter((count) => count > 0).length;
    if (moving === integrations) return;
    if (performance.now() > end) throw new Error(`only ${moving} of ${integrations} integrations move records`);
  }
}
