import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { startServer, type TestServer } from "../../tests/jetstream/server.ts";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { lineOf, writeInput } from "../pipeline.ts";
import { median, report } from "../report.ts";
import { usageOf } from "../usage.ts";

const durables = ["one", "two", "three"];
/** A server that syncs each message takes some thousand a second. */
const syncedRecords = 5_000;

/** A stream of a server beside the node into a blackhole, and a file into subjects of it; nothing is mapped. */
export async function run(options: BenchOptions): Promise<void> {
  const { records = 500_000, runs = 3, only } = options;
  // As it is without settings; and one that syncs each message before it confirms it.
  const [server, synced] = [await startServer({ sync: "2m" }), await startServer()];
  try {
    await fill(server, records);
    await fill(synced, 0);
    await BenchNode.with(async (node) => {
      await writeInput(join(node.files, "in.ndjson"), records);
      await writeInput(join(node.files, "few.ndjson"), syncedRecords);
      await node.connector("files", "file", { path: node.files });
      await node.connector("nowhere", "blackhole", {});
      const streams = {
        core: { via: "core" },
        ...Object.fromEntries(durables.map((name) => [name, { stream: "in", durable: name }])),
      };
      await node.connector("nats", "nats", { servers: [server.url], streams });
      await node.connector("synced", "nats", { servers: [synced.url] });
      for (const [name, ends] of Object.entries(directions)) {
        if (only !== undefined && only !== name) continue;
        const count = name === "destination-synced" ? syncedRecords : records;
        const measures = [];
        for (let i = 0; i < runs; i++) {
          const id = await node.integration({ name: `${name}-${i}`, ...ends(i) });
          const { pid } = name === "destination-synced" ? synced : server;
          const cpu = { ...node.cpu(), server: usageOf(pid, false).cpuSeconds };
          const begin = performance.now();
          const { records_out } = await node.ended(await node.begin(id));
          const seconds = (performance.now() - begin) / 1000;
          if (records_out !== count) throw new Error(`${records_out} records of ${count}`);
          const own = usageOf(pid, false).cpuSeconds - cpu.server;
          measures.push({ seconds, cpu: { ...cpuBetween(cpu, node.cpu()), server: own } });
        }
        const { seconds, cpu } = median(measures, (one) => one.seconds);
        const rates = measures.map((one) => Math.round(count / one.seconds));
        const peak_rss_mb = Math.round(node.peakRssMb());
        report({
          scenario: "nats",
          name,
          records: count,
          runs,
          seconds,
          rate: Math.round(count / seconds),
          rates,
          cpu,
          peak_rss_mb,
        });
      }
    });
  } finally {
    await server.remove();
    await synced.remove();
  }
}

const from = (stream: string): JsonObject => ({
  source: { connector: "nats", stream },
  destination: { connector: "nowhere", stream: "out" },
});
const into = (connector: string, stream: string, file = "in.ndjson"): JsonObject => ({
  source: { connector: "files", stream: file },
  destination: { connector, stream },
});
const directions: Readonly<Record<string, (run: number) => JsonObject>> = {
  source: () => from("in"),
  "source-durable": (run) => from(durables[run % durables.length] as string),
  destination: () => into("nats", "out"),
  "destination-synced": () => into("synced", "out", "few.ndjson"),
  "destination-core": () => into("nats", "core"),
};

async function fill(server: TestServer, records: number): Promise<void> {
  const connection = await connect({ servers: server.url.slice("nats://".length) });
  const manager = await jetstreamManager(connection);
  for (const name of ["in", "out"]) await manager.streams.add({ name, subjects: [name] });
  for (let id = 0; id < records; id++) {
    connection.publish("in", lineOf(id).trimEnd());
    if (id % 10_000 === 0) await connection.flush();
  }
  await connection.flush();
  while ((await manager.streams.info("in")).state.messages < records) await connection.flush();
  await connection.close();
}
