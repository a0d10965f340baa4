import fc from "fast-check";
import { expect, test } from "vitest";
import { noFaults, World } from "./testing/world.ts";

interface Item {
  readonly n: number;
}

test("a record has one id at its destination however often it comes: tried again, delivered again, read again after a crash, made anew of its parent", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        orders: fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 }), { maxLength: 12 }),
        destinations: fc.integer({ min: 1, max: 2 }),
        lives: fc.array(fc.record({ ms: fc.integer({ min: 5, max: 400 }), gently: fc.boolean() }), { maxLength: 4 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        redeliver: fc.constantFrom(0, 0.3),
        loseAck: fc.constantFrom(0, 0.4),
        write: fc.constantFrom(0, 0.2),
      }),
      async ({ orders, destinations, lives, seed, ...faults }) => {
        const spec = {
          source: { connector: "s", stream: "s" },
          trigger: { type: "manual" },
          pipeline_spec: { steps: [{ id: "each", type: "split", path: "items" }] },
          destinations: ["a", "b"].slice(0, destinations).map((id) => ({ connector: "d", id, stream: id })),
          delivery: { batch: { records: 6, linger: "5ms" }, retry: { max_attempts: 1000, initial: "1ms", max: "5ms" } },
        };
        const world = new World(spec, seed);
        let items = 0;
        const item = (): Item => ({ n: ++items });
        const batches = orders.map((batch) => batch.map((size) => ({ items: Array.from({ length: size }, item) })));
        world.batches = batches as unknown as typeof world.batches;
        world.faults = { ...noFaults, ...faults };
        /** By destination the ids that an item was seen with, over all lives. */
        const seen = new Map<string, Map<number, Set<string>>>();
        world.beforeWrite = (stream, records) => {
          const ids = seen.get(stream) ?? new Map<number, Set<string>>();
          seen.set(stream, ids);
          for (const { id, value } of records) {
            const { n } = value as unknown as Item;
            ids.set(n, (ids.get(n) ?? new Set()).add(id));
          }
        };
        // The second run reads all of it again.
        for (let n = 0; n < 2; n++) {
          world.open();
          for (const { ms, gently } of n === 0 ? lives : []) {
            const node = world.begin();
            await node.advance(ms);
            if (gently) await node.stop();
            else node.kill();
          }
          const node = world.begin();
          await node.advance(300_000, () => !world.running);
          node.kill();
          expect(world.running).toBe(false);
        }
        for (const stream of ["a", "b"].slice(0, items > 0 ? destinations : 0)) {
          const ids = [...(seen.get(stream)?.values() ?? [])];
          expect(ids).toHaveLength(items);
          expect(new Set(ids.flatMap((each) => [...each])).size).toBe(items);
          for (const each of ids) expect(each.size).toBe(1);
        }
      },
    ),
    { numRuns: 40 },
  );
});
