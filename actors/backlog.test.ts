import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { Backlog, FairShare } from "./backlog.ts";

const { signal } = new AbortController();
const kB = 1024;

/** How many batches of so many bytes a writer may be ahead, with nothing taken meanwhile. */
async function ahead(backlog: Backlog, bytes: number): Promise<number> {
  const stop = new AbortController();
  let taken = 0;
  const writing = (async () => {
    for (;;) {
      await backlog.take(bytes, stop.signal);
      taken++;
    }
  })();
  await turn();
  stop.abort();
  await writing.catch(() => {});
  return taken;
}

/** A consumer that takes so many bytes a second in hand, for some seconds. */
async function consume(backlog: Backlog, clock: VirtualClock, bytesPerSecond: number, seconds: number): Promise<void> {
  for (let i = 0; i < seconds * 100; i++) {
    await clock.advance(10);
    backlog.give(bytesPerSecond / 100);
  }
}

test("a writer may be 200 ms of the consumer's pace ahead", async () => {
  const clock = new VirtualClock();
  const backlog = new Backlog(clock, new FairShare());
  await consume(backlog, clock, 10_000 * kB, 5);
  expect(await ahead(backlog, 99 * kB)).toBe(20);
});

test("a consumer that stands nearly still lets little through, and a batch larger than that alone", async () => {
  const clock = new VirtualClock();
  const backlog = new Backlog(clock, new FairShare());
  await consume(backlog, clock, kB, 5);
  expect(await ahead(backlog, 16 * kB)).toBe(4);
  backlog.give(64 * kB);
  expect(await ahead(backlog, 1_000 * kB)).toBe(1);
});

test("who waits for room goes on once the consumer has taken something in hand", async () => {
  const backlog = new Backlog(new VirtualClock(), new FairShare());
  await backlog.take(1_000 * kB, signal);
  const waiting = backlog.take(1_000 * kB, signal);
  backlog.give(1_000 * kB);
  await waiting;
  expect(backlog.pendingBytes).toBe(1_000 * kB);
});

test("where the log's consumer stops, who waits for room gets it, as does who comes later", async () => {
  const backlog = new Backlog(new VirtualClock(), new FairShare());
  await backlog.take(1_000 * kB, signal);
  const waiting = backlog.take(1_000 * kB, signal);
  backlog.release();
  await waiting;
  await backlog.take(1_000 * kB, signal);
  expect(backlog.pendingBytes).toBe(3_000 * kB);
});

test("who waits for room is told when the run stops", async () => {
  const backlog = new Backlog(new VirtualClock(), new FairShare());
  await backlog.take(1_000 * kB, signal);
  const stop = new AbortController();
  const waiting = backlog.take(1, stop.signal);
  stop.abort(new Error("stopped"));
  await expect(waiting).rejects.toThrow("stopped");
});

/** Two consumers that take so many bytes each 10 ms, of writers that always have more; what waits for each in the end. */
async function sharing(taken: readonly [number, number]): Promise<[number, number]> {
  const clock = new VirtualClock();
  const share = new FairShare();
  const backlogs = [new Backlog(clock, share), new Backlog(clock, share)] as const;
  const stop = new AbortController();
  const writers = backlogs.map(async (backlog) => {
    for (;;) await backlog.take(16 * kB, stop.signal);
  });
  for (let i = 0; i < 200; i++) {
    await clock.advance(10);
    for (const [at, backlog] of backlogs.entries()) backlog.give(taken[at] as number);
    await turn();
  }
  const pending: [number, number] = [backlogs[0].pendingBytes, backlogs[1].pendingBytes];
  stop.abort();
  await Promise.allSettled(writers);
  return pending;
}

test("of consumers whose writers wait, the fast one gets no more room than the slow one", async () => {
  // The mean, 6,400 kB a second, for 200 ms.
  for (const bytes of await sharing([96 * kB, 32 * kB])) expect(Math.abs(bytes - 1_280 * kB)).toBeLessThan(130 * kB);
});

test("a consumer that is slow whatever its room does not get the share of the fast", async () => {
  const [, bytes] = await sharing([320 * kB, 2 * kB]);
  // Four times its own 200 kB a second, for 200 ms.
  expect(Math.abs(bytes - 160 * kB)).toBeLessThan(32 * kB);
});

test("a clock that is set back does not stop the bound from following the pace", async () => {
  const time = new VirtualClock(10_000_000);
  let back = 0;
  const clock = { now: () => time.now() - back, after: time.after.bind(time), sleep: time.sleep, random: time.random };
  const backlog = new Backlog(clock, new FairShare());
  await consume(backlog, time, 100 * kB, 5);
  const slow = backlog.limitBytes;
  back = 3_600_000;
  await consume(backlog, time, 10_000 * kB, 5);
  expect(backlog.limitBytes).toBeGreaterThan(5 * slow);
  expect(await ahead(backlog, 99 * kB)).toBe(20);
});
