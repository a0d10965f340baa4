import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { BenchNode, cpuBetween } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { median, report } from "../report.ts";

const strict = [
  { source: "$.id", destination: "id" },
  { source: "$.name", destination: "name" },
  { source: "$.age", destination: "age", cast: "integer" },
];
const lenient = [...strict.slice(0, 2), { source: "$.age", destination: "age" }];

/** Dead letters of a mapping that refuses every record, replayed once it is mended: into a file and by upsert. */
export async function run({ records = 100_000, runs = 3, only }: BenchOptions): Promise<void> {
  for (const name of ["file", "postgres"] as const) {
    if (only !== undefined && only !== name) continue;
    await BenchNode.with(async (node) => {
      await writeRefused(join(node.files, "in.ndjson"), records);
      await node.connector("files", "file", { path: node.files, create: true });
      await node.connector("db", "postgres", { url: node.databaseUrl, create_table: true });
      const measures = [];
      for (let i = 0; i < runs; i++) {
        const destination =
          name === "file"
            ? { connector: "files", stream: `out-${i}.ndjson` }
            : { connector: "db", stream: `out_${i}`, mode: "upsert", key: ["id"] };
        const source = { connector: "files", stream: "in.ndjson" };
        const body = { name: `replay-${i}`, source, destination };
        const id = await node.integration({ ...body, mapping_spec: strict });
        const begun = performance.now();
        await node.ended(await node.begin(id), "partial");
        const failSeconds = (performance.now() - begun) / 1000;
        const groupsBegun = performance.now();
        await node.call("GET", `/v1/integrations/${id}/dead-letter/groups`);
        const groups_ms = performance.now() - groupsBegun;
        const listBegun = performance.now();
        await node.call("GET", `/v1/integrations/${id}/dead-letter?resolved=false&code=VALIDATION_ERROR`);
        const list_ms = performance.now() - listBegun;
        await node.call("PUT", `/v1/integrations/${id}`, { ...body, mapping_spec: lenient });
        const cpu = node.cpu();
        const begin = performance.now();
        const job = await node.call<{ id: string }>("POST", `/v1/integrations/${id}/dead-letter/replay-all`, {});
        const claim_ms = performance.now() - begin;
        const passed = await node.jobEnded(job.id);
        const seconds = (performance.now() - begin) / 1000;
        if (passed !== records) throw new Error(`${passed} of ${records} dead letters passed`);
        measures.push({ seconds, failSeconds, claim_ms, groups_ms, list_ms, cpu: cpuBetween(cpu, node.cpu()) });
      }
      const { seconds, failSeconds, cpu, ...others } = median(measures, (one) => one.seconds);
      report({
        scenario: "replay",
        name,
        records,
        runs,
        seconds,
        rate: Math.round(records / seconds),
        rates: measures.map((one) => Math.round(records / one.seconds)),
        dead_letter_rate: Math.round(records / failSeconds),
        ...others,
        cpu_seconds: cpu.node + cpu.nats + cpu.postgres,
        cpu,
        peak_rss_mb: Math.round(node.peakRssMb()),
      });
    });
  }
}

async function writeRefused(file: string, records: number): Promise<void> {
  const out = createWriteStream(file);
  for (let id = 0; id < records; id++) {
    const line = JSON.stringify({ id, name: `Person ${id}`, city: "Some town", age: `${id} years` });
    if (!out.write(`${line}\n`)) await once(out, "drain");
  }
  out.end();
  await once(out, "finish");
}
