import { expect, test } from "vitest";
import { ConnectorError, type Json } from "../connectors/sdk/index.ts";
import { type TestRecord, World } from "./testing/world.ts";

const away = () => new ConnectorError("UNAVAILABLE", "away", { fault: "transient" });
const records = (from: number): TestRecord[] =>
  Array.from({ length: 5 }, (_, index) => ({ n: from + index, keep: true, bad: false }));

function specOf(streams: readonly string[], trigger: string): Record<string, Json> {
  return {
    sources: streams.map((stream) => ({ connector: "s", stream })),
    trigger: { type: trigger },
    destination: { connector: "d", stream: "d" },
    delivery: { batch: { linger: "5ms" }, circuit_breaker: { open_for: "1s" }, retry: { initial: "1ms", max: "5ms" } },
  };
}

test("a source that was given up is not waited for while the others are read on", async () => {
  const world = new World(specOf(["first", "second"], "manual"));
  world.batches = Array.from({ length: 400 }, (_, batch) => records(batch * 5));
  const run = world.open();
  let opens = 0;
  let said: string | null = null;
  world.beforeOpen = () => {
    // The first of the two sources; what is tried again is the same one.
    if (++opens !== 2) throw away();
  };
  world.beforeRead = async () => {
    said ??= world.waiting;
  };
  const node = world.begin();
  await node.advance(60_000, () => opens >= 4 && world.run(run).counts.out > 500);
  expect(said).toContain("away");
  expect(world.run(run).status).toBe("running");
  expect(world.waiting).toBeNull();
  expect(world.run(run).waiting).toBeNull();
  node.kill();
});

test("a run that goes on elsewhere waits no more for what its former owner waited for", async () => {
  const world = new World(specOf(["s"], "event"));
  const basis = { integrationVersion: 1, trigger: "event" as const, mark: "1" };
  world.beforeOpen = () => {
    throw away();
  };
  const first = world.begin();
  first.tell({ type: "event", basis, others: false });
  const run = () => [...world.tables.runs.values()].at(-1);
  await first.advance(60_000, () => run()?.waiting?.includes("away") === true);
  expect(run()?.waiting).toContain("away");
  first.kill();

  // There is nothing to read, and nothing to settle.
  world.beforeOpen = () => {};
  const second = world.begin();
  second.tell({ type: "event", basis, others: false });
  await second.advance(20_000, () => run()?.waiting === null);
  expect(run()).toMatchObject({ status: "running", waiting: null });
  expect(world.waiting).toBeNull();
  second.kill();
});

test("what a run that was cancelled waited for is waited for no more", async () => {
  const world = new World(specOf(["s"], "manual"));
  world.batches = [records(0)];
  world.beforeWrite = () => {
    throw new ConnectorError("FORBIDDEN", "revoked", { fault: "destination" });
  };
  const run = world.open();
  const node = world.begin();
  await node.advance(60_000, () => world.waiting?.includes("revoked") === true);
  expect(Object.keys(world.vitals.shownCircuits)).toEqual(["d"]);
  node.tell({ type: "cancel", runId: run });
  await node.advance(60_000, () => !world.running);
  await node.advance(5_000);
  expect(world.run(run)).toMatchObject({ status: "cancelled", waiting: null });
  expect(world.waiting).toBeNull();
  expect(world.vitals.shownCircuits).toEqual({});
  node.kill();
});

test("a source that says to ask again at once is asked by the backoff: its tries are not used up within moments", async () => {
  const retry = { initial: "1s", max: "5s", jitter: 0 };
  const world = new World({ ...specOf(["s"], "manual"), delivery: { retry } });
  const run = world.open();
  const tries: number[] = [];
  let now = 0;
  world.beforeOpen = () => {
    tries.push(now);
    throw new ConnectorError("RATE_LIMITED", "slow down", { fault: "transient", retryAfterMs: 0 });
  };
  const node = world.begin();
  for (; now < 60_000 && world.run(run).status !== "failed"; now += 500) await node.advance(500);
  expect(world.run(run)).toMatchObject({ status: "failed", error: { code: "RATE_LIMITED" } });
  expect(tries.map((at) => Math.round((at - tries[0]!) / 1_000))).toEqual([0, 1, 3]);
  node.kill();
});

test("a source that opens when nobody waits for it any more harms nobody, even where it cannot be closed", async () => {
  const heard: unknown[] = [];
  const hear = (error: unknown) => heard.push(error);
  process.on("unhandledRejection", hear);
  try {
    const world = new World(specOf(["s"], "manual"));
    world.batches = [records(0)];
    const opening = Promise.withResolvers<void>();
    let opens = 0;
    world.beforeOpen = () => (++opens === 1 ? opening.promise : undefined);
    let closed = 0;
    const run = world.open();
    const node = world.begin();
    await node.advance(600_000, () => !world.running);
    expect(opens).toBe(2);
    expect(world.run(run)).toMatchObject({ status: "success", counts: { out: 5 } });
    world.closing = () => {
      closed++;
      throw away();
    };
    opening.resolve();
    await node.advance(1_000);
    await new Promise(setImmediate);
    expect(closed).toBe(1);
    expect(heard).toEqual([]);
    node.kill();
  } finally {
    process.off("unhandledRejection", hear);
  }
});

test("a source that gave all that it has, and cannot be closed, fails no run", async () => {
  const world = new World(specOf(["s"], "manual"));
  world.batches = [records(0), records(5)];
  let closed = 0;
  world.closing = () => {
    closed++;
    throw away();
  };
  const run = world.open();
  const node = world.begin();
  await node.advance(600_000, () => !world.running);
  node.kill();
  expect(world.run(run)).toMatchObject({ status: "success", counts: { in: 10, out: 10 } });
  expect(closed).toBe(1);
});

test("what a step asks is closed again where a destination cannot be opened", async () => {
  const step = { id: "who", type: "enrich", connector: "crm", request: { id: "{{ $.n }}" }, merge_at: "name" };
  const world = new World({ ...specOf(["s"], "manual"), pipeline_spec: { steps: [step] } });
  world.batches = [records(0)];
  let open = 0;
  let opened = 0;
  world.lookup = async () => {
    open++;
    opened++;
    const close = async () => void open--;
    return { connectorType: "crm", resolve: async (text) => text, lookup: async () => ({ answers: [] }), close };
  };
  world.beforeOpenDestination = () => {
    throw new ConnectorError("VALIDATION_ERROR", "no such table", { fault: "destination" });
  };
  const run = world.open();
  const node = world.begin();
  await node.advance(60_000, () => !world.running);
  await node.stop();
  expect(world.run(run)).toMatchObject({ status: "failed", error: { code: "VALIDATION_ERROR" } });
  expect(opened).toBe(1);
  expect(open).toBe(0);
});
