import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { sharedNode } from "../support/node.ts";
import { query, seededRandom, writeRecords } from "../support/records.ts";
import { killNode, strike } from "./chaos.ts";

const records = Number(process.env.CHAOS_RECORDS ?? 100_000);
const times = Number(process.env.CHAOS_KILLS ?? 2);
const timeout = 180_000 + times * 20_000;

const node = sharedNode();

beforeAll(async () => {
  const { api, files } = node();
  writeRecords(join(files, "in.ndjson"), records);
  await api.connector("files", "file", { path: files });
  await query(node().databaseUrl(), "CREATE DATABASE landing");
  await api.connector("table", "postgres", { url: node().databaseUrl("landing"), create_table: true });
});

/** The window's first record tells it apart: a window that is delivered again is the same one. */
const sums = {
  id: "sums",
  type: "aggregate",
  key: ["status"],
  window: { count: 101, duration: "2s" },
  measures: { total: { sum: "amount" } },
  emit: [
    { source: "$.first.id", destination: "first_id", cast: "integer" },
    { source: "$.key.status", destination: "status" },
    { source: "$.count", destination: "count" },
    { source: "$.measures.total", destination: "total" },
  ],
};

test("windows hold every record exactly once, however often the node is killed, straight into the destination and through a deliver log", {
  timeout,
}, async () => {
  const table = (stream: string) => ({ id: "table", connector: "table", stream, mode: "upsert", key: ["first_id"] });
  const begin = async (name: string, ...destinations: readonly object[]) => {
    const source = { connector: "files", stream: "in.ndjson" };
    const spec = { name, source, destinations, pipeline_spec: { steps: [sums] } };
    return await node().api.run(await node().api.integration(spec));
  };
  const file = { id: "file", connector: "files", stream: "sums.ndjson", mode: "replace" };
  const ids = [await begin("straight", table("straight")), await begin("logged", table("logged"), file)];
  const blows = { records, times, random: seededRandom(), blow: killNode };
  const { runs } = await strike(node(), ids, blows);
  const wanted = (inactive: boolean) => {
    let count = 0;
    let total = 0;
    for (let id = 0; id < records; id++) {
      if ((id % 10 === 0) !== inactive) continue;
      count++;
      total += id * 1.25;
    }
    return { status: inactive ? "inactive" : "active", count: String(count), total, most: "101" };
  };
  for (const [i, stream] of ["straight", "logged"].entries()) {
    expect(runs[i]).toMatchObject({ status: "success", records_in: records, records_filtered: 0, records_failed: 0 });
    const { rows } = await query(
      node().databaseUrl("landing"),
      `SELECT status, sum(count)::text AS count, sum(total)::text AS total, max(count)::text AS most FROM ${stream} GROUP BY 1 ORDER BY 1`,
    );
    expect(
      rows.map((row: { total: string }) => ({ ...row, total: Number(row.total) })),
      stream,
    ).toEqual([wanted(false), wanted(true)]);
  }
});
