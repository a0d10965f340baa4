import { open } from "node:fs/promises";
import { join } from "node:path";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { report } from "../report.ts";

const elements = 10_000;
const keptBytes = 20_000;

/**
 * Memory of the node while each record becomes 10,000 that keep 20 kB of their parent, 200 MB of text: straight into a
 * file, and through a log each for a file and a blackhole.
 */
export async function run({ records = 10, only }: BenchOptions): Promise<void> {
  for (const name of ["file", "logs"] as const) {
    if (only !== undefined && only !== name) continue;
    await BenchNode.with(async (node) => {
      const file = await open(join(node.files, "in.ndjson"), "wx");
      const items = Array.from({ length: elements }, (_, n) => ({ n }));
      for (let id = 0; id < records; id++)
        await file.write(`${JSON.stringify({ id, text: "x".repeat(keptBytes), items })}\n`);
      await file.close();
      await node.connector("files", "file", { path: node.files, create: true });
      await node.connector("blackhole", "blackhole", {});
      const toFile = { id: "file", connector: "files", stream: "out.ndjson", mode: "replace" };
      const toNothing = { id: "nothing", connector: "blackhole", stream: "nothing", mode: "append" };
      const id = await node.integration({
        name: "split",
        source: { connector: "files", stream: "in.ndjson" },
        destinations: name === "file" ? [toFile] : [toFile, toNothing],
        pipeline_spec: { steps: [{ id: "each", type: "split", path: "items", as: "item", keep_parent: true }] },
      });
      const before = node.cpu();
      const atRest = node.rssMb();
      const begin = performance.now();
      const { records_out } = await node.ended(await node.begin(id));
      const seconds = (performance.now() - begin) / 1000;
      const out = records * elements * (name === "file" ? 1 : 2);
      if (records_out !== out) throw new Error(`${records_out} records out, not ${out}`);
      const cpu = cpuBetween(before, node.cpu());
      report({
        scenario: "split",
        name,
        records,
        records_out,
        seconds,
        rate_out: Math.round(records_out / seconds),
        cpu_seconds: cpu.node + cpu.nats + cpu.postgres,
        cpu,
        rss_at_rest_mb: Math.round(atRest),
        peak_rss_mb: Math.round(node.peakRssMb()),
      });
    });
  }
}
