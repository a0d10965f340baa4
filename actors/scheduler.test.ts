import { expect, test } from "vitest";
import { nextFire } from "../adapters/cron/index.ts";
import { ActorSystem } from "../runtime/actor/index.ts";
import { noLogger } from "../runtime/ports/logger.ts";
import type { RunRow, ScheduleStore } from "../runtime/ports/store.ts";
import type { Metrics } from "../runtime/ports/telemetry.ts";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { latestMissed, type Schedule, SchedulerActor } from "./scheduler.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const start = Date.parse("2026-03-28T00:00:00Z");

const scheduleOf = (given: Partial<Schedule> = {}): Schedule => ({
  integrationId: "i",
  integrationVersion: 1,
  name: "nightly",
  cron: "*/5 * * * *",
  timezone: "UTC",
  misfire: "once",
  overlap: "skip",
  since: new Date(start),
  ...given,
});

/** The table of fires, as all nodes see it. */
class Fires implements ScheduleStore {
  readonly instants: string[] = [];
  version = 1;
  last: Date | undefined;
  away = false;

  async fire({ integrationVersion, instant, runId }: Parameters<ScheduleStore["fire"]>[0]) {
    if (this.away) throw new Error("the store is away");
    const text = instant.toISOString();
    if (integrationVersion !== this.version || this.instants.includes(text)) return null;
    this.instants.push(text);
    this.last = instant;
    return { run: { id: runId } as RunRow };
  }

  async lastFires() {
    return new Map(this.last ? [["i", this.last]] : []);
  }

  async fireQueued() {
    return null;
  }
}

function node(clock: VirtualClock, fires: Fires) {
  const missed: number[] = [];
  const metrics = { scheduleMissed: (_name: string, count: number) => missed.push(count) } as unknown as Metrics;
  const system = new ActorSystem({ clock });
  const options = { store: fires, cron: { next: nextFire }, metrics, logger: noLogger, fired: () => {} };
  const ref = system.spawn({ create: () => new SchedulerActor(options) });
  return {
    missed,
    plan: (...schedules: Schedule[]) => ref.tell({ type: "plan", schedules }),
    stop: async () => {
      void system.shutdown();
      await clock.advance(1);
    },
  };
}

test("each instant fires once, whichever of two nodes comes first", async () => {
  const clock = new VirtualClock(start);
  const fires = new Fires();
  for (const scheduler of [node(clock, fires), node(clock, fires)]) scheduler.plan(scheduleOf());
  await clock.advance(16 * minute);
  expect(fires.instants).toEqual(["05", "10", "15"].map((at) => `2026-03-28T00:${at}:00.000Z`));
});

test("what was missed while no node ran fires once, or not at all where it says skip", async () => {
  for (const misfire of ["once", "skip"] as const) {
    const clock = new VirtualClock(start + 61 * minute);
    const fires = new Fires();
    const { plan, missed } = node(clock, fires);
    plan(scheduleOf({ misfire }));
    await clock.advance(1000);
    expect(fires.instants).toEqual(misfire === "once" ? ["2026-03-28T01:00:00.000Z"] : []);
    expect(missed).toEqual(misfire === "once" ? [] : [1]);
    await clock.advance(4 * minute);
    expect(fires.instants.at(-1)).toBe("2026-03-28T01:05:00.000Z");
    expect(fires.instants).toHaveLength(misfire === "once" ? 2 : 1);
  }
});

test("what falls due in the seconds of a takeover or a change is not missed, also where missed fires are skipped", async () => {
  const clock = new VirtualClock(start + 5 * minute + 4_000);
  const fires = new Fires();
  const { plan, missed } = node(clock, fires);
  plan(scheduleOf({ misfire: "skip" }));
  await clock.advance(1000);
  expect(fires.instants).toEqual(["2026-03-28T00:05:00.000Z"]);
  expect(missed).toEqual([]);
});

test("what the last fire covers is not missed", async () => {
  const clock = new VirtualClock(start + 7 * minute);
  const fires = new Fires();
  fires.last = new Date(start + 5 * minute);
  node(clock, fires).plan(scheduleOf());
  await clock.advance(1000);
  expect(fires.instants).toEqual([]);
});

test("a changed version fires by the new expression alone", async () => {
  const clock = new VirtualClock(start);
  const fires = new Fires();
  const { plan } = node(clock, fires);
  plan(scheduleOf());
  await clock.advance(minute);
  fires.version = 2;
  plan(scheduleOf({ integrationVersion: 2, cron: "*/7 * * * *", since: new Date(start + minute) }));
  await clock.advance(8 * minute);
  expect(fires.instants).toEqual(["2026-03-28T00:07:00.000Z"]);
});

test("one that is gone or disabled fires no more", async () => {
  const clock = new VirtualClock(start);
  const fires = new Fires();
  const { plan } = node(clock, fires);
  plan(scheduleOf());
  await clock.advance(minute);
  plan();
  await clock.advance(60 * minute);
  expect(fires.instants).toEqual([]);
});

test("what fell due while the store was away is caught up once, for the last of it, also after a takeover", async () => {
  const clock = new VirtualClock(start);
  const fires = new Fires();
  const before = node(clock, fires);
  before.plan(scheduleOf());
  await clock.advance(minute);
  fires.away = true;
  await clock.advance(61 * minute);
  fires.away = false;
  await clock.advance(minute);
  expect(fires.instants).toEqual(["2026-03-28T01:00:00.000Z"]);
  await before.stop();
  const after = node(clock, fires);
  after.plan(scheduleOf());
  await clock.advance(minute);
  expect(fires.instants).toEqual(["2026-03-28T01:00:00.000Z"]);
  await clock.advance(minute);
  expect(fires.instants).toEqual(["2026-03-28T01:00:00.000Z", "2026-03-28T01:05:00.000Z"]);
});

test("what fell due while the store was away is left out where missed fires are skipped", async () => {
  const clock = new VirtualClock(start);
  const fires = new Fires();
  const { plan, missed } = node(clock, fires);
  plan(scheduleOf({ misfire: "skip" }));
  await clock.advance(minute);
  fires.away = true;
  await clock.advance(61 * minute);
  expect(missed).toHaveLength(12);
  fires.away = false;
  await clock.advance(2 * minute);
  expect(fires.instants).toEqual([]);
  await clock.advance(minute);
  expect(fires.instants).toEqual(["2026-03-28T01:05:00.000Z"]);
  // A store that is away for a moment makes it late, and not missed.
  await clock.advance(4 * minute);
  fires.away = true;
  await clock.advance(minute + 5_000);
  fires.away = false;
  await clock.advance(1_000);
  expect(fires.instants.at(-1)).toBe("2026-03-28T01:10:00.000Z");
  expect(missed).toHaveLength(12);
});

/** A machine that sleeps, or a process that is suspended: its clock jumps, and no timer runs meanwhile. */
class Sleeper extends VirtualClock {
  slept = 0;
  override now() {
    return super.now() + this.slept;
  }
}

test("a machine that slept through an instant fires within half a minute of waking up", async () => {
  const clock = new Sleeper(start);
  const fires = new Fires();
  node(clock, fires).plan(scheduleOf({ cron: "0 12 * * *" }));
  await clock.advance(minute);
  clock.slept = 12 * 60 * minute;
  await clock.advance(30_000);
  expect(fires.instants).toEqual(["2026-03-28T12:00:00.000Z"]);
});

test.each([
  ["between two fires", false],
  ["while it asks for the store", true],
] as const)("a process that is suspended %s catches up the last missed fire, or skips it", async (_when, asking) => {
  for (const misfire of ["once", "skip"] as const) {
    const clock = new Sleeper(start);
    const fires = new Fires();
    const before = node(clock, fires);
    before.plan(scheduleOf({ misfire, cron: "0 * * * *" }));
    await clock.advance(59 * minute);
    if (asking) {
      fires.away = true;
      await clock.advance(minute + 1_000);
      fires.away = false;
    }
    clock.slept = 3 * 60 * minute + 2 * minute;
    await clock.advance(minute);
    const caughtUp = misfire === "once" ? ["2026-03-28T04:00:00.000Z"] : [];
    expect(fires.instants).toEqual(caughtUp);
    expect(before.missed).toEqual(misfire === "once" ? [] : [1]);
    await before.stop();
    node(clock, fires).plan(scheduleOf({ misfire, cron: "0 * * * *" }));
    await clock.advance(60 * minute);
    expect(fires.instants).toEqual([...caughtUp, "2026-03-28T05:00:00.000Z"]);
  }
});

test("a time that the clocks skip or repeat fires once on that day", async () => {
  const clock = new VirtualClock(start);
  const fires = new Fires();
  const { stop, plan } = node(clock, fires);
  plan(scheduleOf({ cron: "30 2 * * *", timezone: "Europe/Berlin" }));
  await clock.advance(3 * day);
  const days = fires.instants.map((instant) =>
    new Date(instant).toLocaleDateString("en-CA", { timeZone: "Europe/Berlin" }),
  );
  expect(days).toEqual(["2026-03-28", "2026-03-29", "2026-03-30"]);
  await stop();

  const autumn = new VirtualClock(Date.parse("2026-10-24T12:00:00Z"));
  const again = new Fires();
  node(autumn, again).plan(
    scheduleOf({ cron: "30 2 * * *", timezone: "Europe/Berlin", since: new Date("2026-10-24T12:00:00Z") }),
  );
  await autumn.advance(2 * day);
  expect(again.instants).toHaveLength(2);
});

test.each([
  ["* * * * *", "2026-03-28T00:00:00.000Z"],
  ["* * * * * *", "2026-03-28T00:00:00.000Z"],
  ["0 4 * * *", "2026-03-27T04:00:00.000Z"],
  ["0 0 1 1 *", "2026-01-01T00:00:00.000Z"],
])("the latest missed instant of %s within years is found in few steps", (cron, latest) => {
  let asked = 0;
  const next: typeof nextFire = (...given) => {
    asked++;
    return nextFire(...given);
  };
  const missed = latestMissed({ next }, { cron, timezone: "UTC" }, new Date("2019-05-01T00:00:00Z"), new Date(start));
  expect(missed?.toISOString()).toBe(latest);
  expect(asked).toBeLessThan(100);
});

test("one that is changed or deleted after an instant was due, and before it was claimed, does not fire it", async () => {
  const clock = new VirtualClock(start);
  const fires = new Fires();
  const { plan } = node(clock, fires);
  plan(scheduleOf());
  await clock.advance(minute);
  // The node does not know it yet.
  fires.version = 2;
  await clock.advance(20 * minute);
  expect(fires.instants).toEqual([]);
});

test.each(["once", "skip"] as const)("after five days without a node, %s means one fire at most", async (misfire) => {
  const clock = new VirtualClock(start);
  const fires = new Fires();
  const before = node(clock, fires);
  const daily = scheduleOf({ misfire, cron: "0 4 * * *", timezone: "America/New_York" });
  before.plan(daily);
  await clock.advance(9 * 60 * minute);
  await before.stop();
  await clock.advance(5 * day);
  const { plan } = node(clock, fires);
  plan(daily);
  await clock.advance(day);
  const missed = misfire === "once" ? ["2026-04-02T08:00:00.000Z"] : [];
  expect(fires.instants).toEqual(["2026-03-28T08:00:00.000Z", ...missed, "2026-04-03T08:00:00.000Z"]);
});
