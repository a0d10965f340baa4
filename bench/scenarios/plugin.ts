import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { writeInput } from "../pipeline.ts";
import { median, report } from "../report.ts";

const program = fileURLToPath(new URL("../programs/plugin.ts", import.meta.url));

/** A file read by a plugin into a blackhole, and a file into a plugin that is a blackhole; nothing is mapped. */
export async function run(options: BenchOptions): Promise<void> {
  const { records = 1_000_000, runs = 3, only } = options;
  await BenchNode.with(async (node) => {
    await writeInput(join(node.files, "in.ndjson"), records);
    const roots = join(node.folder, "data", "plugins");
    mkdirSync(roots, { recursive: true });
    const script = join(roots, "plugin.sh");
    writeFileSync(script, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$1"\n`);
    chmodSync(script, 0o755);
    for (const type of ["file", "blackhole"]) {
      const env = { SLUICE_PLUGIN_DATA_DIR: node.folder };
      await node.call("POST", "/v1/plugins", { name: `plugged-${type}`, command: ["plugin.sh", type], env });
    }
    await node.connector("files", "file", { path: node.files });
    await node.connector("nowhere", "blackhole", {});
    await node.connector("plugged-files", "plugged-file", { path: node.files });
    await node.connector("plugged-nowhere", "plugged-blackhole", {});
    for (const [name, [from, to]] of Object.entries(directions)) {
      if (only !== undefined && only !== name) continue;
      const measures = [];
      for (let i = 0; i < runs; i++) {
        const id = await node.integration({
          name: `${name}-${i}`,
          source: { connector: from, stream: "in.ndjson" },
          destination: { connector: to, stream: "out" },
        });
        const cpu = node.cpu();
        const begin = performance.now();
        const { records_out } = await node.ended(await node.begin(id));
        const seconds = (performance.now() - begin) / 1000;
        if (records_out !== records) throw new Error(`${records_out} records of ${records}`);
        measures.push({ seconds, cpu: cpuBetween(cpu, node.cpu()) });
      }
      const { seconds, cpu } = median(measures, (one) => one.seconds);
      report({
        scenario: "plugin",
        name,
        records,
        runs,
        seconds,
        rate: Math.round(records / seconds),
        rates: measures.map((one) => Math.round(records / one.seconds)),
        cpu,
        peak_rss_mb: Math.round(node.peakRssMb()),
      });
    }
  });
}

const directions: Readonly<Record<string, readonly [from: string, to: string]>> = {
  read: ["plugged-files", "nowhere"],
  write: ["files", "plugged-nowhere"],
  "built-in": ["files", "nowhere"],
};
