import fc from "fast-check";
import { expect, test } from "vitest";
import type { LogKind } from "../runtime/ports/log.ts";
import { type Entry, MemoryStream } from "./simulation/memory-log.ts";
import type { MemoryTables } from "./simulation/memory-store.ts";
import { noFaults, type TestRecord, World } from "./testing/world.ts";

const delivery = { batch: { records: 6, linger: "5ms" }, retry: { max_attempts: 1000, initial: "1ms", max: "5ms" } };

function specOf({ destinations = 1, mode = "incremental" }: { destinations?: number; mode?: "full" | "incremental" }) {
  return {
    source: { connector: "s", stream: "s", mode, ...(mode === "incremental" && { cursor_field: "n" }) },
    trigger: { type: "manual" },
    pipeline_spec: { steps: [{ id: "keep", type: "filter", where: "$.keep == true" }] },
    delivery,
    destinations: idsOf(destinations).map((id) => ({ id, connector: id, stream: id, mode: "append" })),
  };
}

const idsOf = (destinations: number) => ["a", "b", "c"].slice(0, destinations);

function batchesOf(count: number): TestRecord[][] {
  const size = 5;
  return Array.from({ length: count }, (_, batch) =>
    Array.from({ length: size }, (_, i) => {
      const n = batch * size + i;
      return { n, keep: n % 5 !== 0, bad: n % 11 === 3 };
    }),
  );
}

/** What the store holds, and how to put it back. */
function copyOf(tables: MemoryTables): () => void {
  const { runs, checkpoints, deadLetters, cursors, groups, processed, retries, epoch, logs, ends } = tables;
  const maps = [runs, checkpoints, deadLetters, cursors, groups, processed, retries] as Map<string, unknown>[];
  const copies = maps.map((map) => structuredClone([...map]));
  return () => {
    for (const [i, map] of maps.entries()) {
      map.clear();
      for (const [key, value] of copies[i] ?? []) map.set(key, value);
    }
    Object.assign(tables, { epoch, logs, ends });
  };
}

async function untilDone(world: World): Promise<void> {
  const node = world.begin();
  await node.advance(120_000, () => !world.running);
  node.kill();
}

function expectWhole(world: World, destinations: number): void {
  const records = world.batches.flat();
  const good = records.filter(({ keep, bad }) => keep && !bad).map(({ n }) => n);
  const letters = [...world.tables.deadLetters.values()];
  for (const id of idsOf(destinations)) {
    expect([...(world.landed.get(id)?.keys() ?? [])].sort((a, b) => a - b)).toEqual(good);
    const ids = letters.filter(({ destination }) => destination === id).map(({ recordId }) => recordId);
    expect(new Set(ids).size).toBe(records.filter(({ keep, bad }) => keep && bad).length);
  }
}

test("what crashes, comes twice or is given up is never taken for lost", async () => {
  const life = fc.record({ ms: fc.integer({ min: 1, max: 600 }), cancels: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        seed: fc.integer({ min: 1, max: 1e6 }),
        destinations: fc.integer({ min: 1, max: 3 }),
        mode: fc.constantFrom("full" as const, "incremental" as const),
        lives: fc.array(life, { maxLength: 4 }),
      }),
      async ({ seed, destinations, mode, lives }) => {
        const world = new World(specOf({ destinations, mode }), seed);
        world.batches = batchesOf(12);
        world.faults = { ...noFaults, redeliver: 0.05, loseAck: 0.1, commit: 0.1, write: 0.1, read: 0.05 };
        let run = world.open();
        for (const { ms, cancels } of lives) {
          const node = world.begin();
          await node.advance(ms);
          if (cancels) {
            node.tell({ type: "cancel", runId: run });
            await node.advance(60_000, () => !world.running);
            run = world.open();
          }
          node.kill();
        }
        world.faults = noFaults;
        await untilDone(world);
        expect(world.lost).toBeNull();
        expectWhole(world, destinations);
      },
    ),
    { numRuns: 60 },
  );
});

test.each([1, 2])(
  "a store that forgot the end of a run has it delivered again (%i destinations)",
  async (destinations) => {
    const world = new World(specOf({ destinations }));
    world.batches = batchesOf(60);
    const run = world.open();
    const first = world.begin();
    await first.advance(60_000, () => world.run(run).counts.in > 40);
    const putBack = copyOf(world.tables);
    await first.advance(60_000, () => !world.running);
    await first.stop();
    const { status, counts } = world.run(run);
    putBack();
    await untilDone(world);
    expect(world.lost).toMatch(/Postgres is older than the logs.*steps \d+ to \d+/);
    expect(world.run(run)).toMatchObject({ status, counts: { ...counts, ledger: expect.anything() } });
    expectWhole(world, destinations);
  },
);

/** All that is settled leaves the log, but for the last message of each subject. */
function trimmed({ entries }: MemoryStream, upTo: number): void {
  const lasts = new Set(
    Map.groupBy(entries, ({ subject }) => subject)
      .values()
      .map((all) => all.at(-1)),
  );
  const kept = entries.filter((entry) => lasts.has(entry) || entry.sequence > upTo);
  entries.splice(0, entries.length, ...kept);
}

test.each([1, 2])(
  "what a store forgot that has left the log since is told with its sequences, and the next run goes on (%i destinations)",
  async (destinations) => {
    const world = new World(specOf({ destinations }));
    world.batches = batchesOf(150);
    const run = world.open();
    const first = world.begin();
    await first.advance(60_000, () => world.run(run).counts.in > 40);
    const putBack = copyOf(world.tables);
    const [known = 0] = (world.tables.checkpoints.get("steps")?.settled ?? []).slice(-1);
    await first.advance(60_000, () => !world.running);
    await first.stop();
    const left = world.streams.ingest.sequence - 10;
    trimmed(world.streams.ingest, left);
    trimmed(world.streams.deliver, world.streams.deliver.sequence - 10);
    putBack();
    await untilDone(world);
    const range = `sequences ${known + 1} to ${left} has left the log since`;
    expect(world.losses.join()).toContain(range);
    expect(world.run(run)).toMatchObject({ status: "failed", error: { message: expect.stringContaining(range) } });
    // The cursor is the log's: what was read is not read again. What is still there of it is settled.
    world.batches = [...world.batches, ...batchesOf(3)];
    const next = world.open();
    const told = world.losses.length;
    await untilDone(world);
    expect(world.run(next)).toMatchObject({ status: "partial", counts: { in: 15 + 45 } });
    expect(world.losses.length).toBe(told);
    expect(world.imbalance).toBeNull();
  },
);

test("what waited for a destination when the store was copied, and has left the log since, is made again", async () => {
  const world = new World(specOf({ destinations: 2 }));
  world.batches = batchesOf(12);
  const run = world.open();
  const first = world.begin();
  world.beforeWrite = (stream) => (stream === "b" ? new Promise(() => {}) : undefined);
  await first.advance(60_000, () => world.run(run).counts.byDestination.a?.out === 44);
  first.kill();
  world.beforeWrite = () => {};
  const putBack = copyOf(world.tables);
  await untilDone(world);
  trimmed(world.streams.deliver, Number.POSITIVE_INFINITY);
  for (const id of [...world.tables.deadLetters.keys()]) world.tables.deadLetters.delete(id);
  putBack();
  world.landed.get("b")?.clear();
  await untilDone(world);
  expect(world.losses.join()).toMatch(/was trimmed after the state that Postgres was restored from.*steps again/);
  world.open();
  await untilDone(world);
  expectWhole(world, 2);
});

test("logs that were trimmed beside a store that forgot nothing are taken for what they are", async () => {
  const world = new World(specOf({ destinations: 2 }));
  for (let n = 1; n <= 4; n++) {
    world.batches = batchesOf(8 * n);
    world.open();
    const node = world.begin();
    // A take-over has a sequence of its own.
    await node.advance(3 * n);
    node.kill();
    await untilDone(world);
    for (const stream of Object.values(world.streams)) trimmed(stream, stream.sequence);
  }
  expect(world.losses).toEqual([]);
  expectWhole(world, 2);
});

test("a store that forgot that an integration ever ran has all of it delivered again by the next run", async () => {
  const world = new World(specOf({ destinations: 2 }));
  world.batches = batchesOf(10);
  const putBack = copyOf(world.tables);
  world.open();
  await untilDone(world);
  putBack();
  world.landed.clear();
  world.open();
  await untilDone(world);
  expect(world.lost).toMatch(/Postgres is older than the logs/);
  expectWhole(world, 2);
});

test("of a log of deliveries that is lost, those that were waiting are made again by the next run", async () => {
  const world = new World(specOf({ destinations: 2 }));
  world.batches = batchesOf(30);
  const run = world.open();
  const first = world.begin();
  world.beforeWrite = (stream) => (stream === "b" ? new Promise(() => {}) : undefined);
  await first.advance(60_000, () => world.run(run).counts.byDestination.a?.out === 110);
  first.kill();
  world.streams.deliver = new MemoryStream(1_000_000);
  world.beforeWrite = () => {};
  await untilDone(world);
  expect(world.run(run)).toMatchObject({ status: "failed", error: { message: expect.stringMatching(/was lost/) } });
  expect(world.lost).toMatch(/What its ingest log holds from sequence \d+ on is taken through the steps again/);
  world.open();
  await untilDone(world);
  expectWhole(world, 2);
});

test.each([
  ["lost", 1_000_000, /its log was lost/],
  ["older than what was settled", 1, /its log is older than what was settled/],
])("of a log that is %s, what was not delivered is read again by the next run", async (_, born, message) => {
  const world = new World(specOf({ destinations: 2 }));
  world.batches = batchesOf(4);
  world.open();
  await untilDone(world);
  world.batches = batchesOf(40);
  const run = world.open();
  const first = world.begin();
  await first.advance(60_000, () => world.run(run).counts.in > 40);
  first.kill();
  world.streams.ingest = new MemoryStream(born);
  await untilDone(world);
  expect(world.run(run)).toMatchObject({ status: "failed", error: { message: expect.stringMatching(message) } });
  expect(world.lost).toMatch(/go on from their cursors of the last run that ended whole/);
  world.open();
  await untilDone(world);
  expectWhole(world, 2);
});

const kinds: readonly LogKind[] = ["ingest", "deliver"];

test.each([
  [["deliver"], /has lost its end.*begun anew/] as const,
  [["ingest"], /its log is older/] as const,
  [kinds, /its log is older|has lost its end/] as const,
])(
  "of logs that come back without their end (%j), all is made again or read again, and it is said so",
  async (which, message) => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.integer({ min: 1, max: 1e6 }),
          destinations: fc.integer({ min: 2, max: 3 }),
          kept: fc.integer({ min: 20, max: 300 }),
          later: fc.integer({ min: 50, max: 400 }),
          up: fc.boolean(),
          slow: fc.boolean(),
        }),
        async ({ seed, destinations, kept, later, up, slow }) => {
          const world = new World(specOf({ destinations }), seed);
          world.batches = batchesOf(4);
          world.open();
          await untilDone(world);
          world.batches = batchesOf(80);
          // One destination is behind the others.
          world.beforeWrite = (stream) => (slow && stream === "b" ? new Promise(() => {}) : undefined);
          world.open();
          const node = world.begin();
          await node.advance(kept);
          const putBack = which.map((kind) => world.streams[kind].keep());
          const before = which.map((kind) => world.streams[kind].sequence);
          await node.advance(later);
          const lost = which.some((kind, i) => world.streams[kind].sequence > (before[i] as number));
          if (!up) node.kill();
          for (const back of putBack) back();
          world.beforeWrite = () => {};
          if (up) {
            // None waits for ever for what does not come any more.
            await node.advance(300_000, () => !world.running);
            expect(world.running).toBe(false);
            node.kill();
          }
          await untilDone(world);
          expect(world.running).toBe(false);
          world.open();
          await untilDone(world);
          expectWhole(world, destinations);
          if (lost && world.losses.length > 0) expect(world.losses[0]).toMatch(message);
        },
      ),
      { numRuns: 10 },
    );
  },
  120_000,
);

test.each([1, 2])(
  "batches that the store had and lost are dead letters, and the run goes on (%i destinations)",
  async (destinations) => {
    const world = new World(specOf({ destinations }));
    world.batches = batchesOf(8);
    const run = world.open();
    const first = world.begin();
    world.beforeWrite = () => new Promise(() => {});
    await first.advance(2_000);
    first.kill();
    world.beforeWrite = () => {};
    const kind = destinations === 1 ? "ingest" : "deliver";
    const gone = world.streams[kind].entries.find(({ batch }) => batch.header.kind === "records") as Entry;
    const { count } = gone.batch.header;
    Object.assign(gone, { gone: "Postgres has lost them" });
    await untilDone(world);
    expect(world.losses.join()).toMatch(/Postgres has lost them. They are dead letters without a payload/);
    const letters = [...world.tables.deadLetters.values()].filter(
      ({ message }) => message === "Postgres has lost them",
    );
    expect(letters).toHaveLength(count);
    for (const letter of letters) expect(letter).toMatchObject({ code: "NOT_FOUND", raw: { length: 0 }, state: null });
    expect(world.run(run)).toMatchObject({ status: "partial", counts: { in: 40 } });
    expect(world.imbalance).toBeNull();
    // Of all others nothing is missing.
    const good = world.batches.flat().filter(({ keep, bad }) => keep && !bad);
    for (const id of idsOf(destinations)) {
      const missing = good.filter(({ n }) => !world.landed.get(id)?.has(n));
      const here = destinations === 1 || letters[0]?.destination === id;
      expect(missing.length).toBeLessThanOrEqual(here ? count : 0);
      expect(missing.length > 0).toBe(here);
    }
  },
);

test("a log of deliveries that is not in use any more is not missed", async () => {
  const world = new World(specOf({ destinations: 2 }));
  world.batches = batchesOf(4);
  world.open();
  await untilDone(world);
  world.change(2, specOf({ destinations: 1 }));
  world.batches = batchesOf(8);
  world.open(2);
  await untilDone(world);
  world.streams.deliver = new MemoryStream(1_000_000);
  world.batches = batchesOf(12);
  const run = world.open(2);
  await untilDone(world);
  expect(world.losses).toEqual([]);
  expect(world.run(run)).toMatchObject({ status: "partial", counts: { in: 20 } });
});

test("whatever is put back to whichever moment, a run that follows makes it whole, and none goes on for ever", async () => {
  const moment = fc.record({
    part: fc.constantFrom("store" as const, "ingest" as const, "deliver" as const),
    kept: fc.integer({ min: 0, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        seed: fc.integer({ min: 1, max: 1e6 }),
        destinations: fc.integer({ min: 1, max: 3 }),
        steps: fc.array(fc.integer({ min: 10, max: 200 }), { minLength: 4, maxLength: 4 }),
        moments: fc.uniqueArray(moment, { minLength: 1, maxLength: 3, selector: ({ part }) => part }),
      }),
      async ({ seed, destinations, steps, moments }) => {
        const world = new World(specOf({ destinations }), seed);
        world.batches = batchesOf(4);
        world.open();
        await untilDone(world);
        world.batches = batchesOf(60);
        world.open();
        const node = world.begin();
        const backs: (() => void)[] = [];
        for (const [at, ms] of steps.entries()) {
          await node.advance(ms);
          for (const { part, kept } of moments) {
            if (kept === at) backs.push(part === "store" ? copyOf(world.tables) : world.streams[part].keep());
          }
        }
        node.kill();
        for (const back of backs) back();
        await untilDone(world);
        for (let n = 0; n < 2; n++) {
          world.open();
          await untilDone(world);
          expect(world.running).toBe(false);
        }
        expectWhole(world, destinations);
      },
    ),
    { numRuns: 15 },
  );
});

const openLogs = ({ streams }: World) => streams.ingest.opened + streams.deliver.opened;

test("logs are closed where the store does not answer while they are looked at", async () => {
  const world = new World(specOf({}));
  world.batches = batchesOf(2);
  const run = world.open();
  let fails = 2;
  const seen: number[] = [];
  world.beforeLoad = () => {
    seen.push(openLogs(world));
    if (fails-- > 0) throw new Error("the store is away");
  };
  const node = world.begin();
  await node.advance(120_000, () => !world.running);
  await node.stop();
  expect(world.run(run)).toMatchObject({ status: "partial" });
  expect(fails).toBeLessThan(0);
  expect(new Set(seen)).toEqual(new Set([2]));
  expect(openLogs(world)).toBe(0);
});

test("logs that are open only when the integration has been handed over are closed", async () => {
  const world = new World(specOf({}));
  // Of an owner that kept no identities: the checkpoints are the last that is asked for.
  world.tables.epoch = 1;
  world.open();
  const asked = Promise.withResolvers<void>();
  let isAsked = false;
  world.beforeLoad = () => {
    isAsked = true;
    return asked.promise;
  };
  const node = world.begin();
  await node.advance(120_000, () => isAsked);
  await node.stop();
  expect(openLogs(world)).toBe(2);
  asked.resolve();
  await expect.poll(() => openLogs(world)).toBe(0);
});
