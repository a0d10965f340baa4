import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { maxRanges } from "./key-ranges.ts";
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

test.each(range(2))(
  "nor one whose batch had waited for another destination's room while hundreds went to its own (%i)",
  async (seed) => {
    /** Of those for `b`, which takes nothing: what it has in hand and what there is room for, and all that the steps may have. */
    const pad = "x".repeat(200_000);
    const world = new World(
      {
        source: { connector: "s", stream: "s" },
        trigger: { type: "manual" },
        pipeline_spec: {
          steps: [
            { id: "lots", type: "route", routes: [{ to: "a", where: { js: "lots" } }], otherwise: "large" },
            { id: "large", type: "transform", script: "pad", needs: ["lots"] },
          ],
        },
        destinations: [
          { connector: "d", id: "a", stream: "a", needs: ["lots"] },
          { connector: "d", id: "b", stream: "b", needs: ["large"] },
        ],
      },
      seed + 1,
    );
    const records = 1_000;
    world.batches = Array.from({ length: records / 2 }, (_, at) =>
      [0, 1].map((i): TestRecord => ({ n: at * 2 + i, keep: true, bad: false })),
    );
    let life = 0;
    // Every eighth batch has one for `b`: after the crash the other one of the two.
    const goesToA = ({ n }: TestRecord) => Math.floor(n / 2) % 8 !== 0 || n % 2 === life;
    world.script = async (_scope, script, calls) =>
      calls.map(({ record }) => {
        const value =
          script.source === "pad" ? { ...(record as object), pad } : goesToA(record as unknown as TestRecord);
        return { ok: true, value };
      });
    world.faults = { ...noFaults, loseAck: 0.05, redeliver: 0.05 };
    world.beforeWrite = (stream) => (stream === "b" && life === 0 ? new Promise(() => {}) : undefined);
    const run = world.open();
    const node = world.begin();
    const landed = (stream: string) => world.landed.get(stream)?.size ?? 0;
    let [before, since] = [-1, 0];
    // Until none goes to `a` any more either.
    await node.advance(60_000, () => {
      [before, since] = landed("a") === before ? [before, since + 1] : [landed("a"), 0];
      return before > 0 && since > 200;
    });
    node.kill();
    // Those that wait for room in `b` began to when there were some hundred fewer.
    expect(landed("a")).toBeGreaterThan(400);
    expect(landed("b")).toBe(0);
    life = 1;
    const next = world.begin();
    await next.advance(300_000, () => !world.running);
    next.kill();
    expect(world.run(run)).toMatchObject({ status: "success", counts: { in: records, failed: 0 } });
    const all = new Set(["a", "b"].flatMap((id) => [...(world.landed.get(id)?.keys() ?? [])]));
    expect(all.size).toBe(records);
    expect(world.imbalance).toBeNull();
    for (const { progress } of world.tables.checkpoints.values()) {
      const { parts = [], versions = [] } = progress as { parts?: Json[]; versions?: number[] };
      expect(parts.length).toBeLessThanOrEqual(64);
      expect(versions.length).toBeLessThanOrEqual(2 * maxRanges);
    }
  },
  60_000,
);

function routed(to: readonly [string, string]) {
  return {
    source: { connector: "s", stream: "s", mode: "incremental", cursor_field: "n" },
    trigger: { type: "manual" },
    pipeline_spec: {
      steps: [{ id: "by", type: "route", routes: [{ to: to[0], where: "$.keep == true" }], otherwise: to[1] }],
    },
    destinations: ["a", "b"].map((id) => ({ connector: "d", id, stream: id, needs: ["by"] })),
    delivery: { batch: { records: 4, linger: "5ms" } },
  };
}

/** Each batch has records for both, of which `b` takes none for now, and has no room for more. */
async function stuckWorld(): Promise<{ world: World; go: () => void; first: string }> {
  const world = new World(routed(["a", "b"]));
  const pad = "x".repeat(20_000);
  world.batches = Array.from({ length: 60 }, (_, at) =>
    [0, 1, 2, 3].map((i) => ({ n: at * 4 + i, keep: i < 2, bad: false, pad })),
  );
  let stuck = true;
  world.beforeWrite = (stream) => (stream === "b" && stuck ? new Promise(() => {}) : undefined);
  const go = () => {
    stuck = false;
  };
  return { world, go, first: world.open() };
}

const landedIn = (world: World) =>
  ["a", "b"].flatMap((id) => [...(world.landed.get(id) ?? new Map<number, number>()).entries()]);

test("a record that a new version sends elsewhere is not left out where a crash, and a cancel, came in the middle of its batch", async () => {
  const { world, go, first } = await stuckWorld();
  const node = world.begin();
  await node.advance(5_000);
  node.kill();
  expect(world.landed.get("a")?.size).toBeGreaterThan(0);
  const other = world.begin();
  other.tell({ type: "cancel", runId: first });
  await other.advance(60_000, () => !world.running);
  expect(world.run(first).status).toBe("cancelled");
  await other.stop();
  go();
  world.change(2, routed(["b", "a"]));
  const run = world.open(2);
  const next = world.begin();
  await next.advance(300_000, () => !world.running);
  next.kill();
  expect(world.run(run)).toMatchObject({ status: "success", counts: { failed: 0 } });
  expect(new Set(landedIn(world).map(([n]) => n)).size).toBe(240);
  expect(world.imbalance).toBeNull();
});

test("what waits for a destination's room when its run is cancelled goes to the log, and comes once", async () => {
  const { world, go, first } = await stuckWorld();
  const node = world.begin();
  await node.advance(5_000);
  const begun = world.landed.get("a")?.size ?? 0;
  node.tell({ type: "cancel", runId: first });
  await node.advance(60_000, () => !world.running);
  expect(world.run(first).status).toBe("cancelled");
  await node.stop();
  go();
  world.change(2, routed(["b", "a"]));
  const run = world.open(2);
  const next = world.begin();
  await next.advance(300_000, () => !world.running);
  next.kill();
  expect(begun).toBeGreaterThan(0);
  expect(world.run(run)).toMatchObject({ status: "success", counts: { failed: 0 } });
  const landed = landedIn(world);
  expect(new Set(landed.map(([n]) => n)).size).toBe(240);
  expect(landed.filter(([, times]) => times > 1)).toEqual([]);
  expect(landed).toHaveLength(240);
  expect(world.imbalance).toBeNull();
});

function range(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
