import { spawn } from "node:child_process";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchOptions } from "../options.ts";
import { writeInput } from "../pipeline.ts";
import { median, report } from "../report.ts";

const rules = [
  { source: "$.id", destination: "id", cast: "integer" },
  { source: "$.name", destination: "name" },
  { source: "$.email", destination: "email" },
  { source: "$.amount", destination: "amount" },
  { source: "$.created_at", destination: "created_at" },
  { source: "$.address.city", destination: "city" },
  { template: "{{ $.name }} <{{ $.email }}>", destination: "label" },
  { source: "$.status", destination: "status", when: "$.amount > 10" },
];

/** `sluice map` from a file to a file, 8 rules on records of 230 bytes: from the process's start to its end. */
export async function run({ records = 1_000_000, runs = 3 }: BenchOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-bench-map-"));
  try {
    await writeInput(join(folder, "in.ndjson"), records);
    await writeFile(join(folder, "rules.json"), JSON.stringify(rules));
    const measures: { readonly seconds: number; readonly stats: string }[] = [];
    for (let i = 0; i < runs; i++) measures.push(await measure(folder));
    const { seconds, stats } = median(measures, (one) => one.seconds);
    const rates = measures.map((one) => Math.round(records / one.seconds));
    report({
      scenario: "map-command",
      name: "8 rules",
      records,
      seconds,
      rate: Math.round(records / seconds),
      rates,
      stats,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string): Promise<{ seconds: number; stats: string }> {
  const program = join(import.meta.dirname, "../../cli/main.ts");
  const input = await open(join(folder, "in.ndjson"));
  const output = await open(join(folder, "out.ndjson"), "w");
  try {
    const begin = performance.now();
    const child = spawn(process.execPath, [program, "map", "--spec", join(folder, "rules.json"), "--stats"], {
      stdio: [input.fd, output.fd, "pipe"],
    });
    let stats = "";
    child.stderr?.on("data", (text) => {
      stats += text;
    });
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
    if (code !== 0) throw new Error(`sluice map ended with ${code}: ${stats}`);
    return { seconds: (performance.now() - begin) / 1000, stats: stats.trim() };
  } finally {
    await Promise.all([input.close(), output.close()]);
  }
}
