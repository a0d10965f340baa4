import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json, OutRecord } from "../connectors/sdk/index.ts";
import { ConnectorError } from "../connectors/sdk/index.ts";
import type { RetryStore, ScheduledRetry } from "../runtime/ports/retries.ts";
import type { Metrics } from "../runtime/ports/telemetry.ts";
import type { DestinationWriter } from "./destination-writer.ts";
import { Invocations } from "./invocations.ts";
import type { RunLedger } from "./ledger.ts";
import { Retries } from "./retries.ts";
import { Life } from "./simulation/life.ts";
import { noFaults, type TestRecord, World } from "./testing/world.ts";

const retry = { max_attempts: 4, initial: "1s", max: "1s", jitter: 0 };

interface Options {
  readonly ids?: readonly string[];
  readonly delivery?: object;
  readonly source?: Json;
}

function specOf({ ids = ["a"], delivery = {}, source = { connector: "s", stream: "s", mode: "full" } }: Options) {
  return {
    source,
    trigger: { type: "manual" },
    delivery: { batch: { records: 6, linger: "5ms" }, retry, ...delivery },
    destinations: ids.map((id) => ({ id, connector: "d", stream: id, mode: "append" })),
  } as Record<string, Json>;
}

const records: TestRecord[] = Array.from({ length: 12 }, (_, n) => ({ n, keep: true, bad: false }));
const batches = [records.slice(0, 4), records.slice(4, 8), records.slice(8)];
const numbers = (some: readonly TestRecord[]) => some.map(({ n }) => n);
const landed = (world: World, id = "a") => [...(world.landed.get(id)?.entries() ?? [])].sort(([a], [b]) => a - b);
const once = (some: readonly TestRecord[]) => some.map(({ n }) => [n, 1]);
const isFive = ({ value }: OutRecord) => (value as unknown as TestRecord).n === 5;

/** A world whose destinations fail at every write that has record 5 in it alone, while `failing`. */
function worldOf(spec: Record<string, Json>) {
  const world = new World(spec);
  world.batches = batches;
  const state = { failing: true, tries: 0 };
  world.beforeWrite = (_stream, some) => {
    if (!some.some(isFive)) return;
    state.tries++;
    if (state.failing) throw new ConnectorError("UNAVAILABLE", "not now", { fault: "transient" });
  };
  return { world, state };
}

test.each([[["a"]], [["a", "b"]]])(
  "what waits for its next try holds no batch: the others are delivered, committed and acknowledged (%j)",
  async (ids) => {
    // One record a write: the others do not share its fate.
    const { world, state } = worldOf(specOf({ ids, delivery: { batch: { records: 1 } } }));
    const run = world.open();
    const node = world.begin();
    await node.advance(500);
    expect(world.tables.retries.size).toBe(ids.length);
    const others = records.filter(({ n }) => n !== 5);
    for (const id of ids) expect(landed(world, id)).toEqual(once(others));
    expect(world.run(run)).toMatchObject({ status: "running", counts: { in: 12, out: 11 * ids.length, failed: 0 } });
    state.failing = false;
    await node.advance(10_000, () => !world.running);
    expect(world.run(run)).toMatchObject({ status: "success", counts: { in: 12, out: 12 * ids.length, failed: 0 } });
    for (const id of ids) expect(landed(world, id)).toEqual(once(records));
    expect(world.tables.retries.size).toBe(0);
    node.kill();
  },
);

test("a run whose records wait says so, and for how long", async () => {
  const { world } = worldOf(specOf({ delivery: { batch: { records: 1 } } }));
  const run = world.open();
  const node = world.begin();
  await node.advance(600);
  expect(world.run(run).waiting).toMatch(
    /^a \(retries\): 1 record is tried again, the next at 1970-01-01T00:00:01\.\d+Z$/,
  );
  node.kill();
});

test("attempts go on counting over waits and crashes, and the last one gives the record up with its history", async () => {
  const { world, state } = worldOf(specOf({ delivery: { batch: { records: 1 } } }));
  const run = world.open();
  for (let lives = 0; lives < 3; lives++) {
    const node = world.begin();
    await node.advance(1_500);
    node.kill();
  }
  const node = world.begin();
  await node.advance(20_000, () => !world.running);
  node.kill();
  expect(world.run(run)).toMatchObject({ status: "partial", counts: { in: 12, out: 11, failed: 1 } });
  const [letter, ...more] = world.tables.deadLetters.values();
  expect(more).toEqual([]);
  expect(letter).toMatchObject({
    runId: run,
    destination: "a",
    code: "UNAVAILABLE",
    state: '{"n":5,"keep":true,"bad":false}',
  });
  expect(Buffer.from(letter!.raw).toString()).toBe('{"n":5,"keep":true,"bad":false}');
  const times = letter!.attempts.map(({ at }) => Date.parse(at));
  expect(times).toHaveLength(4);
  for (const [index, time] of times.slice(1).entries()) expect(time - times[index]!).toBeGreaterThanOrEqual(1_000);
  // A crash may repeat a try that was not committed.
  expect(state.tries).toBeGreaterThanOrEqual(4);
  expect(world.tables.retries.size).toBe(0);
});

test("in order a record waits in place, and all behind it with it", async () => {
  const { world, state } = worldOf(specOf({ delivery: { ordering: "strict" } }));
  const run = world.open();
  const node = world.begin();
  await node.advance(500);
  expect(world.tables.retries.size).toBe(0);
  expect(numbers(records.slice(0, 4))).toEqual(expect.arrayContaining(landed(world).map(([n]) => n)));
  state.failing = false;
  await node.advance(10_000, () => !world.running);
  node.kill();
  expect(world.run(run)).toMatchObject({ status: "success", counts: { out: 12 } });
});

test("what a cancelled run put off is read again by the next one where it reads in full", async () => {
  const { world, state } = worldOf(specOf({ delivery: { batch: { records: 1 } } }));
  const { node } = await cancelled(world);
  expect(world.tables.retries.size).toBe(1);
  state.failing = false;
  const next = world.open();
  node.tell({ type: "wake" });
  await node.advance(10_000, () => !world.running);
  node.kill();
  expect(world.run(next)).toMatchObject({ status: "success", counts: { in: 12, out: 12, failed: 0 } });
  expect(world.tables.retries.size).toBe(0);
  expect(new Map(landed(world)).get(5)).toBe(1);
});

test("what a cancelled run put off is settled by the next one where that does not read it again", async () => {
  const source = { connector: "s", stream: "s", mode: "incremental", cursor_field: "n" };
  const { world, state } = worldOf(specOf({ source, delivery: { batch: { records: 1 } } }));
  const { node } = await cancelled(world);
  state.failing = false;
  const next = world.open();
  node.tell({ type: "wake" });
  await node.advance(10_000, () => !world.running);
  node.kill();
  expect(world.run(next)).toMatchObject({ status: "success", counts: { in: 0, out: 1, failed: 0 } });
  expect(landed(world)).toEqual(once(records));
  expect(world.tables.retries.size).toBe(0);
});

test("what waits for a destination that is taken out of the integration becomes a dead letter", async () => {
  const source = { connector: "s", stream: "s", mode: "incremental", cursor_field: "n" };
  const { world } = worldOf(specOf({ source, ids: ["a", "b"], delivery: { batch: { records: 1 } } }));
  const { node } = await cancelled(world);
  world.beforeWrite = () => {};
  world.change(2, specOf({ source, ids: ["a"] }));
  const next = world.open(2);
  node.tell({ type: "wake" });
  await node.advance(10_000, () => !world.running);
  node.kill();
  expect(world.run(next)).toMatchObject({ status: "partial", counts: { out: 1, failed: 1 } });
  expect([...world.tables.deadLetters.values()]).toMatchObject([
    { destination: "b", code: "NOT_FOUND", message: "the integration has no destination b any more" },
  ]);
  expect(world.tables.retries.size).toBe(0);
});

test("however often the node dies, what is put off and what is not are counted once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        ids: fc.constantFrom(["a"], ["a", "b"]),
        lives: fc.array(fc.integer({ min: 5, max: 2_500 }), { maxLength: 6 }),
        skip: fc.constantFrom(0.2, 0.5),
        commit: fc.constantFrom(0, 0.2),
        size: fc.integer({ min: 1, max: 6 }),
      }),
      async ({ seed, ids, lives, skip, commit, size }) => {
        const retry = { max_attempts: 1000, initial: "600ms", max: "2s" };
        const delivery = { batch: { records: size, linger: "5ms" }, retry, circuit_breaker: { open_for: "100ms" } };
        const world = new World(specOf({ ids, delivery }), seed);
        world.batches = batches;
        world.faults = { ...noFaults, skip, commit };
        const run = world.open();
        for (const ms of lives) {
          const node = world.begin();
          await node.advance(ms);
          node.kill();
        }
        const node = world.begin();
        await node.advance(600_000, () => !world.running);
        node.kill();
        expect(world.run(run)).toMatchObject({
          status: "success",
          counts: { in: 12, out: 12 * ids.length, filtered: 0, failed: 0 },
        });
        for (const id of ids) expect(landed(world, id).map(([n]) => n)).toEqual(numbers(records));
        expect(world.tables.retries.size).toBe(0);
      },
    ),
    { numRuns: 40 },
  );
});

test("while the store is asked what waits, nothing of it is forgotten, nor what is put off meanwhile", async () => {
  const life = new Life(0, 1, 0);
  const answers: PromiseWithResolvers<{ count: number; nextDue: number | null }>[] = [];
  const store: RetryStore = {
    waiting: () => {
      const answer = Promise.withResolvers<{ count: number; nextDue: number | null }>();
      answers.push(answer);
      return answer.promise;
    },
    due: async () => [],
    orphaned: async () => [],
    ofRecord: async () => [],
    dropRead: async () => {},
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const signal = new AbortController().signal;
  const ids = { integration: "i", integrationId: "i", runId: "r", destination: "d", consumer: "steps" };
  const ledger = { flushed: async () => {} } as RunLedger;
  const space = { reason: null };
  const opening = Retries.open({
    ...ids,
    ledger,
    invocations: new Invocations({ integrationId: "i", clock: life.clock, vitals: { openCircuits: {} }, space }),
    store,
    suspects: { take: async ({ marks }) => marks.map(() => 0), letGo: async () => {}, left: async () => [] },
    clock: life.clock,
    metrics: {} as Metrics,
    signal,
  });
  await settled();
  answers[0]?.resolve({ count: 2, nextDue: -1 });
  const retries = await opening;
  const stopping = new AbortController();
  const running = retries.run({} as DestinationWriter, stopping.signal, () => {});
  await settled();
  // What was due is no longer there: the store is asked again.
  expect([answers.length, retries.reason]).toEqual([2, expect.stringMatching(/^2 records are tried again/)]);
  retries.scheduled([{ dueAt: 60_000 } as ScheduledRetry]);
  answers[1]?.resolve({ count: 0, nextDue: null });
  await settled();
  expect(retries.reason).toBe("1 record is tried again, the next at 1970-01-01T00:01:00.000Z");
  stopping.abort();
  await running;
});

/** A run that has put record 5 off everywhere, and is cancelled then. */
async function cancelled(world: World) {
  const run = world.open();
  const node = world.begin();
  await node.advance(500);
  node.tell({ type: "cancel", runId: run });
  await node.advance(5_000, () => !world.running);
  expect(world.run(run)).toMatchObject({ status: "cancelled" });
  return { node, run };
}
