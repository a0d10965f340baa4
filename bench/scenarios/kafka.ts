import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { KafkaBroker } from "../../tests/support/kafka.ts";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { lineOf, writeInput } from "../pipeline.ts";
import { median, report } from "../report.ts";
import { usageOf } from "../usage.ts";

const partitions = 4;

/** A topic of a broker beside the node into a blackhole, and a file into a topic; nothing is mapped. */
export async function run(options: BenchOptions): Promise<void> {
  const { records = 500_000, runs = 3, only } = options;
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-kafka-"));
  const ends: (() => Promise<void>)[] = [];
  try {
    mkdirSync(folder, { recursive: true });
    const broker = await KafkaBroker.start({ folder, atEnd: (end) => ends.push(end), java: ["-XX:+UseG1GC"] });
    await fill(broker, records);
    await BenchNode.with(
      async (node) => {
        await writeInput(join(node.files, "in.ndjson"), records);
        await node.connector("files", "file", { path: node.files });
        await node.connector("nowhere", "blackhole", {});
        await node.connector("kafka", "kafka", {
          streams: { keyed: { topic: "out", write: { key: "{{ $.id }}" } } },
        });
        await broker.createTopic("out", partitions);
        for (const [name, ends] of Object.entries(directions)) {
          if (only !== undefined && only !== name) continue;
          const measures = [];
          for (let i = 0; i < runs; i++) {
            const id = await node.integration({ name: `${name}-${i}`, ...ends });
            const cpu = { ...node.cpu(), kafka: usageOf(broker.pid, false).cpuSeconds };
            const begin = performance.now();
            const { records_out } = await node.ended(await node.begin(id));
            const seconds = (performance.now() - begin) / 1000;
            if (records_out !== records) throw new Error(`${records_out} records of ${records}`);
            const kafka = usageOf(broker.pid, false).cpuSeconds - cpu.kafka;
            measures.push({ seconds, cpu: { ...cpuBetween(cpu, node.cpu()), kafka } });
          }
          const { seconds, cpu } = median(measures, (one) => one.seconds);
          const rates = measures.map((one) => Math.round(records / one.seconds));
          const peak_rss_mb = Math.round(node.peakRssMb());
          const rate = Math.round(records / seconds);
          report({ scenario: "kafka", name, records, runs, seconds, rate, rates, cpu, peak_rss_mb });
        }
      },
      { SLUICE_KAFKA_BROKERS: broker.address },
    );
  } finally {
    for (const end of ends) await end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

const directions: Readonly<Record<string, JsonObject>> = {
  source: {
    source: { connector: "kafka", stream: "in" },
    destination: { connector: "nowhere", stream: "out" },
  },
  destination: {
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "kafka", stream: "out" },
  },
  "destination-keyed": {
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "kafka", stream: "keyed" },
  },
};

async function fill(broker: KafkaBroker, records: number): Promise<void> {
  await broker.createTopic("in", partitions);
  const producer = broker.client().producer({ allowAutoTopicCreation: false });
  await producer.connect();
  for (let id = 0; id < records; id += 5_000) {
    const count = Math.min(5_000, records - id);
    const messages = Array.from({ length: count }, (_, i) => ({ value: lineOf(id + i).trimEnd() }));
    await producer.send({ topic: "in", messages });
  }
  await producer.disconnect();
}
