import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { noFaults, type TestRecord, World } from "./testing/world.ts";

interface Keyed extends TestRecord {
  readonly key: number | null;
}

interface Options {
  readonly ordering?: "none" | "key" | "strict";
  readonly destinations?: number;
  readonly key?: string;
  readonly window?: string;
  readonly mode?: "append" | "replace";
  readonly retry?: string;
}

function specOf(options: Options): Record<string, Json> {
  const { ordering = "none", destinations = 1, key, window = "1h", mode = "append", retry = "1ms" } = options;
  return {
    source: { connector: "s", stream: "s" },
    trigger: { type: "manual" },
    destinations: ["a", "b"].slice(0, destinations).map((id) => ({ connector: "d", id, stream: id, mode })),
    delivery: {
      ordering,
      ...(ordering === "key" && { key: ["key"] }),
      idempotency: { window, ...(key && { key }) },
      batch: { records: 6, linger: "5ms" },
      retry: { max_attempts: 1000, initial: retry, max: retry },
    },
  };
}

const record = (n: number, key: number | null, bad = false): Keyed => ({ n, key, keep: true, bad });

/** Runs until it ends; gives back how often each record was written to the first destination. */
async function through(world: World, batches: readonly (readonly Keyed[])[]) {
  world.batches = batches;
  const run = world.open();
  const node = world.begin();
  await node.advance(300_000, () => !world.running);
  node.kill();
  return { run: world.run(run), landed: Object.fromEntries(world.landed.get("a") ?? []) };
}

test("a key that was confirmed is done without a call, within a write, a run and the next one, and counts as out", async () => {
  const world = new World(specOf({ key: "key" }));
  const first = await through(world, [
    [record(1, 7), record(2, 7)],
    [record(3, 7), record(4, 8)],
  ]);
  expect(first.landed).toEqual({ 1: 1, 4: 1 });
  expect(first.run).toMatchObject({ status: "success", counts: { in: 4, out: 4, failed: 0 } });
  const second = await through(world, [[record(5, 8), record(6, 9)]]);
  expect(second.landed).toEqual({ 1: 1, 4: 1, 6: 1 });
  expect(second.run).toMatchObject({ counts: { in: 2, out: 2 } });
});

test("a key is forgotten when its window is over", async () => {
  const world = new World(specOf({ key: "key", window: "10s" }));
  await through(world, [[record(1, 7)]]);
  expect((await through(world, [[record(2, 7)]])).landed).toEqual({ 1: 1 });
  const node = world.begin();
  await node.advance(11_000);
  node.kill();
  expect((await through(world, [[record(3, 7)]])).landed).toEqual({ 1: 1, 3: 1 });
});

test("a record that was refused leaves its key to the next one", async () => {
  const world = new World(specOf({ key: "key", ordering: "strict" }));
  const { run, landed } = await through(world, [[record(1, 7, true), record(2, 7), record(3, 7)]]);
  expect(landed).toEqual({ 2: 1 });
  expect(run).toMatchObject({ status: "partial", counts: { in: 3, out: 2, failed: 1 } });
});

test("records without the key's field are known by their ids", async () => {
  const world = new World(specOf({ key: "key" }));
  const batches = [[record(1, null), record(2, null)]];
  expect((await through(world, batches)).landed).toEqual({ 1: 1, 2: 1 });
  // Read again, they are the same ones.
  expect((await through(world, batches)).landed).toEqual({ 1: 1, 2: 1 });
});

test("each destination has keys of its own", async () => {
  const world = new World(specOf({ key: "key", destinations: 2 }));
  const { run } = await through(world, [[record(1, 7), record(2, 7)]]);
  expect(run).toMatchObject({ counts: { in: 2, out: 4 } });
  for (const id of ["a", "b"]) expect(Object.fromEntries(world.landed.get(id) ?? [])).toEqual({ 1: 1 });
});

test("whatever crashes, each key is written, and again only where the write was not committed with its message", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        sizes: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 25 }),
        destinations: fc.integer({ min: 1, max: 2 }),
        ordering: fc.constantFrom("none" as const, "key" as const, "strict" as const),
        lives: fc.array(fc.record({ ms: fc.integer({ min: 5, max: 400 }), gently: fc.boolean() }), { maxLength: 4 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        redeliver: fc.constantFrom(0, 0.3),
        loseAck: fc.constantFrom(0, 0.4),
        commit: fc.constantFrom(0, 0.2),
        skip: fc.constantFrom(0, 0.2),
      }),
      async ({ sizes, destinations, ordering, lives, seed, ...faults }) => {
        const world = new World(specOf({ destinations, ordering, key: "key" }), seed);
        let n = 0;
        const batches = sizes.map((size) =>
          Array.from({ length: size }, () => record(++n, (n * 7) % 20, n % 13 === 5)),
        );
        world.batches = batches;
        world.faults = { ...noFaults, ...faults };
        const run = world.open();
        const ids = ["a", "b"].slice(0, destinations);
        /** By destination and key, how often it was written in this life; confirmed writes are never repeated in it. */
        const inLife = new Map<string, number>();
        const repeated: string[] = [];
        world.wrote = (stream, records) => {
          // What keeps its order is written again behind a record that is tried again.
          if (ordering !== "none" && faults.skip > 0) return;
          for (const { key } of records as Keyed[]) {
            const id = `${stream} ${key}`;
            inLife.set(id, (inLife.get(id) ?? 0) + 1);
            if (inLife.get(id) !== 1) repeated.push(id);
          }
        };
        for (const { ms, gently } of lives) {
          inLife.clear();
          const node = world.begin();
          await node.advance(ms);
          if (gently) await node.stop();
          else node.kill();
        }
        inLife.clear();
        const node = world.begin();
        await node.advance(300_000, () => !world.running);
        node.kill();
        const records = batches.flat();
        const keys = new Set(records.filter(({ bad }) => !bad).map(({ key }) => key));
        expect(world.run(run)).toMatchObject({ counts: { in: records.length } });
        expect(repeated).toEqual([]);
        for (const id of ids) {
          const landed = [...(world.landed.get(id)?.keys() ?? [])].map((at) => records[at - 1]?.key);
          expect(new Set(landed)).toEqual(keys);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test("after a crash at any commit, a destination that undoes what stands behind its last state holds each key once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        // Keys of each batch, so few that a batch has some of them twice; smaller than a write.
        batches: fc.array(fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 6 }), { maxLength: 25 }),
        bad: fc.integer({ min: 2, max: 9 }),
        ordering: fc.constantFrom("none" as const, "key" as const, "strict" as const),
        // The crash comes so long after so many commits.
        lives: fc.array(fc.record({ commits: fc.integer({ min: 1, max: 4 }), ms: fc.integer({ min: 0, max: 30 }) }), {
          maxLength: 6,
        }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        retry: fc.constantFrom("1ms", "600ms"),
        redeliver: fc.constantFrom(0, 0.1),
        loseAck: fc.constantFrom(0, 0.4),
        commit: fc.constantFrom(0, 0.2),
        write: fc.constantFrom(0, 0.2),
        skip: fc.constantFrom(0, 0.2),
      }),
      async ({ batches: keys, bad, ordering, lives, seed, retry, ...faults }) => {
        const world = new World(specOf({ ordering, key: "key", mode: "replace", retry }), seed);
        let n = 0;
        world.batches = keys.map((batch) => batch.map((key) => record(++n, key, n % bad === 0)));
        world.faults = { ...noFaults, ...faults };
        let commits = 0;
        world.committing = () => {
          commits++;
        };
        const run = world.open();
        for (const life of lives) {
          commits = 0;
          const node = world.begin();
          await node.advance(10_000, () => !world.running || commits >= life.commits);
          await node.advance(life.ms);
          node.kill();
        }
        const node = world.begin();
        await node.advance(600_000, () => !world.running);
        node.kill();

        fc.pre(![...world.tables.deadLetters.values()].some(({ message }) => message.startsWith("the process died")));
        const records = world.batches.flat() as Keyed[];
        expect(world.run(run)).toMatchObject({ counts: { in: records.length } });
        const wanted = new Map<number | null, number>();
        for (const each of records) if (!each.bad && !wanted.has(each.key)) wanted.set(each.key, each.n);
        const held = (world.files.get("a") ?? []) as unknown as Keyed[];
        if (ordering === "strict") expect(held.map((each) => each.n)).toEqual([...wanted.values()]);
        else expect(held.map(({ key }) => key).sort()).toEqual([...wanted.keys()].sort());
      },
    ),
    { numRuns: 80 },
  );
});
