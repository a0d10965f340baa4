import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresStore } from "../../adapters/postgres/index.ts";
import type { IntegrationRow } from "../../runtime/ports/store.ts";
import { addIntegration, addRun, deadLetter, newStore, noCounts, settlement, uuidV7 } from "./fixtures.ts";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
let store: PostgresStore;
beforeAll(async () => {
  server = testServer();
  store = await newStore(server);
});
afterAll(async () => {
  await store.close();
  await server.remove();
});

const fire = ({ id, version }: IntegrationRow, second: number, overlap: "skip" | "queue" | "run" = "skip") => ({
  integrationId: id,
  integrationVersion: version,
  instant: new Date(Date.UTC(2026, 10, 21, 10, 0, second)),
  overlap,
  runId: uuidV7(),
});

test("a run is running from its creation until it is finished, once", async () => {
  const integration = await addIntegration(store);
  const run = await addRun(store, integration);
  expect(run).toMatchObject({ status: "running", counts: noCounts, finishedAt: null, error: null, waiting: null });
  const wait = (waiting: string) =>
    store.checkpoints.commit([settlement(integration.id, { run: { id: run.id, counts: noCounts, waiting } })]);
  await wait("postgres is away");
  expect((await store.runs.get(run.id))!.waiting).toBe("postgres is away");
  const counts = { in: 5, out: 3, filtered: 1, failed: 1, byDestination: { crm: { out: 3, failed: 1 } } };
  const error = { code: "UNAVAILABLE" as const, message: "gone", path: "source.stream" };
  expect(await store.runs.finish(run.id, { status: "partial", error, counts })).toBe(true);
  const finished = await store.runs.get(run.id);
  expect(finished).toMatchObject({ status: "partial", error, counts, waiting: null });
  expect(finished!.finishedAt).toBeInstanceOf(Date);
  expect(await store.runs.finish(run.id, { status: "failed", error: null, counts: noCounts })).toBe(false);
  expect(await store.runs.get(run.id)).toEqual(finished);
  await wait("too late");
  expect(await store.runs.get(run.id)).toEqual(finished);
});

test("of many who start a run when idle at the same time, one does", async () => {
  const { id, version } = await addIntegration(store);
  const start = () =>
    store.runs.create({
      id: uuidV7(),
      integrationId: id,
      integrationVersion: version,
      trigger: "manual",
      onlyIfIdle: true,
    });
  const runs = (await Promise.all(Array.from({ length: 8 }, start))).filter((run) => run !== null);
  expect(runs).toHaveLength(1);
  expect(await store.runs.running(id)).toEqual(runs);
  await store.runs.finish(runs[0]!.id, { status: "success", error: null, counts: noCounts });
  expect(await start()).not.toBeNull();
});

test("running runs are listed oldest first, of one integration or of all", async () => {
  const mine = await newStore(server);
  const [a, b] = [await addIntegration(mine), await addIntegration(mine)];
  const runs = [await addRun(mine, a), await addRun(mine, b), await addRun(mine, a)];
  const done = await addRun(mine, a);
  await mine.runs.finish(done.id, { status: "success", error: null, counts: noCounts });
  expect(await mine.runs.running()).toEqual(runs);
  expect(await mine.runs.running(a.id)).toEqual([runs[0], runs[2]]);
  await mine.close();
});

test("runs are listed newest first by pages, of one status or of all", async () => {
  const integration = await addIntegration(store);
  await addRun(store, await addIntegration(store));
  const ids: string[] = [];
  for (let n = 0; n < 6; n++) {
    const run = await addRun(store, integration);
    if (n % 2 === 0) await store.runs.finish(run.id, { status: "failed", error: null, counts: noCounts });
    ids.unshift(run.id);
  }
  const first = await store.runs.list(integration.id, { limit: 4, cursor: null, status: null });
  await addRun(store, integration);
  const rest = await store.runs.list(integration.id, { limit: 4, cursor: first.nextCursor, status: null });
  expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(ids);
  expect(rest.nextCursor).toBeNull();
  const failed = await store.runs.list(integration.id, { limit: 9, cursor: null, status: "failed" });
  expect(failed.items.map(({ id }) => id)).toEqual([ids[1], ids[3], ids[5]]);
});

test("failed records are counted once, however many dead letters they have", async () => {
  const integration = await addIntegration(store);
  const run = await addRun(store, integration);
  const deadLetters = ["a", "b", "a", "c", "a"].map((recordId) => deadLetter(run, { recordId }));
  await store.checkpoints.commit([settlement(integration.id, { deadLetters })]);
  expect(await store.runs.failedRecords(run.id)).toBe(3);
});

test("an instant fires once, however many nodes try", async () => {
  const integration = await addIntegration(store);
  const tries = Array.from({ length: 8 }, () => fire(integration, 0));
  const fired = (await Promise.all(tries.map((claim) => store.schedules.fire(claim)))).filter((it) => it !== null);
  expect(fired).toHaveLength(1);
  expect(await store.runs.running(integration.id)).toEqual([fired[0]!.run]);
  expect(fired[0]!.run).toMatchObject({ trigger: "schedule", status: "running", integrationVersion: 1 });
});

test("a schedule of a former version, of a disabled or of a removed integration does not fire", async () => {
  const changed = await addIntegration(store);
  await store.integrations.update(changed.id, changed);
  expect(await store.schedules.fire(fire(changed, 0))).toBeNull();
  const disabled = await addIntegration(store, { enabled: false });
  expect(await store.schedules.fire(fire(disabled, 0))).toBeNull();
  const removed = await addIntegration(store);
  await store.integrations.remove(removed.id);
  expect(await store.schedules.fire(fire(removed, 0))).toBeNull();
});

test("a fire during a run is skipped, or runs beside it, as overlap says; either way it was claimed", async () => {
  const integration = await addIntegration(store);
  await addRun(store, integration);
  expect(await store.schedules.fire(fire(integration, 1, "skip"))).toEqual({ run: null });
  expect(await store.schedules.fire(fire(integration, 1, "run"))).toBeNull();
  const beside = await store.schedules.fire(fire(integration, 2, "run"));
  expect(beside!.run).not.toBeNull();
  expect(await store.runs.running(integration.id)).toHaveLength(2);
  expect(await store.schedules.fireQueued(integration.id, uuidV7())).toBeNull();
});

test("queued fires run one after the other, the oldest first, each once", async () => {
  const integration = await addIntegration(store);
  let run = await addRun(store, integration);
  expect(await store.schedules.fire(fire(integration, 1, "queue"))).toEqual({ run: null });
  expect(await store.schedules.fire(fire(integration, 2, "queue"))).toEqual({ run: null });
  expect(await store.schedules.fireQueued(integration.id, uuidV7())).toBeNull();
  for (let n = 0; n < 2; n++) {
    await store.runs.finish(run.id, { status: "success", error: null, counts: noCounts });
    const claims = Array.from({ length: 4 }, () => store.schedules.fireQueued(integration.id, uuidV7()));
    const opened = (await Promise.all(claims)).filter((it) => it !== null);
    expect(opened).toHaveLength(1);
    run = opened[0]!;
  }
  await store.runs.finish(run.id, { status: "success", error: null, counts: noCounts });
  expect(await store.schedules.fireQueued(integration.id, uuidV7())).toBeNull();
});

test("what a former version queued does not run", async () => {
  const integration = await addIntegration(store);
  const run = await addRun(store, integration);
  await store.schedules.fire(fire(integration, 1, "queue"));
  await store.integrations.update(integration.id, integration);
  await store.runs.finish(run.id, { status: "success", error: null, counts: noCounts });
  expect(await store.schedules.fireQueued(integration.id, uuidV7())).toBeNull();
});

test("the latest fire is known by integration, skipped ones included", async () => {
  const mine = await newStore(server);
  const [a, b] = [await addIntegration(mine), await addIntegration(mine)];
  expect(await mine.schedules.lastFires()).toEqual(new Map());
  await mine.schedules.fire(fire(a, 5));
  await mine.schedules.fire(fire(a, 9));
  await mine.schedules.fire(fire(b, 7));
  expect(await mine.schedules.lastFires()).toEqual(
    new Map([
      [a.id, fire(a, 9).instant],
      [b.id, fire(b, 7).instant],
    ]),
  );
  await mine.close();
});
