import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { TestNode } from "../support/node.ts";
import { query, seededRandom, writeRecords } from "../support/records.ts";
import { killNode, strike } from "./chaos.ts";

const records = Number(process.env.CHAOS_RECORDS ?? 200_000);
const times = Number(process.env.CHAOS_KILLS ?? 3);
const timeout = 180_000 + times * 20_000;

let node: TestNode;

beforeEach(async () => {
  node = await TestNode.start();
  writeRecords(join(node.files, "in.ndjson"), records);
  await node.api.connector("files", "file", { path: node.files });
  await query(node.databaseUrl(), "CREATE DATABASE landing");
  await node.api.connector("table", "postgres", { url: node.databaseUrl("landing"), create_table: true });
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
const toTable = { connector: "table", stream: "sums", mode: "upsert", key: ["first_id"] };

for (const several of [false, true]) {
  const where = several ? "through a deliver log" : "straight into the destination";
  test(`windows hold every record exactly once, however often the node is killed, ${where}`, { timeout }, async () => {
    const destinations = several
      ? [
          { id: "table", ...toTable },
          { id: "file", connector: "files", stream: "sums.ndjson", mode: "replace" },
        ]
      : [{ id: "table", ...toTable }];
    const integration = await node.api.integration({
      name: "sums",
      source: { connector: "files", stream: "in.ndjson" },
      destinations,
      pipeline_spec: { steps: [sums] },
    });
    const blows = { records, times, random: seededRandom(), blow: killNode };
    const { run } = await strike(node, await node.api.run(integration), blows);
    expect(run).toMatchObject({ status: "success", records_in: records, records_filtered: 0, records_failed: 0 });
    const { rows } = await query(
      node.databaseUrl("landing"),
      "SELECT status, sum(count)::text AS count, sum(total)::text AS total, max(count)::text AS most FROM sums GROUP BY 1 ORDER BY 1",
    );
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
    expect(rows.map((row: { total: string }) => ({ ...row, total: Number(row.total) }))).toEqual([
      wanted(false),
      wanted(true),
    ]);
  });
}
