import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { noLogger } from "../runtime/ports/logger.ts";
import { noFaults, type TestRecord, World } from "./testing/world.ts";

const delivery = {
  batch: { records: 6, linger: "5ms" },
  retry: { max_attempts: 1000, initial: "1ms", max: "5ms" },
};
/** Every record that fails for a passing reason waits outside the log. */
const later = { ...delivery, retry: { ...delivery.retry, initial: "600ms", max: "600ms" } };
const keep = { steps: [{ id: "keep", type: "filter", where: "$.keep == true" }] };
const one = { connector: "d", stream: "a", mode: "append" };

function specOf(
  options: { destinations?: number; mode?: "full" | "incremental"; where?: string; putsOff?: boolean } = {},
) {
  const { destinations = 1, mode = "full", where, putsOff = false } = options;
  const ids = ["a", "b", "c"].slice(0, destinations);
  const spec: Record<string, Json> = {
    source: { connector: "s", stream: "s", mode, ...(mode === "incremental" && { cursor_field: "n" }) },
    trigger: { type: "manual" },
    pipeline_spec: where ? { steps: [{ id: "keep", type: "filter", where }] } : keep,
    delivery: putsOff ? later : delivery,
  };
  if (destinations === 1) spec.destination = { ...one, connector: "a" };
  else spec.destinations = ids.map((id) => ({ ...one, id, stream: id }));
  return spec;
}

const batchOf = (from: number, size: number): TestRecord[] =>
  Array.from({ length: size }, (_, i) => ({ n: from + i, keep: (from + i) % 5 !== 0, bad: (from + i) % 11 === 3 }));

function batchesOf(sizes: readonly number[], from = 0): TestRecord[][] {
  let n = from;
  return sizes.map((size) => {
    const batch = batchOf(n, size);
    n += size;
    return batch;
  });
}

/** What a run of these records must say of itself, to the record. */
function countsOf(records: readonly TestRecord[], destinations: readonly string[]) {
  const kept = records.filter(({ keep }) => keep);
  const failed = kept.filter(({ bad }) => bad).length;
  const out = kept.length - failed;
  return {
    in: records.length,
    out: out * destinations.length,
    filtered: records.length - kept.length,
    failed,
    byDestination: kept.length === 0 ? {} : Object.fromEntries(destinations.map((id) => [id, { out, failed }])),
  };
}

function expectDelivered(world: World, runId: string, records: readonly TestRecord[], ids: readonly string[]): void {
  const run = world.run(runId);
  const counts = countsOf(records, ids);
  expect(run).toMatchObject({ status: counts.failed > 0 ? "partial" : "success", error: null, counts });
  const wanted = records.filter(({ keep, bad }) => keep && !bad).map(({ n }) => n);
  for (const id of ids) {
    expect([...(world.landed.get(id)?.keys() ?? [])].sort((a, b) => a - b)).toEqual(wanted);
  }
  const letters = [...world.tables.deadLetters.values()].filter(({ runId: of }) => of === runId);
  expect(new Set(letters.map(({ recordId }) => recordId)).size).toBe(counts.failed);
  expect(letters).toHaveLength(counts.failed * ids.length);
  expect(world.imbalance).toBeNull();
}

const life = fc.record({ ms: fc.integer({ min: 5, max: 400 }), gently: fc.boolean() });

test("whatever crashes, comes twice or gets lost on the way, each record is counted once and none is lost", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        sizes: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }),
        destinations: fc.integer({ min: 1, max: 3 }),
        lives: fc.array(life, { maxLength: 5 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        redeliver: fc.constantFrom(0, 0.05, 0.3),
        loseAck: fc.constantFrom(0, 0.1, 0.4),
        commit: fc.constantFrom(0, 0.2),
        write: fc.constantFrom(0, 0.2),
        read: fc.constantFrom(0, 0.05),
        skip: fc.constantFrom(0, 0.2),
        putsOff: fc.boolean(),
      }),
      async ({ sizes, destinations, lives, seed, putsOff, ...faults }) => {
        const world = new World(specOf({ destinations, putsOff }), seed);
        world.batches = batchesOf(sizes);
        world.faults = faults;
        const run = world.open();
        for (const { ms, gently } of lives) {
          const node = world.begin();
          await node.advance(ms);
          if (gently) expect(await node.stop()).toBeLessThan(10_000);
          else node.kill();
        }
        const node = world.begin();
        await node.advance(300_000, () => !world.running);
        node.kill();
        expectDelivered(world, run, world.batches.flat(), ["a", "b", "c"].slice(0, destinations));
        expect(world.tables.retries.size).toBe(0);
        for (const { progress } of world.tables.checkpoints.values())
          expect((progress as { deferred?: number }).deferred ?? 0).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

test("while a node that was taken over does not know it yet, nothing it commits is counted twice or lost", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        sizes: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 5, maxLength: 40 }),
        destinations: fc.integer({ min: 1, max: 2 }),
        before: fc.integer({ min: 5, max: 300 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
      }),
      async ({ sizes, destinations, before, seed }) => {
        const world = new World(specOf({ destinations }), seed);
        world.batches = batchesOf(sizes);
        world.faults = { ...noFaults, redeliver: 0.05 };
        const run = world.open();
        const former = world.begin();
        await former.advance(before);
        const owner = world.begin();
        for (let i = 0; i < 20 && world.running; i++) {
          await former.advance(5);
          await owner.advance(5);
        }
        former.kill();
        await owner.advance(300_000, () => !world.running);
        owner.kill();
        expectDelivered(world, run, world.batches.flat(), ["a", "b"].slice(0, destinations));
      },
    ),
    { numRuns: 40 },
  );
});

/** A run of which the source has given everything, and the destinations have taken nothing, is cancelled. */
async function cancelled(world: World) {
  const run = world.open();
  const node = world.begin();
  const hung = new Promise<void>(() => {});
  world.beforeWrite = () => hung;
  await node.advance(1_000);
  node.tell({ type: "cancel", runId: run });
  await node.advance(30_000, () => !world.running);
  expect(world.run(run)).toMatchObject({ status: "cancelled", counts: { out: 0 } });
  world.beforeWrite = () => {};
  return { node, run };
}

test.each([1, 2])(
  "what a cancelled run of a full read left is read anew by the next, which ends and counts itself alone (%i destinations)",
  async (destinations) => {
    const world = new World(specOf({ destinations }));
    world.batches = batchesOf([3, 4, 5]);
    const { node } = await cancelled(world);
    const next = world.open();
    node.tell({ type: "wake" });
    await node.advance(60_000, () => !world.running);
    node.kill();
    expectDelivered(world, next, world.batches.flat(), ["a", "b"].slice(0, destinations));
    for (const held of world.landed.values()) expect([...held.values()].every((times) => times === 1)).toBe(true);
  },
);

test("what a cancelled run of an incremental read left is settled by the next one, dead letters included", async () => {
  const world = new World(specOf({ mode: "incremental" }));
  world.batches = batchesOf([8, 8]);
  const { node } = await cancelled(world);
  world.batches = batchesOf([8, 8, 4]);
  const next = world.open();
  node.tell({ type: "wake" });
  await node.advance(60_000, () => !world.running);
  node.kill();
  expectDelivered(world, next, world.batches.flat(), ["a"]);
});

test("a run whose log was lost ends and says so", async () => {
  const world = new World(specOf());
  world.batches = batchesOf(Array.from({ length: 60 }, () => 5));
  const run = world.open();
  const first = world.begin();
  await first.advance(5_000, () => world.run(run).counts.in > 20);
  first.kill();
  world.streams.ingest.entries.length = 0;
  world.streams.ingest.consumers.clear();
  const second = world.begin();
  await second.advance(60_000, () => !world.running);
  second.kill();
  expect(world.run(run)).toMatchObject({
    status: "failed",
    error: { message: "the log with what this run had read was lost; run it again" },
  });
});

test("a stop ends in time although a destination answers nothing, and its batch is delivered at the next start", async () => {
  const world = new World(specOf());
  world.batches = batchesOf([5, 5]);
  const run = world.open();
  const first = world.begin();
  world.beforeWrite = () => new Promise(() => {});
  await first.advance(1_000);
  expect(await first.stop()).toBeLessThanOrEqual(10_005);
  world.beforeWrite = () => {};
  const second = world.begin();
  await second.advance(60_000, () => !world.running);
  second.kill();
  expectDelivered(world, run, world.batches.flat(), ["a"]);
});

test("a stop ends in time although the store is away, and what was not committed is settled at the next start", async () => {
  const world = new World(specOf());
  world.batches = batchesOf([5, 5]);
  world.faults = { ...noFaults, commit: 0 };
  const run = world.open();
  const first = world.begin();
  world.beforeWrite = () => {
    world.away = true;
  };
  await first.advance(3_000);
  expect(world.run(run).counts.in).toBe(0);
  expect(await first.stop()).toBeLessThan(6_000);
  world.away = false;
  world.beforeWrite = () => {};
  const second = world.begin();
  await second.advance(60_000, () => !world.running);
  second.kill();
  expectDelivered(world, run, world.batches.flat(), ["a"]);
});

test("a run whose actors crash again and again at the same batch ends with their error", async () => {
  const world = new World(specOf());
  world.batches = batchesOf([5, 5]);
  const run = world.open();
  const node = world.begin();
  world.beforeWrite = () => new Promise(() => {});
  await node.advance(1_000);
  node.kill();
  const [entry] = world.streams.ingest.entries;
  Object.assign(entry!.batch, { body: "" });
  const next = world.begin();
  await next.advance(120_000, () => !world.running);
  next.kill();
  expect(world.run(run)).toMatchObject({ status: "failed", error: { code: "INTERNAL_ERROR" } });
});

test("what a destination cannot do as it should is told in the log, of each sentence a thousand characters", async () => {
  const world = new World(specOf());
  world.batches = batchesOf([1]);
  world.warnings = ["one half of it is away", "x".repeat(1_001)];
  const said: string[] = [];
  world.logger = { ...noLogger, warn: (_: object, message: string) => void said.push(message) };
  world.open();
  const node = world.begin();
  await node.advance(60_000, () => !world.running);
  node.kill();
  expect(said).toEqual(["one half of it is away", `${"x".repeat(1_000)}…`]);
});
