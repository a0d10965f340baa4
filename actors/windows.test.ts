import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json, JsonObject } from "../connectors/sdk/index.ts";
import { noFaults, type TestRecord, World } from "./testing/world.ts";

const delivery = {
  batch: { records: 6, linger: "5ms" },
  retry: { max_attempts: 1000, initial: "1ms", max: "5ms" },
};

interface Options {
  readonly destinations: number;
  readonly window: JsonObject;
}

/** Groups by `keep`, of two kinds; beside it a branch past the windows. */
function specOf({ destinations, window }: Options): Record<string, Json> {
  const sums = {
    id: "sums",
    type: "aggregate",
    key: ["keep"],
    window,
    measures: { total: { sum: "n" }, count: { count: true } },
  };
  const ends = ["a", "b"].slice(0, destinations).map((id) => ({ connector: "d", id, stream: id, needs: ["sums"] }));
  return {
    source: { connector: "s", stream: "s" },
    trigger: { type: "manual" },
    pipeline_spec: { steps: [sums] },
    destinations: ends,
    delivery,
  };
}

/** What landed of windows, by stream and record id: the same id must always be the same window. */
function watchWindows(world: World): Map<string, Map<string, string>> {
  const landed = new Map<string, Map<string, string>>();
  world.beforeWrite = (stream, records) => {
    const windows = landed.get(stream) ?? new Map<string, string>();
    landed.set(stream, windows);
    for (const { id, text } of records) {
      expect(windows.get(id) ?? text).toBe(text);
      windows.set(id, text);
    }
  };
  return landed;
}

const batchesOf = (sizes: readonly number[]): TestRecord[][] => {
  let n = 0;
  return sizes.map((size) => Array.from({ length: size }, () => ({ n: ++n, keep: n % 3 !== 0, bad: false })));
};

const life = fc.record({ ms: fc.integer({ min: 5, max: 400 }), gently: fc.boolean() });

test("whatever crashes, comes twice or gets lost on the way, each record is in exactly one window", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        sizes: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }),
        destinations: fc.integer({ min: 1, max: 2 }),
        window: fc.constantFrom<JsonObject>({ count: 4 }, { duration: "20ms" }, { count: 7, duration: "50ms" }, {}),
        lives: fc.array(life, { maxLength: 5 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        redeliver: fc.constantFrom(0, 0.05),
        loseAck: fc.constantFrom(0, 0.1, 0.4),
        commit: fc.constantFrom(0, 0.2),
        write: fc.constantFrom(0, 0.2),
        read: fc.constantFrom(0, 0.05),
      }),
      async ({ sizes, destinations, window, lives, seed, ...faults }) => {
        const world = new World(specOf({ destinations, window }), seed);
        world.batches = batchesOf(sizes);
        world.faults = { ...noFaults, ...faults };
        const landed = watchWindows(world);
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

        const records = world.batches.flat();
        const { status, counts } = world.run(run);
        expect({ status, in: counts.in, filtered: counts.filtered, failed: counts.failed }).toEqual({
          status: "success",
          in: records.length,
          filtered: 0,
          failed: 0,
        });
        for (const stream of ["a", "b"].slice(0, records.length === 0 ? 0 : destinations)) {
          for (const keep of [true, false]) {
            const wanted = records.filter((record) => record.keep === keep);
            const windows = [...(landed.get(stream)?.values() ?? [])]
              .map((text) => JSON.parse(text) as { keep: boolean; total: number; count: number })
              .filter((one) => one.keep === keep);
            expect(windows.reduce((sum, { count }) => sum + count, 0)).toBe(wanted.length);
            expect(windows.reduce((sum, { total }) => sum + total, 0)).toBe(wanted.reduce((sum, { n }) => sum + n, 0));
          }
        }
        expect(world.tables.groups.size).toBe(0);
        expect(world.imbalance).toBeNull();
      },
    ),
    { numRuns: 60 },
  );
});
