import { setTimeout as sleep } from "node:timers/promises";
import { BenchNode } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, template } from "../pipeline.ts";
import { percentile, report } from "../report.ts";
import { countsIn } from "../scrape.ts";

const pollMs = 10;
/** Between two kills, so that there is something in hand. */
const betweenMs = 2_000;

/** kill -9 of the node (its servers die with it) in the middle of a run, and a start at once. */
export async function run({ runs = 5 }: BenchOptions): Promise<void> {
  await BenchNode.with(async (node) => {
    await node.connector("generator", "generator", { template, rate: 5_000 });
    await node.connector("blackhole", "blackhole", {});
    const source = { connector: "generator", stream: "steady" };
    const destination = { connector: "blackhole", stream: "all", mode: "append" };
    await node.begin(await node.integration({ name: "recovery", source, destination, ...filterAndMap }));
    await nextRecord(node);
    const ready: number[] = [];
    const confirmed: number[] = [];
    for (let i = 0; i < runs; i++) {
      await sleep(betweenMs);
      const begin = performance.now();
      await node.stop("SIGKILL");
      await node.start();
      ready.push((performance.now() - begin) / 1000);
      await nextRecord(node);
      confirmed.push((performance.now() - begin) / 1000);
    }
    report({
      scenario: "recovery",
      name: "kill -9 to the next record confirmed",
      runs,
      seconds: percentile(confirmed, 0.5),
      slowest_seconds: Math.max(...confirmed),
      ready_seconds: percentile(ready, 0.5),
      peak_rss_mb: Math.round(node.peakRssMb()),
    });
  });
}

/** A node's counters begin at zero: any record that is counted was confirmed since its start. */
async function nextRecord(node: BenchNode): Promise<void> {
  while ((countsIn(await node.metrics(), "sluice_records_out_total").get("recovery") ?? 0) === 0) await sleep(pollMs);
}
