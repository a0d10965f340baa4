import { expect, test } from "vitest";
import { ConnectorError, type Json } from "../connectors/sdk/index.ts";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { type Basis, EndlessRuns } from "./endless.ts";
import { type Incarnation, type TestRecord, World } from "./testing/world.ts";

/** As long as a run is here: time passes in steps of 5 ms. */
const hour = 60_000;
const spec: Record<string, Json> = {
  source: { connector: "s", stream: "s" },
  destination: { connector: "a", stream: "a", mode: "append" },
  trigger: { type: "event" },
  delivery: { batch: { linger: "5ms" }, retry: { max_attempts: 4, initial: "1s", max: "10s" } },
};
const basis: Basis = { integrationVersion: 1, trigger: "event", mark: "1" };
const batchAt = (at: number): TestRecord[] =>
  Array.from({ length: 5 }, (_, index) => ({ n: at * 5 + index, keep: true, bad: false }));

/** A world whose source gets a batch more each time it is fed. */
function endlessWorld(batches = 1): { world: World; feed: (batches?: number) => void } {
  const world = new World(spec);
  world.eventRunMs = hour;
  const feed = (more = 1) => {
    const from = world.batches.length;
    world.batches = [...world.batches, ...Array.from({ length: more }, (_, index) => batchAt(from + index))];
  };
  feed(batches);
  return { world, feed };
}

const begin = (world: World): Incarnation => {
  const node = world.begin();
  node.tell({ type: "event", basis, others: false });
  return node;
};
const runs = (world: World) => [...world.tables.runs.values()];
const landed = (world: World) => [...(world.landed.get("a") ?? [])];
const once = (batches: number) => Array.from({ length: batches * 5 }, (_, n) => [n, 1]);
const has = (world: World, batches: number) => () => landed(world).length === batches * 5;

test("each hour has a run, and the source stays open from one to the next: nothing is missed, nothing comes twice", async () => {
  const { world, feed } = endlessWorld();
  const node = begin(world);
  for (let batches = 1; batches <= 4; batches++) {
    await node.advance(hour, has(world, batches));
    await node.advance(hour);
    feed();
  }
  await node.advance(hour, has(world, 5));
  await node.advance(5_000);
  expect(landed(world)).toEqual(once(5));
  expect(world.opened).toBe(1);
  expect(world.stored).toBe(5);
  const [last, ...ended] = runs(world).toReversed();
  expect(ended.length).toBeGreaterThanOrEqual(4);
  for (const { trigger, status, error } of ended) {
    expect({ trigger, status, error }).toEqual({ trigger: "event", status: "success", error: null });
  }
  expect(last?.status).toBe("running");
  expect(runs(world).reduce((sum, { counts }) => sum + counts.in, 0)).toBe(25);
  // At the full hour, and the next one at once.
  const firstEnd = ended.at(-1)?.finishedAt?.getTime() ?? 0;
  expect(firstEnd - hour).toBeLessThan(1_000);
  expect((ended.at(-2)?.startedAt.getTime() ?? 0) - firstEnd).toBeLessThan(1_000);
  node.kill();
});

test("a source that is silent for days is not taken to hang, and its destination counts as up to date", async () => {
  const { world } = endlessWorld();
  const node = begin(world);
  await node.advance(4 * hour);
  expect(world.opened).toBe(1);
  const [destination] = world.vitals.gauges(4 * hour, 0).consumers;
  expect(destination?.freshnessSeconds).toBeLessThanOrEqual(10);
  node.kill();
});

test("what is disabled ends once all that was read is settled, and begins again where it stood", async () => {
  const { world, feed } = endlessWorld(3);
  const node = begin(world);
  await node.advance(hour, has(world, 1));
  node.tell({ type: "event", basis: null, others: false });
  await node.advance(60_000, () => !world.running);
  expect(runs(world)).toMatchObject([{ status: "success" }]);
  feed();
  await node.advance(2 * hour);
  expect(runs(world)).toHaveLength(1);
  node.tell({ type: "event", basis: { integrationVersion: 1, trigger: "event", mark: "2" }, others: false });
  await node.advance(60_000, has(world, 4));
  expect(landed(world)).toEqual(once(4));
  node.kill();
});

test("another version, or a connector that has changed, ends the run and opens the source anew", async () => {
  const { world, feed } = endlessWorld();
  const node = begin(world);
  await node.advance(hour, has(world, 1));
  node.tell({
    type: "event",
    basis: { integrationVersion: 1, trigger: "event", mark: "connector changed" },
    others: false,
  });
  feed();
  await node.advance(60_000, () => world.opened === 2 && has(world, 2)());
  expect(runs(world).map(({ status }) => status)).toEqual(["success", "running"]);
  world.change(2, spec);
  node.tell({ type: "event", basis: { integrationVersion: 2, trigger: "event", mark: "version 2" }, others: false });
  feed();
  await node.advance(60_000, () => world.opened === 3 && has(world, 3)());
  expect(runs(world).map((run) => run.integrationVersion)).toEqual([1, 1, 2]);
  expect(landed(world)).toEqual(once(3));
  node.kill();
});

test("a run that waits, such as a replay, is let pass; the source stays open", async () => {
  const { world, feed } = endlessWorld();
  const node = begin(world);
  await node.advance(hour, has(world, 1));
  const [first] = runs(world) as [typeof world.tables.runs extends Map<string, infer R> ? R : never];
  const id = "01900000-0000-7000-9000-999999999999";
  world.tables.runs.set(id, { ...first, id, trigger: "manual", jobId: null });
  // It reads the same finite batches in the simulation, from its own beginning on.
  node.tell({ type: "wake" });
  await node.advance(60_000, () => world.run(id).status !== "running");
  expect(world.run(id)).toMatchObject({ status: "success" });
  feed();
  node.tell({ type: "event", basis, others: false });
  await node.advance(60_000, has(world, 2));
  expect(world.opened).toBe(1);
  node.kill();
});

test("a run that is cancelled is followed by the next, which reads on", async () => {
  const { world, feed } = endlessWorld();
  const node = begin(world);
  await node.advance(hour, has(world, 1));
  node.tell({ type: "cancel", runId: runs(world)[0]!.id });
  feed();
  await node.advance(10_000, has(world, 2));
  expect(runs(world).map(({ status }) => status)).toEqual(["cancelled", "running"]);
  expect(landed(world)).toEqual(once(2));
  node.kill();
});

test("a source that is away is waited for without end; one whose configuration is wrong is not, until that changes", async () => {
  const { world } = endlessWorld();
  world.beforeOpen = () => {
    throw new ConnectorError("UNAUTHORIZED", "the broker refuses the password", { fault: "destination" });
  };
  const node = begin(world);
  await node.advance(hour / 2);
  expect(runs(world)).toMatchObject([{ status: "running", waiting: "source: the broker refuses the password" }]);
  world.beforeOpen = () => {};
  await node.advance(60_000, has(world, 1));
  expect(runs(world)).toMatchObject([{ status: "running" }]);
  node.kill();

  const wrong = endlessWorld();
  wrong.world.beforeOpen = () => {
    const options = { fault: "destination", path: "source.stream" } as const;
    throw new ConnectorError("VALIDATION_ERROR", "there is no such stream", options);
  };
  const other = begin(wrong.world);
  await other.advance(hour / 2);
  expect(runs(wrong.world)).toMatchObject([
    { status: "failed", error: { code: "VALIDATION_ERROR", path: "source.stream" } },
  ]);
  wrong.world.beforeOpen = () => {};
  other.tell({ type: "event", basis, others: false });
  await other.advance(60_000);
  expect(runs(wrong.world)).toHaveLength(1);
  other.tell({ type: "event", basis: { integrationVersion: 1, trigger: "event", mark: "mended" }, others: false });
  await other.advance(60_000, has(wrong.world, 1));
  other.kill();
});

test("after a kill -9 it goes on from the log's cursor, in the same run, and nothing is lost", async () => {
  const { world, feed } = endlessWorld(20);
  let node = begin(world);
  for (let kills = 0; kills < 5; kills++) {
    await node.advance(10_000, () => landed(world).length > 20 * (kills + 1));
    node.kill();
    node = begin(world);
    feed(5);
  }
  await node.advance(2 * hour, has(world, 45));
  expect(
    landed(world)
      .map(([n]) => n)
      .sort((a, b) => a - b),
  ).toEqual(once(45).map(([n]) => n));
  expect(runs(world).filter(({ status }) => status === "running")).toHaveLength(1);
  expect(world.imbalance).toBeNull();
  node.kill();
});

test("records that wait for a later try hold the run's end, and not the reading", async () => {
  const { world, feed } = endlessWorld();
  world.faults = { ...world.faults, skip: 1 };
  const retry = { max_attempts: 20, initial: "30s", max: "30s", jitter: 0 };
  world.change(1, { ...spec, delivery: { batch: { linger: "5ms" }, retry } });
  const node = begin(world);
  await node.advance(hour + 10_000);
  expect(world.tables.retries.size).toBe(1);
  world.faults = { ...world.faults, skip: 0 };
  // The full hour has passed, and still it reads.
  feed();
  await node.advance(10_000, () => landed(world).length === 9);
  expect(landed(world)).toHaveLength(9);
  expect(runs(world)).toHaveLength(1);
  await node.advance(hour, () => runs(world).length === 2);
  expect(landed(world).toSorted(([a], [b]) => a - b)).toEqual(once(2));
  expect(runs(world)[0]).toMatchObject({ status: "success", counts: { in: 10, out: 10 } });
  node.kill();
});

const failure = { code: "UNAVAILABLE", message: "away" } as const;

/** Runs without an end that failed so often that the next one waits for minutes. */
async function failedOften(clock: VirtualClock): Promise<EndlessRuns> {
  const endless = new EndlessRuns();
  endless.change(basis, undefined);
  for (let run = 0; run < 10; run++) {
    await endless.begun(clock);
    endless.ended(failure, clock);
  }
  expect(endless.pauseMs(clock)).toBeGreaterThan(400_000);
  return endless;
}

test("what was changed after runs that failed is tried at once", async () => {
  const clock = new VirtualClock();
  const endless = await failedOften(clock);
  endless.change(basis, undefined);
  expect(endless.pauseMs(clock)).toBeGreaterThan(400_000);
  endless.change({ ...basis, mark: "mended" }, undefined);
  expect(endless.pauseMs(clock)).toBe(0);
  expect(endless.reason).toBeNull();
  await endless.begun(clock);
  endless.ended(failure, clock);
  expect(endless.pauseMs(clock)).toBeLessThan(2_000);
  // Also where a run of the former one fails only then.
  const late = await failedOften(clock);
  await late.begun(clock);
  late.change({ ...basis, mark: "mended" }, undefined);
  late.ended(failure, clock);
  expect(late.pauseMs(clock)).toBe(0);
});

test("behind a run that did well for long the waits begin anew", async () => {
  const clock = new VirtualClock();
  const endless = await failedOften(clock);
  await endless.begun(clock);
  await clock.advance(50 * 60_000);
  endless.ended(failure, clock);
  expect(endless.pauseMs(clock)).toBeLessThan(2_000);
});

test("what a source says of itself is told for as long as it is so, and it is read on meanwhile", async () => {
  const { world, feed } = endlessWorld();
  world.notice = `orders/3 has no leader${" at all".repeat(1_000)}`;
  const node = begin(world);
  await node.advance(hour, has(world, 1));
  feed();
  await node.advance(hour, has(world, 2));
  await node.advance(1_000);
  // If not at any length.
  const told = expect.stringMatching(/^source: orders\/3 has no leader( at all)+.{0,7}…$/);
  expect(runs(world).at(-1)).toMatchObject({ status: "running", waiting: told });
  expect(runs(world).at(-1)?.waiting?.length).toBeLessThan(1_050);
  world.notice = undefined;
  feed();
  await node.advance(hour, has(world, 3));
  await node.advance(1_000);
  expect(runs(world).at(-1)).toMatchObject({ status: "running", waiting: null });
  expect(landed(world)).toEqual(once(3));
  node.kill();
});
