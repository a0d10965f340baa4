import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { wholeRun } from "../chaos/chaos.ts";
import { TestNode } from "../support/node.ts";
import { otherPostgres } from "../support/other-postgres.ts";
import { copyRules, kept, landedInFile, landedInTable, writeRecords } from "../support/records.ts";
import { tempDir } from "../support/temp-dir.ts";

const records = 200_000;
const exactly = { total: kept(records), missing: 0, duplicates: 0, strange: 0 };
const source = { connector: "files", stream: "in.ndjson" };
const toFile = { connector: "files", stream: "out.ndjson", mode: "replace" };
const patience = { timeout: 60_000, interval: 50 };
// Limits for what hangs, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 240_000 });

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
  const delivery = { circuit_breaker: { open_for: "1s" } };
  const id = await api.integration({ name: "away", source, destination, delivery, ...copyRules });
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
  expect(ready.body.parts.postgres?.reason).toMatch(/^Postgres takes no connection/);
  // Anybody may ask: what the driver said is in the log alone.
  expect(JSON.stringify(ready.body)).not.toContain(new URL(other.url).port);
  expect(await api.request("GET", `/v1/runs/${runId}`)).toMatchObject({ status: 503, body: { code: "UNAVAILABLE" } });
  expect((await api.request("GET", "/healthz")).status).toBe(200);
  await other.start();
  await expect.poll(async () => (await api.request("GET", "/readyz")).status, patience).toBe(200);
  expect(await api.ended(runId)).toMatchObject(wholeRun(records, ["files"]));
  expect(await landedInFile(join(node.files, "out.ndjson"), records)).toEqual(exactly);
});

const noMount = process.platform !== "linux" || process.getuid?.() !== 0;
if (noMount) process.stderr.write("full disks are not tested: a disk of a few MB can only be made as root on Linux\n");

/** A disk of its own at `path`, gone with the test, also where something still looks into it. */
function mountDisk(path: string, megabytes: number): void {
  mkdirSync(path, { recursive: true, mode: 0o711 });
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=711`, "sluice-test", path]);
  onTestFinished(() => void execFileSync("umount", ["-l", path]));
}

const partOf = async (node: TestNode, part: string) =>
  (await node.api.request<Readiness>("GET", "/readyz")).body.parts[part]?.reason ?? null;

test.skipIf(noMount)("a run whose log has no disk left waits, says why, and goes on when there is room", async () => {
  const folder = tempDir();
  const disk = join(folder, "data", "nats");
  mountDisk(disk, 16);
  const node = await filesNode(folder);
  const { api } = node;
  const id = await api.integration({ name: "full", source, destination: toFile, ...copyRules });
  const runId = await api.run(id);
  await expect.poll(() => partOf(node, "nats").then(String), patience).toMatch(/disk/);
  await expect.poll(async () => String((await api.runById(runId)).waiting), patience).toMatch(/disk/);
  const { status, records_in } = await api.runById(runId);
  expect(status).toBe("running");
  expect(records_in).toBeLessThan(records);
  execFileSync("mount", ["-o", "remount,size=256m", disk]);
  expect(await api.ended(runId)).toMatchObject({ ...wholeRun(records, ["files"]), waiting: null });
  expect(await landedInFile(join(node.files, "out.ndjson"), records)).toEqual(exactly);
  expect(await partOf(node, "nats")).toBeNull();
});

test.skipIf(noMount)(
  "sources pause before the data folder's disk is full, say why, and go on when there is room",
  async () => {
    const folder = tempDir();
    const disk = join(folder, "data");
    mountDisk(disk, 500);
    const node = await filesNode(folder);
    const { api } = node;
    // Of this disk 25 MB stay free; the log of this run takes 46 MB.
    const { bavail, bsize } = statfsSync(disk);
    const filler = join(disk, "filler");
    writeFileSync(filler, Buffer.alloc(bavail * bsize - 35 * 1024 * 1024));
    const id = await api.integration({ name: "nearly", source, destination: toFile, ...copyRules });
    const runId = await api.run(id);
    await expect.poll(async () => String((await api.runById(runId)).waiting), patience).toMatch(/nearly full/);
    expect(await partOf(node, "disk")).toMatch(/nearly full/);
    expect((await api.runById(runId)).records_in).toBeLessThan(records);
    rmSync(filler);
    expect(await api.ended(runId)).toMatchObject({ ...wholeRun(records, ["files"]), waiting: null });
    expect(await landedInFile(join(node.files, "out.ndjson"), records)).toEqual(exactly);
    expect(await partOf(node, "disk")).toBeNull();
  },
);
