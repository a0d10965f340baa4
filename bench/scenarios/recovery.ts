import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startNats, startPostgres } from "../../adapters/embedded/index.ts";
import { BenchNode } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, template } from "../pipeline.ts";
import { percentile, report } from "../report.ts";
import { countsIn } from "../scrape.ts";

const pollMs = 10;
/** Between two blows, so that there is something in hand. */
const betweenMs = 2_000;
const steady = { template, rate: 5_000 };

export async function run({ runs = 5, only }: BenchOptions): Promise<void> {
  if (only === undefined || only === "restart") await restart(runs);
  if (only === undefined || only === "failover") await handOver(runs, "failover", "SIGKILL");
  if (only === undefined || only === "drain") await handOver(runs, "drain", "SIGTERM");
}

/** kill -9 of the only node (its servers die with it) in the middle of a run, and a start at once. */
async function restart(runs: number): Promise<void> {
  await BenchNode.with(async (node) => {
    await node.connector("generator", "generator", steady);
    await node.connector("blackhole", "blackhole", {});
    const source = { connector: "generator", stream: "steady" };
    const destination = { connector: "blackhole", stream: "all", mode: "append" };
    await node.begin(await node.integration({ name: "recovery", source, destination, ...filterAndMap }));
    await nextRecord(node, 0);
    const ready: number[] = [];
    const confirmed: number[] = [];
    for (let i = 0; i < runs; i++) {
      await sleep(betweenMs);
      const begin = performance.now();
      await node.stop("SIGKILL");
      await node.start();
      ready.push((performance.now() - begin) / 1000);
      // A node's counters begin at zero.
      await nextRecord(node, 0);
      confirmed.push((performance.now() - begin) / 1000);
    }
    report({
      scenario: "recovery",
      name: "restart",
      runs,
      seconds: percentile(confirmed, 0.5),
      slowest_seconds: Math.max(...confirmed),
      ready_seconds: percentile(ready, 0.5),
      peak_rss_mb: Math.round(node.peakRssMb()),
    });
  });
}

/** Two nodes on the same servers: the signal to the one that has the integration, until the other confirms a record. */
async function handOver(runs: number, name: string, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  await withTwoNodes(async (nodes) => {
    const [node] = nodes;
    await node.connector("generator", "generator", steady);
    await node.connector("files", "file", { path: node.files });
    const source = { connector: "generator", stream: "steady" };
    const destination = { connector: "files", stream: "out.ndjson", mode: "append" };
    await node.begin(await node.integration({ name: "recovery", source, destination, ...filterAndMap }));
    await Promise.any(nodes.map((each) => nextRecord(each, 0)));
    // The same one whenever both are there.
    const [first, second] = nodes;
    const [owner, other] = (await confirmedBy(first)) > 0 ? [first, second] : [second, first];
    const seconds: number[] = [];
    for (let i = 0; i < runs; i++) {
      await sleep(betweenMs);
      const before = await confirmedBy(other);
      const begin = performance.now();
      const stopped = owner.stop(signal);
      await nextRecord(other, before);
      seconds.push((performance.now() - begin) / 1000);
      await stopped;
      await owner.start();
      await nextRecord(owner, 0);
    }
    await Promise.all(nodes.map((each) => each.stop()));
    report({
      scenario: "recovery",
      name,
      runs,
      seconds: percentile(seconds, 0.5),
      slowest_seconds: Math.max(...seconds),
      all_seconds: seconds,
      ...landed(join(node.files, "out.ndjson")),
    });
  });
}

async function withTwoNodes(use: (nodes: readonly [BenchNode, BenchNode]) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const dataDir = join(folder, "servers");
  mkdirSync(dataDir);
  const servers = await Promise.all([startNats({ dataDir, port: 0 }), startPostgres({ dataDir, port: 0 })]);
  const [nats, postgres] = servers;
  const env = {
    SLUICE_NATS_URL: nats.url,
    SLUICE_DATABASE_URL: postgres.url,
    SLUICE_MASTER_KEY: randomBytes(32).toString("base64"),
  };
  const nodes = [new BenchNode(folder, "first", env), new BenchNode(folder, "second", env)] as const;
  try {
    await Promise.all(nodes.map((node) => node.start()));
    await use(nodes);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Resolves when the node has confirmed more than `before`. */
async function nextRecord(node: BenchNode, before: number): Promise<void> {
  while ((await confirmedBy(node)) <= before) await sleep(pollMs);
}

async function confirmedBy(node: BenchNode): Promise<number> {
  return countsIn(await node.metrics(), "sluice_records_out_total").get("recovery") ?? 0;
}

/** How often records of a file are in it again. */
function landed(path: string): { readonly records: number; readonly duplicates: number } {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  const ids = new Set(lines.map((line) => (JSON.parse(line) as { id: number }).id));
  return { records: ids.size, duplicates: lines.length - ids.size };
}
