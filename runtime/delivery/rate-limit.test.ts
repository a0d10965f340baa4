import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../../connectors/sdk/index.ts";
import type { QuotaStore } from "../ports/quotas.ts";
import { VirtualClock } from "../ports/virtual-clock.ts";
import type { RateLimits } from "./quota.ts";
import { RateLimit } from "./rate-limit.ts";

const start = Date.parse("2026-01-01T12:00:00Z");
const key = { integrationId: "i", destination: "crm" };
const none: RateLimits = { perMinute: null, burst: null, perDay: null };

/** The store of several nodes, by the clock of the server, and what it was asked. */
function quotaStore(clock: VirtualClock, delayMs = 0) {
  let state: Json | null = null;
  let revision = 0;
  const asked = { reads: 0, writes: 0, refused: 0 };
  let away = false;
  const answer = async () => {
    if (delayMs > 0) await clock.sleep(delayMs);
    if (away) throw new Error("away");
  };
  const store: QuotaStore = {
    async read() {
      asked.reads++;
      await answer();
      return { state, revision, now: clock.now() };
    },
    async write(_key, next, of) {
      asked.writes++;
      await answer();
      if (of !== revision) {
        asked.refused++;
        return null;
      }
      state = JSON.parse(JSON.stringify(next));
      return { revision: ++revision, now: clock.now() };
    },
  };
  return { store, asked, state: () => state, away: (is: boolean) => (away = is) };
}

/** Takes as many calls as it may, one after another, and notes their times. */
function caller(limits: Partial<RateLimits>, quotas: QuotaStore, clock: VirtualClock, everyMs = 0, ahead = () => 0) {
  const own: typeof clock = Object.create(clock, { now: { value: () => clock.now() + ahead() } });
  const limit = new RateLimit({ limits: { ...none, ...limits }, key, quotas, clock: own });
  const controller = new AbortController();
  const times: number[] = [];
  const waits: (string | null)[] = [];
  const done = (async () => {
    for (;;) {
      await limit.take(controller.signal, (reason) => waits.push(reason));
      times.push(clock.now() - start);
      await clock.sleep(everyMs, controller.signal);
    }
  })().catch(() => {});
  const crash = async () => {
    controller.abort(new Error("stopped"));
    await done;
  };
  const stop = async () => {
    await crash();
    await limit.close();
  };
  return { times, waits, crash, stop };
}

function mostWithin(times: readonly number[], ms: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  let most = 0;
  let from = 0;
  for (let to = 0; to < sorted.length; to++) {
    while ((sorted[to] as number) - (sorted[from] as number) >= ms) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

async function pass(clock: VirtualClock, ms: number, stepMs = 1_000) {
  for (let done = 0; done < ms; done += stepMs) await clock.advance(stepMs);
}

test("calls of a minute: as many as allowed at once, then none until the first is a minute old; the wait is told", async () => {
  const clock = new VirtualClock(start);
  const { store } = quotaStore(clock);
  const { times, waits, stop } = caller({ perMinute: 5 }, store, clock, 1);
  await pass(clock, 59_000);
  expect(times).toHaveLength(5);
  expect(waits).toEqual(["rate limit of 5 calls a minute reached (until 2026-01-01T12:01:00Z)"]);
  await pass(clock, 3_000);
  expect(times).toHaveLength(10);
  await stop();
});

test("a burst is what any second may have", async () => {
  const clock = new VirtualClock(start);
  const { store } = quotaStore(clock);
  const { times, stop } = caller({ burst: 4 }, store, clock, 10);
  await pass(clock, 30_000, 250);
  expect(mostWithin(times, 1_000)).toBe(4);
  expect(times.length).toBeGreaterThanOrEqual(116);
  await stop();
});

test("a day's calls are over until 00:00 UTC, in the runs and on the nodes that follow too", async () => {
  const clock = new VirtualClock(start);
  const { store } = quotaStore(clock);
  const first = caller({ perDay: 10 }, store, clock, 60_000);
  await pass(clock, 4 * 60_000);
  await first.stop();
  const before = first.times.length;
  const second = caller({ perDay: 10 }, store, clock, 1_000);
  await pass(clock, 60_000);
  expect(before + second.times.length).toBe(10);
  expect(second.waits.at(-1)).toBe("rate limit of 10 calls a day reached (until 2026-01-02T00:00:00Z)");
  await pass(clock, 12 * 3_600_000, 600_000);
  expect(before + second.times.length).toBe(20);
  await second.stop();
});

test("a crash gives no fresh quota: what was granted and not given back counts as made", async () => {
  const clock = new VirtualClock(start);
  const { store } = quotaStore(clock);
  const crashed = caller({ perMinute: 100 }, store, clock, 200);
  await pass(clock, 15_000);
  await crashed.crash();
  const next = caller({ perMinute: 100 }, store, clock);
  await pass(clock, 10_000);
  const times = [...crashed.times, ...next.times];
  expect(mostWithin(times, 60_000)).toBeLessThanOrEqual(100);
  expect(times.length).toBeGreaterThan(75);
  expect(next.times.length).toBeGreaterThan(0);
  await next.stop();
});

test("what was granted and not used is given back at the end", async () => {
  const clock = new VirtualClock(start);
  const { store, state } = quotaStore(clock);
  const { times, stop } = caller({ perMinute: 1_000, perDay: 5_000 }, store, clock, 20);
  await pass(clock, 4_500, 100);
  await stop();
  const { grants, used } = state() as { grants: [number, number][]; used: number };
  expect(used).toBe(times.length);
  expect(grants.reduce((sum, [, calls]) => sum + calls, 0)).toBe(times.length);
});

test("the store is asked about once a second, however many calls are made, and its row stays small", async () => {
  const clock = new VirtualClock(start);
  const { store, asked, state } = quotaStore(clock);
  const { times, stop } = caller({ perMinute: 30_000 }, store, clock, 1);
  await pass(clock, 300_000, 100);
  expect(times.length).toBeGreaterThan(140_000);
  expect(mostWithin(times, 60_000)).toBeLessThanOrEqual(30_000);
  expect(asked.writes).toBeLessThan(400);
  expect(JSON.stringify(state()).length).toBeLessThan(2_000);
  await stop();
});

test("while the store is away no call is made, and the reason is told; then it goes on", async () => {
  const clock = new VirtualClock(start);
  const { store, away } = quotaStore(clock);
  away(true);
  const { times, waits, stop } = caller({ perMinute: 60 }, store, clock, 1_000);
  await pass(clock, 10_000);
  expect(times).toEqual([]);
  expect(waits.at(-1)).toBe("rate limit: away");
  away(false);
  await pass(clock, 5_000);
  expect(times.length).toBeGreaterThanOrEqual(3);
  expect(waits.at(-1)).toBeNull();
  await stop();
});

test.each([-3_600_000, 3_600_000])(
  "a clock that is set by %i ms gives no more calls, and stops none",
  async (change) => {
    const clock = new VirtualClock(start);
    const { store } = quotaStore(clock);
    let ahead = 0;
    const { times, stop } = caller({ perMinute: 60 }, store, clock, 500, () => ahead);
    await pass(clock, 100_000);
    ahead = change;
    await pass(clock, 200_000);
    expect(mostWithin(times, 60_000)).toBeLessThanOrEqual(60);
    // Sixty a minute for five minutes, less what a grant in hand is worth.
    expect(times.length).toBeGreaterThan(270);
    await stop();
  },
);

test("over two nodes with clocks of their own: never more than the limits in any minute and on any day", async () => {
  const node = fc.record({
    everyMs: fc.integer({ min: 1, max: 3_000 }),
    ahead: fc.integer({ min: -3_600_000, max: 3_600_000 }),
    from: fc.integer({ min: 0, max: 90_000 }),
    stopsAt: fc.integer({ min: 1_000, max: 400_000 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(node, { minLength: 2, maxLength: 3 }),
      fc.integer({ min: 1, max: 120 }),
      fc.option(fc.integer({ min: 1, max: 400 }), { nil: null }),
      fc.integer({ min: 0, max: 300 }),
      async (nodes, perMinute, perDay, delayMs) => {
        const midnight = Date.parse("2026-01-02T00:00:00Z") - start;
        const clock = new VirtualClock(start + midnight - 120_000);
        const { store } = quotaStore(clock, delayMs);
        const running = new Map<number, ReturnType<typeof caller>>();
        const all: ReturnType<typeof caller>[] = [];
        for (let at = 0; at <= 300_000; at += 500) {
          for (const [i, { everyMs, ahead, from, stopsAt }] of nodes.entries()) {
            if (at >= from && at < stopsAt && !running.has(i)) {
              running.set(
                i,
                caller({ perMinute, perDay }, store, clock, everyMs, () => ahead),
              );
              all.push(running.get(i)!);
            } else if (at >= stopsAt) void running.get(i)?.stop();
          }
          await clock.advance(500);
        }
        const times = all.flatMap((each) => each.times);
        expect(mostWithin(times, 60_000)).toBeLessThanOrEqual(perMinute);
        if (perDay !== null) {
          expect(times.filter((time) => time < midnight).length).toBeLessThanOrEqual(perDay);
          expect(times.filter((time) => time >= midnight).length).toBeLessThanOrEqual(perDay);
        }
        await Promise.all(all.map((each) => each.stop()).concat(clock.advance(10_000)));
      },
    ),
    { numRuns: 100 },
  );
});

test("a call that is given back is there for another one", async () => {
  const clock = new VirtualClock(start);
  const { store, state } = quotaStore(clock);
  const limit = new RateLimit({ limits: { ...none, perDay: 3, burst: 3 }, key, quotas: store, clock });
  const { signal } = new AbortController();
  const waits: (string | null)[] = [];
  const take = () => limit.take(signal, (reason) => waits.push(reason));
  for (let i = 0; i < 5; i++) {
    limit.giveBack(await take());
  }
  for (let i = 0; i < 3; i++) await take();
  expect(waits).toEqual([]);
  take().catch(() => {});
  await clock.advance(1_000);
  expect(waits).toEqual(["rate limit of 3 calls a day reached (until 2026-01-02T00:00:00Z)"]);
  await limit.close();
  expect(state()).toMatchObject({ used: 3 });
});

test("a call that is given back late makes no room in the second of another one, nor in a later grant", async () => {
  const clock = new VirtualClock(start);
  const { store, state } = quotaStore(clock);
  const limit = new RateLimit({ limits: { ...none, perDay: 100, burst: 2 }, key, quotas: store, clock });
  const { signal } = new AbortController();
  const times: number[] = [];
  const take = async () => {
    const taken = await limit.take(signal, () => {});
    times.push(clock.now() - start);
    return taken;
  };
  const first = await take();
  await clock.advance(900);
  await take();
  limit.giveBack(first);
  await clock.advance(100);
  const others = [take(), take()];
  await clock.advance(2_000);
  await Promise.all(others);
  expect(times).toEqual([0, 900, 1_000, 1_900]);
  await limit.close();
  // The first one's grant was settled before.
  expect(state()).toMatchObject({ used: 4 });
});
