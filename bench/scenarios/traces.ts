import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { BenchNode } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, writeInput } from "../pipeline.ts";
import { median, report } from "../report.ts";
import { type Measure, measure } from "./single.ts";

/** Of the traces; 0: no collector is named, as on a node that knows nothing of traces. */
const shares = { off: 0, "ratio-0.01": 0.01, "ratio-1": 1 };

/**
 * As `single`, into a file, by the share of traces that is exported, to a collector that throws them away. The nodes
 * take turns, so that what else the machine does hits all alike. `exported_kb`: of the last run.
 */
export async function run({ records = 1_000_000, runs = 3, only }: BenchOptions): Promise<void> {
  const wanted = Object.entries(shares).filter(([name]) => only === undefined || only === name);
  const collector = await openCollector();
  const measures = new Map<string, (Measure & { readonly exported_kb: number })[]>();
  try {
    for (let turn = 0; turn < runs; turn++) {
      for (const [name, share] of wanted) {
        const former = collector.bytes();
        const measured = await measureWith(share === 0 ? {} : environment(collector.url, share), records);
        const exported_kb = Math.round((collector.bytes() - former) / 1000);
        measures.set(name, [...(measures.get(name) ?? []), { ...measured, exported_kb }]);
      }
    }
  } finally {
    collector.close();
  }
  for (const [name, all] of measures) {
    const { seconds, cpu, latency, exported_kb } = median(all, (one) => one.seconds);
    report({
      scenario: "traces",
      name,
      records,
      runs,
      seconds,
      rate: Math.round(records / seconds),
      rates: all.map((one) => Math.round(records / one.seconds)),
      cpu_seconds: cpu.node + cpu.nats + cpu.postgres,
      node_cpu_seconds: all.map((one) => one.cpu.node),
      cpu,
      exported_kb,
      latency,
    });
  }
}

const environment = (collector: string, share: number): NodeJS.ProcessEnv => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector,
  OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
  OTEL_TRACES_SAMPLER_ARG: String(share),
});

/** One run on a node of its own; its spans are with the collector when it has stopped. */
function measureWith(env: NodeJS.ProcessEnv, records: number): Promise<Measure> {
  return BenchNode.with(async (node) => {
    await writeInput(join(node.files, "in.ndjson"), records);
    await node.connector("files", "file", { path: node.files, create: true });
    const source = { connector: "files", stream: "in.ndjson" };
    const destination = { connector: "files", stream: "out.ndjson", mode: "replace" };
    return await measure(
      node,
      await node.integration({ name: "traces", source, destination, ...filterAndMap }),
      records,
    );
  }, env);
}

async function openCollector(): Promise<{ url: string; bytes: () => number; close: () => void }> {
  let bytes = 0;
  const server = createServer((request, response) => {
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on("end", () => response.end("{}"));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytes: () => bytes,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
