import { expect, test, vi } from "vitest";
import { nextFire } from "../adapters/cron/index.ts";
import { ActorSystem } from "../runtime/actor/index.ts";
import { noLogger } from "../runtime/ports/logger.ts";
import type { RunRow, ScheduleStore } from "../runtime/ports/store.ts";
import type { Metrics } from "../runtime/ports/telemetry.ts";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { type Schedule, SchedulerActor } from "./scheduler.ts";

// Millions of minutes are walked, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 180_000 });

const minute = 60_000;
const day = 24 * 60 * minute;
const zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];

/** A cron expression of lists and stars, by hand. */
interface Times {
  readonly expression: string;
  readonly minutes: readonly number[] | null;
  readonly hours: readonly number[] | null;
  readonly weekdays?: readonly number[];
}

const schedules: readonly Times[] = [
  { expression: "30 2 * * *", minutes: [30], hours: [2] },
  { expression: "0 9 * * 1,3,5", minutes: [0], hours: [9], weekdays: [1, 3, 5] },
  { expression: "15,45 1,2 * * *", minutes: [15, 45], hours: [1, 2] },
  // Clocks are set on Sundays.
  { expression: "0,30 * * * 0", minutes: [0, 30], hours: null, weekdays: [0] },
];

/** The minutes from one instant to another, each with what the clocks of a zone show in it, as an instant of UTC's. */
function* minutesOf(timezone: string, from: number, to: number): Generator<{ at: number; wall: number }> {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, dateStyle: "short", timeStyle: "medium" });
  let offset = 0;
  for (let at = from; at < to; at += minute) {
    // Clocks are set at full or half hours.
    if (at % (30 * minute) === 0) offset = Date.parse(`${format.format(at).replace(" ", "T")}Z`) - at;
    yield { at, wall: at + offset };
  }
}

function matches({ minutes, hours, weekdays }: Times, wall: number): boolean {
  return (
    (minutes === null || minutes.includes((wall / minute) % 60)) &&
    (hours === null || hours.includes(Math.floor(wall / (60 * minute)) % 24)) &&
    // 1970 began with a Thursday.
    (weekdays === undefined || weekdays.includes((Math.floor(wall / day) + 4) % 7))
  );
}

/** When it is due, found by looking at the clocks each minute. */
function dueTimes(times: Times, timezone: string, from: number, to: number): number[] {
  const due: number[] = [];
  let seen = Number.NEGATIVE_INFINITY;
  // What the clocks showed before.
  for (const { wall } of minutesOf(timezone, from - day, from)) seen = Math.max(seen, wall);
  for (const { at, wall } of minutesOf(timezone, from, to)) {
    if (times.hours === null) {
      if (matches(times, wall)) due.push(at);
      continue;
    }
    // All times that the clocks have come to, or passed over, and never showed before.
    let any = false;
    for (let shown = seen + minute; shown <= wall; shown += minute) any ||= matches(times, shown);
    if (any) due.push(at);
    seen = Math.max(seen, wall);
  }
  return due;
}

const isoOf = (instants: readonly number[]) => instants.map((at) => new Date(at).toISOString());

test.each(zones)("over three years each instant is due once, at the right time of the clocks of %s", (timezone) => {
  const [from, to] = [Date.UTC(2026, 0, 1), Date.UTC(2029, 0, 1)];
  for (const times of schedules) {
    const fires: number[] = [];
    for (let at = from - 1; ; ) {
      const next = nextFire(times.expression, timezone, new Date(at));
      if (next === null || next.getTime() >= to) break;
      at = next.getTime();
      fires.push(at);
    }
    expect(isoOf(fires), times.expression).toEqual(isoOf(dueTimes(times, timezone, from, to)));
  }
});

/** The table of fires, as all nodes see it; what is asked of it takes a moment. */
class Fires implements ScheduleStore {
  readonly instants = new Map<string, number[]>();
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async fire({ integrationId, instant, runId }: Parameters<ScheduleStore["fire"]>[0]) {
    await this.#clock.sleep(this.#clock.random() * 200);
    const instants = this.instants.get(integrationId) ?? [];
    this.instants.set(integrationId, instants);
    if (instants.includes(instant.getTime())) return null;
    instants.push(instant.getTime());
    return { run: { id: runId } as RunRow };
  }

  async lastFires() {
    return new Map(Array.from(this.instants, ([id, instants]) => [id, new Date(Math.max(...instants))]));
  }

  async fireQueued() {
    return null;
  }
}

/** Two nodes that each own all of the schedules now and then, and fail. */
function nodes(clock: VirtualClock, fires: Fires, plan: readonly Schedule[]) {
  const metrics = { scheduleMissed: () => {} } as unknown as Metrics;
  const options = { store: fires, cron: { next: nextFire }, metrics, logger: noLogger, fired: () => {} };
  const start = () => {
    const system = new ActorSystem({ clock });
    system.spawn({ create: () => new SchedulerActor(options) }).tell({ type: "plan", schedules: plan });
    return system;
  };
  const running = [start(), start()];
  return {
    /** One of them is gone, in the middle of whatever it does, and comes back. */
    fail: async () => {
      const which = clock.random() < 0.5 ? 0 : 1;
      void running[which]?.shutdown();
      await clock.advance(Math.floor(clock.random() * 20) * 1_000);
      running[which] = start();
    },
    stop: () => Promise.all(running.map((system) => system.shutdown())),
  };
}

test.each(zones)(
  "two nodes that fail again and again fire each instant once, in the weeks in which the clocks of %s are set",
  async (timezone) => {
    for (const [year, month] of [
      [2026, 2],
      [2026, 3],
      [2026, 9],
      [2027, 10],
    ] as const) {
      // The first and the last Sunday of a month, or the second.
      const from = Date.UTC(year, month, month === 2 ? 27 : month === 9 ? 23 : 1) + 17 * 60 * minute;
      const to = from + (month === 3 ? 5 : 3) * day;
      const clock = new VirtualClock(from, year + month);
      const fires = new Fires(clock);
      const plan = schedules.map(
        ({ expression }): Schedule => ({
          integrationId: expression,
          integrationVersion: 1,
          name: expression,
          cron: expression,
          timezone,
          misfire: "once",
          overlap: "run",
          since: new Date(from),
        }),
      );
      const two = nodes(clock, fires, plan);
      while (clock.now() < to) {
        await clock.advance(Math.floor(clock.random() * 240) * minute);
        await two.fail();
      }
      void two.stop();
      await clock.advance(1);
      for (const times of schedules) {
        const due = dueTimes(times, timezone, from + minute, clock.now());
        expect(isoOf(fires.instants.get(times.expression) ?? []), `${timezone} ${times.expression}`).toEqual(
          isoOf(due),
        );
      }
    }
  },
);
