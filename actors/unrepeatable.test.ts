import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { type Faults, noFaults, type TestRecord, World } from "./testing/world.ts";

/** A script draws lots for each record: the next time, it may go elsewhere. */
function specOf(pieces: boolean): Record<string, Json> {
  return {
    source: { connector: "s", stream: "s" },
    trigger: { type: "manual" },
    pipeline_spec: {
      steps: [
        {
          id: "lots",
          type: "route",
          routes: [{ to: "a", where: { js: "Math.random() < 0.5" } }],
          otherwise: "b",
          ...(pieces && { rate_limit: 200 }),
        },
      ],
    },
    destinations: ["a", "b"].map((id) => ({ connector: "d", id, stream: id, needs: ["lots"] })),
    delivery: { batch: { records: 6, linger: "5ms" }, retry: { max_attempts: 1000, initial: "1ms", max: "5ms" } },
  };
}

function worldOf(pieces: boolean, seed: number, batches: number, faults: Faults): World {
  const world = new World(specOf(pieces), seed);
  world.batches = Array.from({ length: batches }, (_, at) =>
    Array.from({ length: 5 }, (_, i): TestRecord => ({ n: at * 5 + i, keep: true, bad: false })),
  );
  world.faults = faults;
  let drawn = seed;
  const draw = () => {
    drawn = (Math.imul(drawn, 1_103_515_245) + 12_345) >>> 0;
    return drawn > 2 ** 31;
  };
  world.script = async (_scope, _script, calls) => calls.map(() => ({ ok: true, value: draw() }));
  return world;
}

test.each([false, true])(
  "a record that a repeated batch sends elsewhere is not left out, whatever crashes (in pieces: %s)",
  async (pieces) => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          batches: fc.integer({ min: 1, max: 30 }),
          lives: fc.array(fc.integer({ min: 5, max: 400 }), { maxLength: 6 }),
          seed: fc.integer({ min: 1, max: 2 ** 31 }),
          redeliver: fc.constantFrom(0, 0.1),
          loseAck: fc.constantFrom(0, 0.3),
          commit: fc.constantFrom(0, 0.3),
        }),
        async ({ batches, lives, seed, ...faults }) => {
          const world = worldOf(pieces, seed, batches, { ...noFaults, ...faults });
          const run = world.open();
          for (const ms of lives) {
            const node = world.begin();
            await node.advance(ms);
            node.kill();
          }
          const node = world.begin();
          await node.advance(300_000, () => !world.running);
          node.kill();
          const records = batches * 5;
          const { status, counts } = world.run(run);
          expect({ status, in: counts.in, failed: counts.failed }).toEqual({
            status: "success",
            in: records,
            failed: 0,
          });
          const landed = ["a", "b"].flatMap((id) => [...(world.landed.get(id)?.keys() ?? [])]);
          expect(new Set(landed).size).toBe(records);
          expect(world.imbalance).toBeNull();
        },
      ),
      { numRuns: 60 },
    );
  },
  120_000,
);

test("without a crash no record goes twice", async () => {
  const world = worldOf(false, 7, 20, { ...noFaults, redeliver: 0.2, loseAck: 0.4 });
  const run = world.open();
  const node = world.begin();
  await node.advance(300_000, () => !world.running);
  node.kill();
  expect(world.run(run)).toMatchObject({ status: "success", counts: { in: 100, out: 100 } });
});
