import { join } from "node:path";
import { expect, test } from "vitest";
import { TestNode } from "../support/node.ts";
import { copyRules, kept, landedInFile, landedInTable, query, seededRandom, writeRecords } from "../support/records.ts";

const records = Number(process.env.CHAOS_RECORDS ?? 60_000);
const times = Number(process.env.CHAOS_KILLS ?? 2);

interface Job {
  readonly id: string;
  readonly status: string;
  readonly progress: {
    readonly done: number;
    readonly total: number;
    readonly passed: number;
    readonly failed: number;
  };
}

test("a replay that is killed again and again delivers each dead letter exactly once by upsert, and to a file none is missing", {
  timeout: 300_000,
}, async () => {
  const node = await TestNode.start();
  writeRecords(join(node.files, "in.ndjson"), records);
  await node.api.connector("files", "file", { path: node.files });
  await query(node.databaseUrl(), "CREATE DATABASE landing");
  await node.api.connector("table", "postgres", { url: node.databaseUrl("landing"), create_table: true });
  const body = {
    name: "both",
    source: { connector: "files", stream: "in.ndjson" },
    destinations: [
      { id: "table", connector: "table", stream: "people", mode: "upsert", key: ["id"] },
      { id: "file", connector: "files", stream: "out.ndjson", mode: "replace" },
    ],
    ...copyRules,
  };
  const refusing = [{ source: "$.name", destination: "id", cast: "integer" }];
  const id = await node.api.integration({ ...body, mapping_spec: refusing });
  const refused = kept(records);
  expect(await node.api.runAndWait(id)).toMatchObject({ status: "partial", records_failed: refused });
  await node.api.call("PUT", `/v1/integrations/${id}`, body);

  const job = await node.api.call<Job>("POST", `/v1/integrations/${id}/dead-letter/replay-all`);
  expect(job.progress.total).toBe(refused);
  const random = seededRandom();
  const look = () => node.api.call<Job>("GET", `/v1/jobs/${job.id}`);
  const until = async (done: number) => {
    let now = await look();
    await expect
      .poll(
        async () => {
          now = await look();
          return now.status !== "running" || now.progress.done >= done;
        },
        { timeout: 120_000, interval: 10 },
      )
      .toBe(true);
    return now;
  };
  for (let n = 0; n < times; n++) {
    expect(await until(Math.floor(((n + random()) / times) * 0.8 * refused)), `blow ${n + 1}`).toMatchObject({
      status: "running",
    });
    await node.kill();
    await node.start();
  }
  expect(await until(refused + 1)).toMatchObject({
    status: "success",
    progress: { done: refused, total: refused, passed: refused, failed: 0 },
  });
  const { items } = await node.api.call<{ items: object[] }>("GET", `/v1/integrations/${id}/runs?limit=1`);
  const counts = { out: refused, failed: 0 };
  expect(items).toMatchObject([
    {
      ...{ status: "success", records_in: refused, records_out: 2 * refused, records_filtered: 0, records_failed: 0 },
      by_destination: { table: counts, file: counts },
    },
  ]);
  const exactly = { total: refused, missing: 0, duplicates: 0, strange: 0 };
  expect(await landedInTable(node.databaseUrl("landing"), "people", records)).toEqual(exactly);
  expect(await landedInFile(join(node.files, "out.ndjson"), records)).toMatchObject({ missing: 0, strange: 0 });
  const left = await node.api.call<{ items: object[] }>(
    "GET",
    `/v1/integrations/${id}/dead-letter?resolved=false&limit=1`,
  );
  expect(left.items).toEqual([]);
});
