import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { median, report } from "../report.ts";

interface Load {
  readonly statuses: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly percentiles: Readonly<Record<string, number>>;
  /** Of the load itself. */
  readonly cpuSeconds: number;
}

const program = fileURLToPath(new URL("../programs/hook-load.ts", import.meta.url));
const connections = 64;
const secret = "the secret of a benchmark";

/** Signed requests → fsynced log → answer, and on to a blackhole; the load is a process of its own on the same machine. */
export async function run({ runs = 3, seconds = 10 }: BenchOptions): Promise<void> {
  await BenchNode.with(async (node) => {
    await node.connector("nowhere", "blackhole", {});
    const id = await node.integration({
      name: "hooks",
      destination: { connector: "nowhere", stream: "hooks" },
      trigger: { type: "webhook", auth: { scheme: "github", secrets: [secret] } },
    });
    const load = async (seconds: number): Promise<Load> => {
      const args = [program, `${node.url}/v1/hooks/${id}`, String(connections), String(seconds), secret];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      return JSON.parse(stdout);
    };
    // Until the owner takes what is sent, and the code is warm.
    for (let warm = 0; warm < 2; ) {
      if ((await load(1)).statuses[202]) warm++;
      else await sleep(100);
    }
    const measures = [];
    for (let i = 0; i < runs; i++) {
      const before = node.cpu();
      const measured = await load(seconds);
      measures.push({
        ...measured,
        accepted: measured.statuses[202] ?? 0,
        cpu: { ...cpuBetween(before, node.cpu()), load: measured.cpuSeconds },
      });
    }
    const rateOf = ({ accepted, seconds }: { accepted: number; seconds: number }) => Math.round(accepted / seconds);
    const middle = median(measures, rateOf);
    const { cpu, accepted, statuses, percentiles } = middle;
    const cpuSeconds = cpu.node + cpu.nats + cpu.postgres + cpu.load;
    report({
      scenario: "hooks",
      name: `${connections} connections`,
      records: accepted,
      runs,
      seconds: middle.seconds,
      rate: rateOf(middle),
      rates: measures.map(rateOf),
      statuses,
      cpu_seconds: cpuSeconds,
      cpu,
      cpu_us_each: Math.round((cpuSeconds / accepted) * 1e6),
      peak_rss_mb: Math.round(node.peakRssMb()),
      percentiles_ms: percentiles,
    });
  });
}
