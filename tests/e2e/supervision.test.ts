import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { isAlive } from "../../adapters/embedded/processes.ts";
import { sharedNode, TestNode } from "../support/node.ts";
import { createDatabase } from "../support/servers.ts";

const patience = { timeout: 60_000, interval: 50 };
// Limits for what hangs, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

interface Health {
  readonly health: string;
  readonly health_reason: string | null;
}

const node = sharedNode();
const healthOf = async (id: string, { api } = node()): Promise<Health> => {
  const { health, health_reason } = await api.call<Health>("GET", `/v1/integrations/${id}`);
  return { health, health_reason };
};
const restarts = async ({ api } = node()) =>
  (await api.text("/metrics")).text.match(/^sluice_actor_restarts_total.*/gm);
const putConnector = async (id: string, body: object) => node().api.call("PUT", `/v1/connectors/${id}`, body);

test("a source that hangs is read anew, then its run fails with TIMEOUT and says so; the others are untouched", async () => {
  const { api } = node();
  const hanging = { name: "hanging", type: "generator" };
  const connector = await api.connector("hanging", "generator", { count: 2_000, faults: { stall_at: 1_000 } });
  await api.connector("lively", "generator", { count: 20_000, rate: 5_000 });
  await api.connector("void", "blackhole", {});
  const integration = (name: string) =>
    api.integration({
      name,
      source: { connector: name, stream: "records" },
      destination: { connector: "void", stream: name },
      delivery: { timeout: { total: "2s" }, retry: { max_attempts: 3, initial: "100ms" } },
    });
  const [stuck, other] = [await integration("hanging"), await integration("lively")];
  const [run, lively] = [await api.run(stuck), await api.run(other)];
  const gave = "the source gave nothing for 2 s (delivery.timeout.total)";
  await expect.poll(() => healthOf(stuck), patience).toEqual({ health: "waiting", health_reason: `source: ${gave}` });
  expect(await api.ended(run)).toMatchObject({
    status: "failed",
    error: { code: "TIMEOUT", message: gave },
    records_in: 1_000,
    records_out: 1_000,
  });
  const stopped = {
    health: "stopped",
    health_reason: `the last run failed with TIMEOUT: ${gave} (run it again: sluice run hanging)`,
  };
  await expect.poll(() => healthOf(stuck), patience).toEqual(stopped);
  expect(await api.ended(lively)).toMatchObject({ status: "success", records_out: 20_000 });
  expect(await healthOf(other)).toEqual({ health: "ok", health_reason: null });

  // Known over a restart, and not begun again by it.
  expect(await node().stop()).toBe(0);
  await node().start();
  expect(await healthOf(stuck)).toEqual(stopped);
  const runs = await api.call<{ items: unknown[] }>("GET", `/v1/integrations/${stuck}/runs`);
  expect(runs.items).toHaveLength(1);
  // A change takes that back, for those who look at the metrics, too.
  const stoppedHere = /^sluice_integrations\{[^}]*health="stopped"[^}]*\} (\d+)/m;
  const inMetrics = async () => stoppedHere.exec((await api.text("/metrics")).text)?.[1];
  await expect.poll(inMetrics, patience).toBe("1");
  const spec = await api.call<object>("GET", `/v1/integrations/${stuck}`);
  await api.call("PUT", `/v1/integrations/${stuck}`, spec);
  await expect.poll(inMetrics, patience).toBe("0");
  expect(await healthOf(stuck)).toEqual({ health: "ok", health_reason: null });
  await putConnector(connector, { ...hanging, config: { count: 2_000 } });
  expect(await api.runAndWait(stuck)).toMatchObject({ status: "success", records_out: 2_000 });
  await expect.poll(() => healthOf(stuck), patience).toEqual({ health: "ok", health_reason: null });
});

test("records that are too much for a step or for their destination are dead letters", async () => {
  const { api, files } = node();
  const large = "x".repeat(14_000_000);
  const line = (id: number) => JSON.stringify({ id, text: id === 5 ? large : "x" });
  writeFileSync(join(files, "large.ndjson"), Array.from({ length: 12 }, (_, id) => line(id)).join("\n"));
  await api.connector("files", "file", { path: files });
  const id = { source: "$.id", destination: "id" };
  const source = { connector: "files", stream: "large.ndjson" };
  // 630 MB: no text can be so long.
  const step = await api.integration({
    name: "too-large-for-a-step",
    source,
    destination: { connector: "files", stream: "step.ndjson", mode: "replace" },
    mapping_spec: [id, { template: "{{ $.text }}".repeat(45), destination: "text" }],
  });
  expect(await api.runAndWait(step)).toMatchObject({ status: "partial", records_out: 11, records_failed: 1 });
  const lettersOf = async (integration: string) =>
    (await api.call<{ items: object[] }>("GET", `/v1/integrations/${integration}/dead-letter`)).items;
  expect(await lettersOf(step)).toMatchObject([
    { step: "map", code: "INTERNAL_ERROR", message: "the step crashed: Invalid string length" },
  ]);
  expect(await restarts()).toBeNull();

  // Where several destinations have a log of their own, it crashes what writes to that: then it is found record by record.
  const crashing = await api.integration({
    name: "crashing",
    source,
    destinations: ["a", "b"].map((id) => ({ id, connector: "files", stream: `${id}.ndjson`, mode: "replace" })),
    mapping_spec: [id, ...Array.from({ length: 45 }, (_, n) => ({ source: "$.text", destination: `text${n}` }))],
  });
  const run = await api.run(crashing);
  await expect
    .poll(() => healthOf(crashing), patience)
    .toEqual({ health: "degraded", health_reason: "steps was started again after a crash: Invalid string length" });
  const counts = { records_in: 12, records_out: 22, records_failed: 1 };
  expect(await api.ended(run)).toMatchObject({ status: "partial", ...counts });
  await expect.poll(() => healthOf(crashing), patience).toEqual({ health: "ok", health_reason: null });
  expect(await restarts()).toEqual(['sluice_actor_restarts_total{actor="integration",integration="crashing"} 1']);
  expect(await lettersOf(crashing)).toMatchObject([
    { code: "INTERNAL_ERROR", message: "the steps crashed: Invalid string length" },
  ]);
});

test("a stop does not wait for a destination that hangs: it exits with 0, and the next start loses nothing", async () => {
  const { api } = node();
  const records = 5_000;
  await api.connector("source", "generator", { count: records });
  const connector = await api.connector("stuck", "blackhole", { hang_after: 2_000 });
  const id = await api.integration({
    name: "stuck",
    source: { connector: "source", stream: "records" },
    destination: { connector: "stuck", stream: "records" },
  });
  const run = await api.run(id);
  const requests = async () =>
    Number(/^sluice_records_out_total\{.*integration="stuck".*\} (\d+)/m.exec((await api.text("/metrics")).text)?.[1]);
  await expect.poll(requests, patience).toBeGreaterThan(1_000);
  await putConnector(connector, { name: "stuck", type: "blackhole", config: {} });
  expect(await node().stop()).toBe(0);
  await node().start();
  expect(await api.ended(run)).toMatchObject({ status: "success", records_in: records, records_out: records });
});

test.each(["none", "strict"])(
  "a record that ends the process each time it is met becomes a dead letter, and the others are delivered (order: %s)",
  async (ordering) => {
    // More memory than a node needs for anything else, also where the collector comes late: or sound records are blamed.
    const env = { NODE_OPTIONS: "--max-old-space-size=256", SLUICE_DATABASE_URL: await createDatabase() };
    const node = await TestNode.start({ env });
    const { api, files } = node;
    const large = `[${"0,".repeat(1_500_000)}0]`;
    const line = (id: number) => JSON.stringify({ id, list: id === 5 ? large : "[]" });
    writeFileSync(join(files, "in.ndjson"), Array.from({ length: 12 }, (_, id) => line(id)).join("\n"));
    await api.connector("files", "file", { path: files });
    const id = await api.integration({
      name: "poison",
      source: { connector: "files", stream: "in.ndjson" },
      destination: { connector: "files", stream: "out.ndjson", mode: "replace" },
      delivery: { ordering },
      mapping_spec: [
        { source: "$.id", destination: "id" },
        ...Array.from({ length: 300 }, (_, n) => ({ source: "$.list", destination: `list${n}`, cast: "json" })),
      ],
    });
    const run = await api.run(id);
    let deaths = 0;
    const ended = async () => (await api.runById(run).catch(() => null))?.status === "partial";
    for (let done = false; !done && deaths < 10; ) {
      const { pid } = node;
      await expect.poll(async () => (done = await ended()) || !isAlive(pid), patience).toBe(true);
      if (done) break;
      deaths++;
      await node.kill();
      // It may die before it is ready.
      await node.start().catch(() => {});
    }
    // Once with the others, twice alone, and before that until it has come twice: a process may be given it again while it
    // runs out of memory.
    expect(deaths).toBeGreaterThanOrEqual(3);
    expect(await api.ended(run)).toMatchObject({
      status: "partial",
      records_in: 12,
      records_out: 11,
      records_failed: 1,
    });
    const letters = await api.call<{ items: object[] }>("GET", `/v1/integrations/${id}/dead-letter`);
    expect(letters.items).toMatchObject([
      { code: "INTERNAL_ERROR", message: "the process died each time that this record went through the steps" },
    ]);
  },
);

test("a record that ends the process each time it is written becomes a dead letter, and the others are delivered", async () => {
  const env = { SLUICE_DATABASE_URL: await createDatabase() };
  const preload = fileURLToPath(new URL("poison-write.ts", import.meta.url));
  const node = await TestNode.start({ env, nodeOptions: ["--import", preload] });
  const { api, files } = node;
  const records = 2_000;
  const lines = Array.from({ length: records }, (_, id) => JSON.stringify({ id, poison: id === 1_234 }));
  writeFileSync(join(files, "in.ndjson"), lines.join("\n"));
  await api.connector("files", "file", { path: files });
  await api.connector("void", "blackhole", {});
  const id = await api.integration({
    name: "poison",
    source: { connector: "files", stream: "in.ndjson" },
    destinations: [
      { id: "out", connector: "files", stream: "out.ndjson", mode: "replace" },
      { id: "void", connector: "void", stream: "all" },
    ],
  });
  const run = await api.run(id);
  const ended = async () => (await api.runById(run).catch(() => null))?.status === "partial";
  for (let deaths = 0, done = false; !done && deaths < 12; deaths++) {
    const { pid } = node;
    await expect.poll(async () => (done = await ended()) || !isAlive(pid), patience).toBe(true);
    if (done) break;
    await node.kill();
    // It may die before it is ready.
    await node.start().catch(() => {});
  }
  const out = { out: records - 1, failed: 1 };
  expect(await api.ended(run)).toMatchObject({ status: "partial", records_failed: 1, by_destination: { out } });
  const letters = await api.call<{ items: object[] }>("GET", `/v1/integrations/${id}/dead-letter`);
  expect(letters.items).toMatchObject([
    {
      destination: "out",
      code: "INTERNAL_ERROR",
      message: "the process died each time that this record was written to out",
    },
  ]);
  const landed = readFileSync(join(files, "out.ndjson"), "utf8").trimEnd().split("\n");
  const ids = landed.map((line) => (JSON.parse(line) as { id: number }).id).sort((a, b) => a - b);
  expect(ids).toEqual(Array.from({ length: records }, (_, n) => n).filter((n) => n !== 1_234));
});
