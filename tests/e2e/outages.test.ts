import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type ServerHandle, startPostgres } from "../../adapters/embedded/index.ts";
import { freePort } from "../../adapters/embedded/ports.ts";
import { wholeRun } from "../chaos/chaos.ts";
import { TestNode } from "../support/node.ts";
import { copyRules, kept, landedInFile, landedInTable, writeRecords } from "../support/records.ts";
import { tempDir } from "../support/temp-dir.ts";

const records = 200_000;
const exactly = { total: kept(records), missing: 0, duplicates: 0, strange: 0 };
const source = { connector: "files", stream: "in.ndjson" };
const toFile = { connector: "files", stream: "out.ndjson", mode: "replace" };
const patience = { timeout: 30_000, interval: 50 };

/** Starts a Postgres that is not the node's; started again it is the same one. */
async function otherPostgres(folder: string): Promise<{ url: string; stop(): Promise<void>; start(): Promise<void> }> {
  const dataDir = join(folder, "other");
  mkdirSync(dataDir, { mode: 0o711 });
  const options = { dataDir, port: await freePort() };
  let server: ServerHandle = await startPostgres(options);
  onTestFinished(() => server.stop());
  return {
    url: server.url,
    stop: () => server.stop(),
    start: async () => {
      server = await startPostgres(options);
    },
  };
}

interface Readiness {
  readonly status: string;
  readonly parts: Record<string, { ready: boolean; reason: string | null }>;
}

async function filesNode(folder: string, env: NodeJS.ProcessEnv = {}): Promise<TestNode> {
  const node = await TestNode.start({ folder, env });
  writeRecords(join(node.files, "in.ndjson"), records);
  await node.api.connector("files", "file", { path: node.files });
  return node;
}

test("a run whose destination goes away waits, says why, and goes on when it is back", async () => {
  const folder = tempDir();
  const other = await otherPostgres(folder);
  const { api } = await filesNode(folder);
  await api.connector("table", "postgres", { url: other.url, create_table: true });
  const destination = { connector: "table", stream: "people", mode: "upsert", key: ["id"] };
  const id = await api.integration({ name: "away", source, destination, ...copyRules });
  const runId = await api.run(id);
  await api.until(runId, ({ records_in }) => records_in > records * 0.2);
  await other.stop();
  await expect.poll(async () => (await api.runById(runId)).waiting, patience).toMatch(/^table: .*connect/i);
  const health = async () => await api.call<Record<string, unknown>>("GET", `/v1/integrations/${id}`);
  expect(await health()).toMatchObject({ health: "waiting", health_reason: expect.stringMatching(/connect/i) });
  const { records_in: before, status } = await api.runById(runId);
  expect(status).toBe("running");
  expect(before).toBeLessThan(records);
  await other.start();
  expect(await api.ended(runId)).toMatchObject({ ...wholeRun(records, ["table"]), waiting: null });
  expect(await landedInTable(other.url, "people", records)).toEqual(exactly);
  expect(await health()).toMatchObject({ health: "ok", health_reason: null });
});

test("a node whose store goes away says so, and its runs go on when it is back", async () => {
  const folder = tempDir();
  const other = await otherPostgres(folder);
  const node = await filesNode(folder, { SLUICE_DATABASE_URL: other.url });
  const { api } = node;
  const id = await api.integration({ name: "store", source, destination: toFile, ...copyRules });
  const runId = await api.run(id);
  await api.until(runId, ({ records_in }) => records_in > records * 0.2);
  await other.stop();
  const ready = await api.request<Readiness>("GET", "/readyz");
  expect(ready.status).toBe(503);
  expect(ready.body.parts.postgres?.reason).toMatch(/connect/i);
  expect(await api.request("GET", `/v1/runs/${runId}`)).toMatchObject({ status: 503, body: { code: "UNAVAILABLE" } });
  expect((await api.request("GET", "/healthz")).status).toBe(200);
  await other.start();
  await expect.poll(async () => (await api.request("GET", "/readyz")).status, patience).toBe(200);
  expect(await api.ended(runId)).toMatchObject(wholeRun(records, ["files"]));
  expect(await landedInFile(join(node.files, "out.ndjson"), records)).toEqual(exactly);
});

const noMount = process.platform !== "linux" || process.getuid?.() !== 0;
if (noMount) process.stderr.write("a full disk is not tested: a disk of a few MB can only be made as root on Linux\n");

test.skipIf(noMount)("a run whose log has no disk left waits, says why, and goes on when there is room", async () => {
  const folder = tempDir();
  const disk = join(folder, "data", "nats");
  mkdirSync(disk, { recursive: true, mode: 0o711 });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "sluice-test", disk]);
  onTestFinished(() => void execFileSync("umount", [disk]));
  const node = await filesNode(folder);
  const { api } = node;
  const id = await api.integration({ name: "full", source, destination: toFile, ...copyRules });
  const runId = await api.run(id);
  const nats = async () => (await api.request<Readiness>("GET", "/readyz")).body.parts.nats?.reason;
  await expect.poll(nats, patience).toMatch(/disk/);
  await expect.poll(async () => (await api.runById(runId)).waiting, patience).toMatch(/disk/);
  const { status, records_in } = await api.runById(runId);
  expect(status).toBe("running");
  expect(records_in).toBeLessThan(records);
  execFileSync("mount", ["-o", "remount,size=256m", disk]);
  expect(await api.ended(runId)).toMatchObject({ ...wholeRun(records, ["files"]), waiting: null });
  expect(await landedInFile(join(node.files, "out.ndjson"), records)).toEqual(exactly);
  expect(await nats()).toBeNull();
});
