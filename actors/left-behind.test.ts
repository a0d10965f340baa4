import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { noFaults, type TestRecord, World } from "./testing/world.ts";

function specOf(ids: readonly string[], mode: string): Record<string, Json> {
  return {
    source: { connector: "s", stream: "s", mode, ...(mode === "incremental" && { cursor_field: "n" }) },
    trigger: { type: "manual" },
    destinations: ids.map((id) => ({ connector: "d", id, stream: id })),
    delivery: { batch: { records: 6, linger: "5ms" }, retry: { max_attempts: 1000, initial: "1ms", max: "5ms" } },
  };
}

const recordsOf = (count: number, from = 1): TestRecord[] =>
  Array.from({ length: count }, (_, i) => ({ n: from + i, keep: true, bad: false }));

/** A world whose destination b is stuck, after a run that was cancelled. */
async function cancelledWorld(ids: readonly string[], mode: string, batches: number, ms: number, seed = 1) {
  const world = new World(specOf(ids, mode), seed);
  world.batches = Array.from({ length: batches }, (_, at) => recordsOf(5, at * 5 + 1));
  const stuck = { is: true };
  world.beforeWrite = (stream) => {
    if (stream === "b" && stuck.is) throw new Error("stuck");
  };
  const run = world.open();
  const node = world.begin();
  await node.advance(ms, () => !world.running);
  node.tell({ type: "cancel", runId: run });
  await node.advance(60_000, () => !world.running);
  expect(world.run(run).status).toBe("cancelled");
  node.kill();
  stuck.is = false;
  return world;
}

/** What the log holds for a destination, whether settled or not. */
function passedOn(world: World, id: string): number[] {
  const entries = world.streams.deliver.entries.filter(({ subject, batch }) => {
    return subject === id && batch.header.kind === "records";
  });
  const texts = entries.flatMap(({ batch }) => Buffer.from(batch.body).toString().split("\n"));
  return [...new Set(texts.map((text) => (JSON.parse(text) as TestRecord).n))].sort((x, y) => x - y);
}

const landed = (world: World, id: string) => [...(world.landed.get(id)?.keys() ?? [])].sort((x, y) => x - y);
const lettersOf = (world: World, id: string) =>
  [...world.tables.deadLetters.values()]
    .filter(({ destination }) => destination === id)
    .map(({ state }) => (JSON.parse(state as string) as TestRecord).n);

test("what waits in the log for a destination that is taken out becomes dead letters, and what waits for one that stays is delivered", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        after: fc.constantFrom<string[]>(["a"], ["b"], ["a", "c"], ["c"], ["c", "d"]),
        batches: fc.integer({ min: 1, max: 30 }),
        ms: fc.integer({ min: 30, max: 800 }),
        lives: fc.array(fc.integer({ min: 5, max: 400 }), { maxLength: 3 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        loseAck: fc.constantFrom(0, 0.2),
        commit: fc.constantFrom(0, 0.2),
        write: fc.constantFrom(0, 0.2),
      }),
      async ({ after, batches, ms, lives, seed, ...faults }) => {
        const world = await cancelledWorld(["a", "b"], "incremental", batches, ms, seed);
        const before = { a: passedOn(world, "a"), b: passedOn(world, "b") };
        world.change(2, specOf(after, "incremental"));
        world.faults = { ...noFaults, ...faults };
        const run = world.open(2);
        for (const life of lives) {
          const node = world.begin();
          await node.advance(life);
          node.kill();
        }
        const node = world.begin();
        await node.advance(300_000, () => !world.running);
        node.kill();

        const all = world.batches.flat().map(({ n }) => n);
        const letters = [...world.tables.deadLetters.values()];
        const { status, counts } = world.run(run);
        expect(status).toBe(letters.length > 0 ? "partial" : "success");
        expect(counts.failed).toBe(new Set(letters.map(({ recordId }) => recordId)).size);
        for (const id of ["a", "b"] as const) {
          const given = lettersOf(world, id);
          // Each once, and each that was not delivered.
          expect(new Set(given).size).toBe(given.length);
          const reached = [...new Set([...landed(world, id), ...given])].sort((x, y) => x - y);
          expect(reached).toEqual(after.includes(id) ? all : before[id]);
          if (after.includes(id)) expect(given).toEqual([]);
        }
        // What the cancelled run had not passed on goes to whom the integration has now.
        const fresh = all.filter((n) => !before.a.includes(n));
        for (const id of after) expect(landed(world, id)).toEqual(expect.arrayContaining(fresh));
        for (const letter of letters) {
          expect(letter).toMatchObject({
            code: "NOT_FOUND",
            message: `the integration has no destination ${letter.destination} any more`,
            runId: run,
          });
          expect(Buffer.from(letter.raw).toString()).toBe(letter.state);
        }
        expect(world.imbalance).toBe(null);
      },
    ),
    { numRuns: 60 },
  );
});

test("what a full read left for a destination that is taken out is dropped, since it is read again", async () => {
  const world = await cancelledWorld(["a", "b"], "full", 10, 400);
  expect(passedOn(world, "b").length).toBeGreaterThan(0);
  world.change(2, specOf(["a"], "full"));
  const run = world.open(2);
  const node = world.begin();
  await node.advance(60_000, () => !world.running);
  node.kill();
  expect(world.run(run)).toMatchObject({ status: "success", counts: { in: 50, out: 50, failed: 0 } });
  expect(world.tables.deadLetters.size).toBe(0);
});

test("what waits for a destination that has come meanwhile is left to the run that knows it", async () => {
  const world = await cancelledWorld(["a", "b"], "incremental", 10, 400);
  // A run of an older version, opened before b came.
  world.change(1, specOf(["a"], "incremental"));
  world.change(2, specOf(["a", "b"], "incremental"));
  const older = world.open(1);
  const node = world.begin();
  await node.advance(60_000, () => !world.running);
  expect(world.run(older).status).toBe("success");
  expect(world.tables.deadLetters.size).toBe(0);
  const run = world.open(2);
  node.tell({ type: "wake" });
  await node.advance(60_000, () => !world.running);
  node.kill();
  expect(world.run(run).status).toBe("success");
  expect(landed(world, "b")).toEqual(expect.arrayContaining(passedOn(world, "b")));
});

test("however much waits for a destination that is gone, only a little of it is in hand at once", async () => {
  const world = await cancelledWorld(["a", "b"], "incremental", 400, 20_000);
  const waiting = passedOn(world, "b").length;
  expect(waiting).toBeGreaterThan(1_000);
  world.change(2, specOf(["a"], "incremental"));
  let most = 0;
  world.committing = (settlements) => {
    for (const { deadLetters } of settlements) most = Math.max(most, deadLetters.length);
  };
  const run = world.open(2);
  const node = world.begin();
  await node.advance(600_000, () => !world.running);
  node.kill();
  expect(world.run(run).status).toBe("partial");
  expect(lettersOf(world, "b")).toHaveLength(waiting);
  expect(most).toBeLessThanOrEqual(40);
});
