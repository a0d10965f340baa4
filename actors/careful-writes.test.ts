import { expect, test } from "vitest";
import { ConnectorError, type Json } from "../connectors/sdk/index.ts";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { CarefulWrites } from "./careful-writes.ts";
import { type TestRecord, World } from "./testing/world.ts";

const records = Array.from({ length: 60 }, (_, n): TestRecord => ({ n, keep: true, bad: false }));
const batches = Array.from({ length: 12 }, (_, at) => records.slice(at * 5, at * 5 + 5));
const poison = 33;

function specOf(ids: readonly string[], ordering: string): Record<string, Json> {
  return {
    source: { connector: "s", stream: "s" },
    trigger: { type: "manual" },
    destinations: ids.map((id) => ({ connector: "d", id, stream: id })),
    delivery: {
      ordering,
      ...(ordering === "key" && { key: ["n"] }),
      batch: { records: 20, linger: "5ms" },
      retry: { max_attempts: 10, initial: "600ms", max: "1s" },
    },
  };
}

/** Lives of the node until the run has ended: it dies in each write to `b` that holds the record. */
async function livesOf(world: World, fails: () => boolean): Promise<{ readonly run: string; readonly deaths: number }> {
  const run = world.open();
  for (let deaths = 0; ; deaths++) {
    const node = world.begin();
    let dead = false;
    world.beforeWrite = (stream, some) => {
      if (stream !== "b" || !some.some(({ value }) => (value as unknown as TestRecord).n === poison)) return;
      if (fails()) throw new ConnectorError("UNAVAILABLE", "not now", { fault: "transient" });
      dead = true;
      return new Promise<never>(() => {});
    };
    await node.advance(600_000, () => dead || !world.running);
    node.kill();
    if (!world.running || deaths === 15) return { run, deaths };
  }
}

/** Of writes, and of what is tried again. */
const marksOf = (world: World) =>
  [...world.tables.suspects.keys()].filter((mark) => /^(write|alone|retries) /.test(mark));

test.each([
  ["none", ["b"]],
  ["none", ["a", "b"]],
  ["strict", ["b"]],
  ["strict", ["a", "b"]],
  ["key", ["a", "b"]],
])(
  "a record that ends the process each time it is written is a dead letter, and the others are delivered (order %s, to %j)",
  async (ordering, ids) => {
    const world = new World(specOf(ids, ordering));
    world.batches = batches;
    const { run, deaths } = await livesOf(world, () => false);
    expect(world.run(run)).toMatchObject({ status: "partial", counts: { in: 60, failed: 1 } });
    expect([...world.tables.deadLetters.values()]).toMatchObject([
      {
        destination: "b",
        code: "INTERNAL_ERROR",
        message: "the process died each time that this record was written to b",
        state: JSON.stringify(records[poison]),
      },
    ]);
    for (const id of ids) {
      const others = records.filter(({ n }) => id === "a" || n !== poison).map(({ n }) => n);
      expect([...(world.landed.get(id)?.keys() ?? [])].sort((x, y) => x - y)).toEqual(others);
    }
    // Until it has come twice (in order: to one place), once with the others, three times alone.
    expect(deaths).toBeGreaterThanOrEqual(4);
    expect(deaths).toBeLessThanOrEqual(12);
    expect(marksOf(world)).toEqual([]);
  },
);

test("a record that was put off and ends the process when it is tried again is found as well", async () => {
  const world = new World(specOf(["b"], "none"));
  world.batches = batches;
  // Long enough to be put off; alone, since the others share the failure.
  const until = { failing: 3 };
  const { run, deaths } = await livesOf(world, () => until.failing-- > 0);
  expect(world.run(run)).toMatchObject({ status: "partial", counts: { in: 60, out: 59, failed: 1 } });
  expect(deaths).toBeLessThanOrEqual(8);
  expect(marksOf(world)).toEqual([]);
});

test("while nobody is suspect nothing is noted", async () => {
  const world = new World(specOf(["b"], "none"));
  world.batches = batches;
  const noted: string[] = [];
  const { suspects } = world.tables;
  suspects.set = (mark) => {
    noted.push(mark);
    return suspects;
  };
  const run = world.open();
  const node = world.begin();
  await node.advance(600_000, () => !world.running);
  node.kill();
  expect(world.run(run)).toMatchObject({ status: "success", counts: { out: 60 } });
  expect(noted).toEqual([]);
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "batches that later ones overtook are not taken for lost after a crash (%i)",
  async (seed) => {
    const world = new World(specOf(["b"], "none"), seed * 1000);
    world.batches = batches;
    const { run } = await livesOf(world, () => false);
    expect(world.run(run)).toMatchObject({ status: "partial", error: null });
  },
);

test.each(["strict", "none"])(
  "a store that is away for longer than timeout.total fails no write that was confirmed (order %s)",
  async (ordering) => {
    const spec = specOf(["b"], ordering);
    const world = new World({ ...spec, delivery: { ...(spec.delivery as object), timeout: { total: "2s" } } });
    world.batches = batches;
    const run = world.open();
    // Until its messages are suspect.
    for (let life = 0; life < 3; life++) {
      const node = world.begin();
      let writes = false;
      world.beforeWrite = () => {
        writes = true;
        return new Promise<never>(() => {});
      };
      await node.advance(600_000, () => writes);
      node.kill();
    }
    const back = Promise.withResolvers<void>();
    let isAway = false;
    let held = 0;
    world.beforeWrite = () => {
      isAway = true;
    };
    world.beforeNote = () => {
      if (!isAway) return;
      held++;
      return back.promise;
    };
    const node = world.begin();
    await node.advance(20_000);
    expect(held).toBeGreaterThan(0);
    back.resolve();
    await node.advance(600_000, () => !world.running);
    node.kill();
    expect(world.run(run)).toMatchObject({ status: "success", counts: { out: 60, failed: 0 } });
    expect([...(world.landed.get("b") ?? [])].sort(([x], [y]) => x - y)).toEqual(records.map(({ n }) => [n, 1]));
    expect(marksOf(world)).toEqual([]);
  },
);

test("what was given up while it was noted is not written when the store is back, and leaves no note", async () => {
  const asked = Promise.withResolvers<void>();
  const back = Promise.withResolvers<void>();
  const noted = new Set<string>();
  const owner = new AbortController();
  const careful = await CarefulWrites.open({
    integrationId: "i",
    destination: "b",
    store: {
      take: async ({ marks }) => {
        asked.resolve();
        await back.promise;
        for (const mark of marks) noted.add(mark);
        return marks.map(() => 0);
      },
      letGo: async ({ marks }) => {
        for (const mark of marks) noted.delete(mark);
      },
      left: async () => [],
    },
    clock: new VirtualClock(),
    signal: owner.signal,
  });
  let writes = 0;
  const batch = { records: [{ id: "1", text: "{}", value: {} }], ordered: false, signal: owner.signal };
  const written = careful.write(batch, async () => {
    writes++;
    return {};
  });
  await asked.promise;
  owner.abort(new Error("handed over"));
  back.resolve();
  await expect(written).rejects.toThrow("handed over");
  await expect.poll(() => noted.size).toBe(0);
  expect(writes).toBe(0);
});
