import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TestNode } from "../support/node.ts";
import { query } from "../support/records.ts";

const lines = (path: string) =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { id: number; from: string });

test("several sources are merged, each goes on from its own cursor, and one that fails fails the run after the others", async () => {
  const node = await TestNode.start();
  const { api } = node;
  await api.connector("files", "file", { path: node.files });
  await api.connector("db", "postgres", { url: node.databaseUrl() });
  await query(node.databaseUrl(), "CREATE TABLE a (id int primary key); INSERT INTO a SELECT generate_series(1, 3000)");
  await query(node.databaseUrl(), "CREATE TABLE b (id int primary key); INSERT INTO b SELECT generate_series(1, 2000)");
  const incremental = { connector: "db", mode: "incremental", cursor_field: "id" };
  const body = {
    sources: [
      { stream: "a", ...incremental },
      { stream: "b", ...incremental },
    ],
    destination: { connector: "files", stream: "out.ndjson", mode: "append" },
    mapping_spec: [{ source: "$.id", destination: "id" }],
  };
  const integration = await api.integration({ name: "merged", ...body });
  expect(await api.runAndWait(integration)).toMatchObject({ status: "success", records_in: 5_000, records_out: 5_000 });
  expect(lines(join(node.files, "out.ndjson"))).toHaveLength(5_000);

  // Only what is new, of each.
  await query(node.databaseUrl(), "INSERT INTO b SELECT generate_series(2001, 2010)");
  expect(await api.runAndWait(integration)).toMatchObject({ status: "success", records_in: 10, records_out: 10 });
  // After a crash too.
  await query(node.databaseUrl(), "INSERT INTO a SELECT generate_series(3001, 3007)");
  await node.kill();
  await node.start();
  expect(await api.runAndWait(integration)).toMatchObject({ status: "success", records_in: 7, records_out: 7 });

  writeFileSync(join(node.files, "in.ndjson"), '{"id":1}\n{"id":2}\n');
  const failing = await api.integration({
    name: "failing",
    ...body,
    sources: [
      { connector: "db", stream: "gone" },
      { connector: "files", stream: "in.ndjson" },
    ],
    destination: { connector: "files", stream: "half.ndjson", mode: "append" },
  });
  const run = await api.runAndWait(failing);
  expect(run).toMatchObject({ status: "failed", records_in: 2, records_out: 2 });
  expect(JSON.stringify(run.error)).toContain("gone");
});
