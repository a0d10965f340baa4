import { expect, test } from "vitest";
import { LatencyWindow } from "./latency-window.ts";

test("percentiles are of the records of about the last minute, off by a fifth at most", () => {
  const window = new LatencyWindow();
  expect(window.at(0)).toBeNull();
  window.add(99, 0.01, 1_000);
  window.add(1, 2, 2_000);
  const { p50_seconds, p99_seconds } = window.at(40_000)!;
  expect(p50_seconds).toBeGreaterThanOrEqual(0.01);
  expect(p50_seconds).toBeLessThan(0.012);
  expect(p99_seconds).toBe(p50_seconds);
  window.add(100, 2, 41_000);
  expect(window.at(41_000)!.p99_seconds).toBeGreaterThanOrEqual(2);
  expect(LatencyWindow.of([window, new LatencyWindow()], 41_000)).toEqual(window.at(41_000));
  expect(window.at(65_000)!.p50_seconds).toBeGreaterThan(1);
  expect(window.at(200_000)).toBeNull();
  window.add(1, 1e9, 200_000);
  expect(Number.isFinite(window.at(200_000)!.p50_seconds)).toBe(true);
});
