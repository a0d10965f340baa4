import { expect, test } from "vitest";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { Backlog } from "./backlog.ts";

const MiB = 1024 * 1024;
const signal = new AbortController().signal;

async function isTaken(taking: Promise<void>): Promise<boolean> {
  let taken = false;
  void taking.then(() => {
    taken = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return taken;
}

test("a batch larger than the bound passes alone, and the next waits for it (invariant 4)", async () => {
  const backlog = new Backlog(new VirtualClock());
  await backlog.take(100 * MiB, signal);
  const next = backlog.take(1, signal);
  expect(await isTaken(next)).toBe(false);
  backlog.give(100 * MiB);
  await next;
  expect(backlog.pendingBytes).toBe(1);
});

test("whoever waits leaves by its signal, and takes nothing", async () => {
  const backlog = new Backlog(new VirtualClock());
  await backlog.take(100 * MiB, signal);
  const controller = new AbortController();
  const waiting = backlog.take(5, controller.signal);
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  backlog.give(100 * MiB);
  expect(backlog.pendingBytes).toBe(0);
});

test("what was never taken gives no room beyond the bound", () => {
  const backlog = new Backlog(new VirtualClock());
  backlog.give(5 * MiB);
  expect(backlog.pendingBytes).toBe(0);
});

test("the bound follows the consumer's pace, within limits", async () => {
  const clock = new VirtualClock();
  const backlog = new Backlog(clock);
  const roomAfter = async (bytesPerStep: number) => {
    for (let i = 0; i < 200; i++) {
      await clock.advance(100);
      backlog.give(bytesPerStep);
    }
    await backlog.take(1, signal);
    let room = 1;
    while (await isTaken(backlog.take(16 * 1024, new AbortController().signal))) room += 16 * 1024;
    backlog.give(1000 * MiB);
    return room;
  };
  const fast = await roomAfter(50 * MiB);
  expect(fast).toBeGreaterThan(8 * MiB);
  expect(fast).toBeLessThanOrEqual(17 * MiB);
});
