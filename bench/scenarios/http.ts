import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { lineOf, writeInput } from "../pipeline.ts";
import { median, report } from "../report.ts";

const pageSize = 1_000;
const batchSize = 100;

/** Pages of a server beside the node into a blackhole, and a file into that server by batches; nothing is mapped. */
export async function run(options: BenchOptions): Promise<void> {
  const { records = 500_000, runs = 3, only } = options;
  const server = await startServer(records);
  try {
    await BenchNode.with(
      async (node) => {
        await writeInput(join(node.files, "in.ndjson"), records);
        await node.connector("files", "file", { path: node.files });
        await node.connector("nowhere", "blackhole", {});
        await node.connector("api", "http", { base_url: server.url, streams });
        for (const [name, ends] of Object.entries(directions)) {
          if (only !== undefined && only !== name) continue;
          const measures = [];
          for (let i = 0; i < runs; i++) {
            const id = await node.integration({ name: `${name}-${i}`, ...ends });
            const cpu = node.cpu();
            const begin = performance.now();
            const { records_out } = await node.ended(await node.begin(id));
            const seconds = (performance.now() - begin) / 1000;
            if (records_out !== records) throw new Error(`${records_out} records of ${records}`);
            measures.push({ seconds, cpu: cpuBetween(cpu, node.cpu()) });
          }
          const { seconds, cpu } = median(measures, (one) => one.seconds);
          const rates = measures.map((one) => Math.round(records / one.seconds));
          const peak_rss_mb = Math.round(node.peakRssMb());
          report({
            scenario: "http",
            name,
            records,
            runs,
            seconds,
            rate: Math.round(records / seconds),
            rates,
            cpu,
            peak_rss_mb,
          });
        }
      },
      { SLUICE_ALLOW_ADDRESSES: "127.0.0.1" },
    );
  } finally {
    server.close();
  }
}

const streams: JsonObject = {
  pages: {
    records: "$.items",
    pagination: { type: "offset", size: pageSize, size_param: "limit", total_path: "$.total" },
  },
  landed: { append: { batch: { records: batchSize } } },
};

const directions: Readonly<Record<string, JsonObject>> = {
  source: {
    source: { connector: "api", stream: "pages" },
    destination: { connector: "nowhere", stream: "out" },
  },
  destination: {
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "api", stream: "landed" },
  },
};

async function startServer(records: number): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      if (request.method === "POST") {
        response.end();
        return;
      }
      const from = Number(new URL(request.url ?? "", "http://server").searchParams.get("offset"));
      const count = Math.min(pageSize, records - from);
      const items = Array.from({ length: count }, (_, index) => lineOf(from + index).trimEnd());
      response.setHeader("content-type", "application/json");
      response.end(`{"total":${records},"items":[${items}]}`);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
