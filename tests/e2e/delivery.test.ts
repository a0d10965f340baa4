import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { TestNode } from "../support/node.ts";
import { otherPostgres } from "../support/other-postgres.ts";
import { landedInTable, query, writeRecords } from "../support/records.ts";
import { tempDir } from "../support/temp-dir.ts";

// Limits for what hangs, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 240_000 });
const patience = { timeout: 60_000, interval: 50 };

interface Letter {
  readonly code: string;
  readonly attempts: readonly { readonly at: string; readonly code: string; readonly message: string }[];
}

test("a key that is revoked opens the circuit: few calls try it; once it is granted again everything arrives, and none is a dead letter", async () => {
  const records = 40_000;
  const folder = tempDir();
  const other = await otherPostgres(folder);
  await query(
    other.url,
    `CREATE TABLE users (id bigint PRIMARY KEY, name text, email text, status text, amount numeric, created_at text,
       address jsonb, tags jsonb);
     CREATE ROLE writer LOGIN PASSWORD 'writer'; GRANT SELECT, INSERT, UPDATE ON users TO writer`,
  );
  const node = await TestNode.start({ folder });
  const { api } = node;
  writeRecords(join(node.files, "in.ndjson"), records);
  const url = new URL(other.url);
  Object.assign(url, { username: "writer", password: "writer" });
  await api.connector("files", "file", { path: node.files });
  await api.connector("crm", "postgres", { url: url.href });
  const id = await api.integration({
    name: "users",
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "crm", stream: "users", mode: "upsert", key: ["id"] },
    delivery: { circuit_breaker: { open_for: "2s" }, rate_limit: { burst: 20 } },
  });
  const runId = await api.run(id);
  await api.until(runId, ({ records_out }) => records_out > 0);
  await query(other.url, "REVOKE INSERT, UPDATE ON users FROM writer");
  const waiting = async () => (await api.runById(runId)).waiting ?? null;
  await expect.poll(waiting, patience).toMatch(/^crm: .*permission denied.* \(circuit open until \S+Z\)$/);
  const { text } = await api.text("/metrics");
  expect(text).toMatch(/^sluice_circuit_open\{integration="users",destination="crm"\} 1$/m);
  expect(await api.call("GET", `/v1/integrations/${id}`)).toMatchObject({
    health: "waiting",
    health_reason: expect.stringContaining("circuit open"),
  });
  const requests = async () => {
    const found = /^sluice_requests_total\{.*destination="crm".*outcome="failed"\} (\d+)/m;
    return Number(found.exec((await api.text("/metrics")).text)?.[1]);
  };
  const before = await requests();
  const begun = performance.now();
  await expect.poll(requests, patience).toBeGreaterThanOrEqual(before + 2);
  // Of a circuit that is open for two seconds there is one trial at the end.
  expect(performance.now() - begun).toBeGreaterThan(1_900);
  expect(await api.runById(runId)).toMatchObject({ status: "running", records_failed: 0 });
  await query(other.url, "GRANT INSERT, UPDATE ON users TO writer");
  expect(await api.ended(runId)).toMatchObject({ status: "success", records_failed: 0, waiting: null });
  expect(await landedInTable(other.url, "users", records)).toMatchObject({ missing: 0, duplicates: 0, total: records });
  expect((await api.text("/metrics")).text).toMatch(
    /^sluice_circuit_open\{integration="users",destination="crm"\} 0$/m,
  );
  await other.stop();
});

test("a destination slower than timeout.total is a TIMEOUT, tried again as configured, with its attempts in the dead letter", async () => {
  const node = await TestNode.start();
  const { api } = node;
  writeRecords(join(node.files, "in.ndjson"), 3);
  await api.connector("files", "file", { path: node.files });
  await api.connector("slow", "blackhole", { latency: "1h" });
  const id = await api.integration({
    name: "slow",
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "slow", stream: "any" },
    delivery: { timeout: { total: "300ms" }, retry: { max_attempts: 2, initial: "100ms" } },
  });
  expect(await api.runAndWait(id)).toMatchObject({ status: "partial", records_out: 0, records_failed: 3 });
  const letters = await api.deadLetters<Letter>(id);
  expect(letters).toHaveLength(3);
  for (const { code, attempts } of letters) {
    expect(code).toBe("TIMEOUT");
    expect(attempts).toMatchObject([
      { code: "TIMEOUT", message: "no answer within 0.3 s" },
      { code: "TIMEOUT", message: "no answer within 0.3 s" },
    ]);
    const [first, second] = attempts.map(({ at }) => Date.parse(at)) as [number, number];
    // The wait, less its jitter, and the time of the try itself.
    expect(second - first).toBeGreaterThanOrEqual(360);
  }
});

test("a statement that waits longer than timeout.read is given up by the server, and done once what held it is gone", async () => {
  const node = await TestNode.start();
  const { api } = node;
  const url = node.databaseUrl("postgres");
  await query(url, "CREATE TABLE held (id bigint)");
  writeRecords(join(node.files, "in.ndjson"), 100);
  await api.connector("files", "file", { path: node.files });
  await api.connector("db", "postgres", { url });
  const id = await api.integration({
    name: "held",
    source: { connector: "files", stream: "in.ndjson" },
    mapping_spec: [{ source: "$.id", destination: "id" }],
    destination: { connector: "db", stream: "held", mode: "append" },
    delivery: { timeout: { read: "500ms" }, retry: { initial: "100ms", max: "200ms" } },
  });
  const released = "EXISTS (SELECT FROM pg_class WHERE relname = 'released')";
  const wait = `DO $$ BEGIN WHILE NOT ${released} LOOP PERFORM pg_sleep(0.05); END LOOP; END $$`;
  const locked = query(url, `BEGIN; LOCK TABLE held IN SHARE MODE; ${wait}; COMMIT`);
  await expect
    .poll(async () => (await query(url, "SELECT 1 FROM pg_locks WHERE mode = 'ShareLock'")).rows.length, patience)
    .toBe(1);
  const runId = await api.run(id);
  // Twice at least: it is given up, and not waited for.
  const failed = /^sluice_requests_total\{.*destination="db".*outcome="failed"\} (\d+)/m;
  const failures = async () => Number(failed.exec((await api.text("/metrics")).text)?.[1] ?? 0);
  await expect.poll(failures, patience).toBeGreaterThan(1);
  await query(url, "CREATE TABLE released ()");
  await locked;
  const run = await api.ended(runId);
  expect(run).toMatchObject({ status: "success", records_out: 100 });
  // In mode append, what had been done in part would be there twice.
  expect(await landedInTable(url, "held", 100)).toMatchObject({ missing: 0, duplicates: 0, total: 100 });
});

test("a rate limit is kept through kill -9, and the run says that it waits for it", async () => {
  const node = await TestNode.start();
  const { api } = node;
  writeRecords(join(node.files, "in.ndjson"), 30);
  await api.connector("files", "file", { path: node.files });
  const id = await api.integration({
    name: "limited",
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "files", stream: "out.ndjson", mode: "append" },
    delivery: { batch: { records: 1 }, rate_limit: { per_day: 20, burst: 10 } },
  });
  const lines = () => readFileSync(join(node.files, "out.ndjson"), "utf8").split("\n").length - 1;
  const runId = await api.run(id);
  await expect.poll(lines, patience).toBeGreaterThan(4);
  await node.kill();
  await node.start();
  await expect
    .poll(async () => (await api.runById(runId)).waiting ?? null, patience)
    .toMatch(/^files: rate limit of 20 calls a day reached \(until \S+T00:00:00Z\)$/);
  // What was granted when it was killed counts as used.
  expect(lines()).toBeLessThanOrEqual(20);
  expect(lines()).toBeGreaterThanOrEqual(5);
  expect((await api.runById(runId)).status).toBe("running");
});
