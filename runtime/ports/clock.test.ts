import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { realClock } from "./clock.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("waits longer than one timer of the platform can", async () => {
  const longMs = 2 ** 31 + 1000;
  let fired = 0;
  realClock.after(longMs, () => fired++);
  const cancel = realClock.after(longMs, () => fired++);
  await vi.advanceTimersByTimeAsync(longMs - 1);
  expect(fired).toBe(0);
  cancel();
  await vi.advanceTimersByTimeAsync(1);
  expect(fired).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

it("lets a sleeper leave by its signal, and keeps no timer for it", async () => {
  const controller = new AbortController();
  const sleeping = realClock.sleep(1000, controller.signal);
  controller.abort(new Error("enough"));
  await expect(sleeping).rejects.toThrow("enough");
  expect(vi.getTimerCount()).toBe(0);
});
