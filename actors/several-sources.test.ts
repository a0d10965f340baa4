import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { noFaults, type TestRecord, World } from "./testing/world.ts";

/** Two sources that number their records alike, as two folders with a file of one name do. */
function specOf(destinations: number): Record<string, Json> {
  return {
    sources: [
      { connector: "s", stream: "first" },
      { connector: "s", stream: "second" },
    ],
    trigger: { type: "manual" },
    destinations: ["a", "b"].slice(0, destinations).map((id) => ({ connector: "d", id, stream: id })),
    delivery: {
      batch: { records: 6, linger: "5ms" },
      retry: { max_attempts: 1000, initial: "1ms", max: "5ms" },
    },
  };
}

const life = fc.record({ ms: fc.integer({ min: 5, max: 400 }), gently: fc.boolean() });

test("whatever crashes, each record of each source is counted once, delivered, and has an id of its own", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        sizes: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 30 }),
        destinations: fc.integer({ min: 1, max: 2 }),
        lives: fc.array(life, { maxLength: 5 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        redeliver: fc.constantFrom(0, 0.05),
        loseAck: fc.constantFrom(0, 0.1),
        commit: fc.constantFrom(0, 0.2),
        write: fc.constantFrom(0, 0.2),
        read: fc.constantFrom(0, 0.05),
      }),
      async ({ sizes, destinations, lives, seed, ...faults }) => {
        const world = new World(specOf(destinations), seed);
        let n = 0;
        const next = (): TestRecord => ({ n: ++n, keep: true, bad: n % 11 === 3 });
        world.batches = sizes.map((size) => Array.from({ length: size }, next));
        world.faults = { ...noFaults, ...faults };
        const seen = new Map<string, Set<string>>();
        world.beforeWrite = (stream, records) => {
          const ids = seen.get(stream) ?? new Set();
          seen.set(stream, ids);
          for (const { id } of records) ids.add(id);
        };
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

        const bad = 2 * world.batches.flat().filter((record) => record.bad).length;
        const all = 2 * n;
        expect(world.run(run)).toMatchObject({
          status: bad > 0 ? "partial" : "success",
          counts: { in: all, out: (all - bad) * destinations, filtered: 0, failed: bad },
        });
        for (const id of ["a", "b"].slice(0, n === 0 ? 0 : destinations)) expect(seen.get(id)?.size).toBe(all);
      },
    ),
    { numRuns: 40 },
  );
});

test("a cursor that is too large for the log ends its source at once, by name; what was read before it is delivered", async () => {
  for (const { streams, length } of [
    { streams: ["s"], length: 60_000 },
    // Each batch has the places of all sources.
    { streams: ["s", "t"], length: 30_000 },
  ]) {
    const world = new World({
      sources: streams.map((stream) => ({ connector: "shop", stream })),
      trigger: { type: "manual" },
      destination: { connector: "d", stream: "d" },
      delivery: { batch: { linger: "5ms" } },
    });
    world.batches = Array.from({ length: 4 }, (_, at) => [{ n: at, keep: true, bad: false }]);
    world.cursorOf = (batches) => (batches < 3 ? batches : [batches, "x".repeat(length)]);
    const run = world.open();
    const node = world.begin();
    await node.advance(60_000, () => !world.running);
    const bytes = new RegExp(`^connector shop gave a batch of [st] with a cursor of ${length + 6} bytes.* 49152$`);
    expect(world.run(run)).toMatchObject({
      status: "failed",
      error: { code: "VALIDATION_ERROR", message: expect.stringMatching(bytes) },
    });
    expect(world.landed.get("d")?.size).toBe(2);
    expect(world.run(run).counts.out).toBe(world.run(run).counts.in);
    node.kill();
  }
});
