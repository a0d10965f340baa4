import { rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { wholeRun } from "../chaos/chaos.ts";
import { startServer } from "../jetstream/server.ts";
import { connectTo } from "../jetstream/support.ts";
import { sluice } from "../support/cli.ts";
import { copyFolder } from "../support/copy-folder.ts";
import { TestNode } from "../support/node.ts";
import { copyRules, kept, landedInFile, query, writeRecords } from "../support/records.ts";

const records = 20_000;

test("an integration whose log was lost runs on a new one, whatever the store remembers of the old", async () => {
  const node = await TestNode.start();
  writeRecords(join(node.files, "in.ndjson"), records);
  await node.api.connector("files", "file", { path: node.files });
  const id = await node.api.integration({
    name: "lost",
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "files", stream: "out.ndjson", mode: "replace" },
    ...copyRules,
  });
  for (let n = 0; n < 3; n++) expect(await node.api.runAndWait(id)).toMatchObject(wholeRun(records, ["files"]));
  await node.kill();
  rmSync(join(node.dataDir, "nats", "jetstream"), { recursive: true });
  await node.start();
  // Before anybody needs it: it is said that nothing is as it was.
  const health = async () => await node.api.call("GET", `/v1/integrations/${id}`);
  await expect.poll(health).toMatchObject({
    health: "degraded",
    health_reason: expect.stringMatching(/^its log was lost.* go on from their cursors/),
  });
  expect(await node.api.runAndWait(id)).toMatchObject(wholeRun(records, ["files"]));
  // Until somebody has seen it, whatever happens meanwhile.
  await node.kill();
  await node.start();
  expect(await health()).toMatchObject({ health: "degraded", health_reason: expect.stringMatching(/--seen lost\)$/) });
  const { stdout } = await sluice(node, "doctor", "--seen", "lost");
  expect(stdout).toBe("lost: what was lost is told no more\n");
  await expect.poll(health).toMatchObject({ health: "ok", health_reason: null });
  const landed = await landedInFile(join(node.files, "out.ndjson"), records);
  expect(landed).toEqual({ total: kept(records), missing: 0, duplicates: 0, strange: 0 });
});

test("a batch that Postgres lost is dead letters, and the run goes on with the others", async () => {
  const node = await TestNode.start();
  const database = node.databaseUrl();
  const large = 5;
  const texts = Array.from({ length: 10 }, (_, id) => JSON.stringify({ id, name: "x".repeat(id === large ? 9e6 : 9) }));
  writeFileSync(join(node.files, "in.ndjson"), texts.join("\n"));
  await query(database, "CREATE TABLE landed (id integer PRIMARY KEY)");
  await node.api.connector("files", "file", { path: node.files });
  await node.api.connector("table", "postgres", { url: database });
  const id = await node.api.integration({
    name: "large",
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "table", stream: "landed", mode: "upsert", key: ["id"] },
    pipeline_spec: { steps: [{ id: "map", type: "map" }] },
    mapping_spec: [{ source: "$.id", destination: "id", cast: "integer" }],
  });
  const holder = new pg.Client({ connectionString: database });
  // Ends with its server.
  holder.on("error", () => {});
  await holder.connect();
  await holder.query("BEGIN; LOCK TABLE landed IN ACCESS EXCLUSIVE MODE");
  const run = await node.api.run(id);
  const stored = async () => (await query(database, "SELECT count(*)::int AS n FROM sluice.claims")).rows[0].n;
  await expect.poll(stored).toBe(1);
  await query(database, "DELETE FROM sluice.claims");
  await node.kill();
  await node.start();
  await expect
    .poll(() => node.api.runById(run), { timeout: 120_000 })
    .toMatchObject({ status: "partial", records_in: texts.length });
  const { items } = await node.api.call<{ items: object[] }>("GET", `/v1/integrations/${id}/dead-letter`);
  expect(items.length).toBeGreaterThan(0);
  for (const letter of items)
    expect(letter).toMatchObject({ code: "NOT_FOUND", message: expect.stringMatching(/too large.*restored/) });
  const { rows } = await query(database, "SELECT count(*)::int AS n FROM landed");
  expect(rows[0].n + items.length).toBe(texts.length);
  await expect
    .poll(() => node.api.call("GET", `/v1/integrations/${id}`))
    .toMatchObject({
      health: "degraded",
      health_reason: expect.stringMatching(/read them again from the source/),
    });
});

test("what Postgres forgot and the log has no more is told with its sequences, before anybody needs it", async () => {
  const nats = await startServer();
  onTestFinished(() => nats.remove());
  const node = await TestNode.start({ env: { SLUICE_NATS_URL: nats.url } });
  writeRecords(join(node.files, "in.ndjson"), 5_000);
  await node.api.connector("files", "file", { path: node.files });
  const id = await node.api.integration({
    name: "trimmed",
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "files", stream: "out.ndjson", mode: "replace" },
    ...copyRules,
  });
  const runs = async () => expect(await node.api.runAndWait(id)).toMatchObject(wholeRun(5_000, ["files"]));
  await runs();
  await node.stop();
  const then = join(dirname(node.cluster), "then");
  onTestFinished(() => rmSync(then, { recursive: true, force: true }));
  await copyFolder(node.cluster, then);
  await node.start();
  await runs();
  await node.stop();
  // As after three days.
  const logs = await connectTo(nats.url);
  const log = await logs.open(id, "ingest");
  await log.purge("r.0", (await log.stats()).last);
  await logs.close();
  await copyFolder(then, node.cluster);
  await node.start();
  const health = async () => await node.api.call("GET", `/v1/integrations/${id}`);
  const health_reason = expect.stringMatching(/sequences \d+ to \d+ has left the log since.*in neither place/);
  await expect.poll(health).toMatchObject({ health: "degraded", health_reason });
  expect((await sluice(node, "doctor")).stdout).toMatch(/^warn +lost data .*history lost: trimmed/m);
  await runs();
  expect(await health()).toMatchObject({ health: "degraded", health_reason });
});
