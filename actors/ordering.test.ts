import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { type TestRecord, World } from "./testing/world.ts";

/** `key`: what the order is kept by. */
interface Keyed extends TestRecord {
  readonly key: number;
}

type Ordering = "key" | "strict";

function specOf(ordering: Ordering, destinations: number, branches: boolean, attempts = 1000): Record<string, Json> {
  const ids = ["a", "b"].slice(0, destinations);
  const slow = { id: "even", type: "filter", needs: ["source"], where: "$.key < 3", rate_limit: 200 };
  const fast = { id: "odd", type: "filter", needs: ["source"], where: "$.key >= 3" };
  return {
    source: { connector: "s", stream: "s" },
    trigger: { type: "manual" },
    ...(branches && { pipeline_spec: { steps: [slow, fast] } }),
    destinations: ids.map((id) => ({
      connector: "d",
      id,
      stream: id,
      ...(branches && { needs: ["even", "odd"] }),
    })),
    delivery: {
      ordering,
      ...(ordering === "key" && { key: ["key"] }),
      batch: { records: 6, linger: "5ms" },
      retry: { max_attempts: attempts, initial: "1ms", max: "5ms" },
    },
  };
}

/** Records numbered in the source's order. */
function batchesOf(sizes: readonly number[]): Keyed[][] {
  let n = 0;
  return sizes.map((size) =>
    Array.from({ length: size }, () => {
      n++;
      return { n, key: (n * 7) % 5, keep: true, bad: n % 13 === 5 };
    }),
  );
}

/** What was written to one destination, held against the promise. */
class Watch {
  readonly #ordering: Ordering;
  readonly #latest = new Map<number, number>();
  readonly #confirmed = new Map<number, number>();
  readonly #broken: string[] = [];

  constructor(ordering: Ordering) {
    this.#ordering = ordering;
  }

  /** What was confirmed to a life that is over may be written again. */
  begins(): void {
    this.#confirmed.clear();
  }

  wrote(records: readonly Keyed[], confirmed: boolean): void {
    const write = new Map(this.#confirmed);
    for (const { n, key } of records) {
      const lane = this.#ordering === "strict" ? 0 : key;
      const before = write.get(lane) ?? 0;
      if (n <= before) this.#broken.push(`${n} behind ${before}`);
      write.set(lane, n);
      this.#latest.set(key, n);
      if (confirmed) this.#confirmed.set(lane, n);
    }
  }

  expectOrder(): void {
    expect(this.#broken).toEqual([]);
  }

  expectNewest(records: readonly Keyed[]): void {
    const newest = new Map(records.filter(({ bad }) => !bad).map(({ n, key }) => [key, n]));
    expect([...this.#latest].sort()).toEqual([...newest].sort());
  }
}

describe.each(["strict", "key"] as const)("in the order %s", (ordering) => {
  test("each write stands behind what was confirmed before it, and the last one of a key is the newest, whatever fails or crashes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          sizes: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 30 }),
          destinations: fc.integer({ min: 1, max: 2 }),
          branches: fc.boolean(),
          concurrency: fc.integer({ min: 1, max: 4 }),
          attempts: fc.constantFrom(2, 1000),
          lives: fc.array(fc.record({ ms: fc.integer({ min: 5, max: 400 }), gently: fc.boolean() }), { maxLength: 4 }),
          seed: fc.integer({ min: 1, max: 2 ** 31 }),
          redeliver: fc.constantFrom(0, 0.05, 0.3),
          loseAck: fc.constantFrom(0, 0.1, 0.4),
          commit: fc.constantFrom(0, 0.2),
          write: fc.constantFrom(0, 0.2),
          skip: fc.constantFrom(0, 0.3),
        }),
        async ({ sizes, destinations, branches, concurrency, attempts, lives, seed, ...faults }) => {
          const world = new World(specOf(ordering, destinations, branches, attempts), seed);
          const batches = batchesOf(sizes);
          world.batches = batches;
          world.faults = { ...faults, read: 0 };
          world.concurrency = concurrency;
          const watches = new Map(["a", "b"].slice(0, destinations).map((id) => [id, new Watch(ordering)]));
          world.wrote = (stream, records, confirmed) => watches.get(stream)?.wrote(records as Keyed[], confirmed);
          const begin = () => {
            for (const watch of watches.values()) watch.begins();
            return world.begin();
          };
          const run = world.open();
          for (const { ms, gently } of lives) {
            const node = begin();
            await node.advance(ms);
            if (gently) expect(await node.stop()).toBeLessThan(10_000);
            else node.kill();
          }
          const node = begin();
          await node.advance(300_000, () => !world.running);
          node.kill();
          const records = batches.flat();
          for (const [id, watch] of watches) {
            watch.expectOrder();
            // Written, or a dead letter.
            const letters = [...world.tables.deadLetters.values()].filter(({ destination }) => destination === id);
            const givenUp = letters.map(({ state }) => (JSON.parse(state as string) as Keyed).n);
            const landed = [...(world.landed.get(id)?.keys() ?? [])];
            expect(new Set([...landed, ...givenUp])).toEqual(new Set(records.map(({ n }) => n)));
          }
          if (attempts < 1000) return;
          const failed = records.filter(({ bad }) => bad).length;
          expect(world.run(run)).toMatchObject({
            status: failed > 0 ? "partial" : "success",
            counts: { in: records.length, out: (records.length - failed) * destinations, failed },
          });
          for (const watch of watches.values()) watch.expectNewest(records);
        },
      ),
      { numRuns: 40 },
    );
  });
});

test("a key that is tried again holds back its lane alone", async () => {
  const world = new World(specOf("key", 1, false));
  world.batches = batchesOf([9, 9, 9]);
  world.concurrency = 2;
  const stuck = new Set<number>();
  const written = new Set<number>();
  world.beforeWrite = (_stream, records) => {
    const keys = records.map(({ value }) => (value as unknown as Keyed).key);
    // Whatever goes with key 0 waits with it.
    if (keys.includes(0)) for (const key of keys) stuck.add(key);
    if (keys.some((key) => stuck.has(key))) throw new Error("not now");
    for (const key of keys) written.add(key);
  };
  world.open();
  const node = world.begin();
  await node.advance(2_000);
  expect(written.size).toBeGreaterThan(0);
  expect(written).not.toContain(0);
  world.beforeWrite = () => {};
  await node.advance(60_000, () => !world.running);
  node.kill();
  expect(world.running).toBe(false);
});

test.each([1, 2])(
  "what is repeated after a crash leaves out nothing behind it: an older record is never the last one written (%i destinations)",
  async (destinations) => {
    const world = new World(specOf("key", destinations, false));
    const record = (n: number, key: number): Keyed => ({ n, key, keep: true, bad: false });
    world.batches = [[record(1, 0), record(2, 1)], [record(3, 1)], [record(4, 1)]];
    const written: number[] = [];
    world.wrote = (stream, records) => {
      if (stream === "a") written.push(...records.map(({ n }) => n));
    };
    world.beforeWrite = (_stream, records) => {
      if (records.some(({ value }) => (value as unknown as Keyed).key === 0)) throw new Error("not now");
    };
    world.open();
    const first = world.begin();
    await first.advance(2_000);
    first.kill();
    // The first batch is in hand still, and the key of the others was not held up.
    expect(written).toEqual([2, 3, 4]);
    world.beforeWrite = () => {};
    const second = world.begin();
    await second.advance(60_000, () => !world.running);
    second.kill();
    expect(written.slice(3).filter((n) => n > 1)).toEqual([2, 3, 4]);
  },
);
