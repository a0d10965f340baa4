import { afterEach, expect, test, vi } from "vitest";
import { sharedFor } from "./shared-for.ts";

afterEach(() => {
  vi.useRealTimers();
});

test("one answer serves all who ask within the time, and nobody after it", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  let asked = 0;
  const ask = sharedFor(500, async () => ++asked);
  expect(await Promise.all([ask(), ask()])).toEqual([1, 1]);
  vi.advanceTimersByTime(500);
  expect(await ask()).toBe(1);
  vi.advanceTimersByTime(1);
  expect(await ask()).toBe(2);
});
