import { BenchNode } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { percentile, report } from "../report.ts";

/** From the start of the process `sluice up` to 200 from readyz, embedded servers included; all is installed. */
export async function run({ runs = 5 }: BenchOptions): Promise<void> {
  const empty: number[] = [];
  const used: number[] = [];
  for (let i = 0; i < runs; i++) {
    const created = performance.now();
    await BenchNode.with(async (node) => {
      empty.push((performance.now() - created) / 1000);
      await node.stop();
      const begin = performance.now();
      await node.start();
      used.push((performance.now() - begin) / 1000);
    });
  }
  for (const [name, seconds] of Object.entries({ "data folder used before": used, "empty data folder": empty })) {
    report({ scenario: "start", name, runs, seconds: percentile(seconds, 0.5), slowest_seconds: Math.max(...seconds) });
  }
}
