import { expect, test } from "vitest";
import type { RunCounts, RunSeries } from "../runtime/ports/store.ts";
import { SeriesKeeper } from "./run-series.ts";

const counts = (read: number): RunCounts => ({ in: read, out: read - 1, filtered: 0, failed: 1, byDestination: {} });

test("a run of a day has some hundred points, as far apart as each other, and the first seconds of a short one each its own", () => {
  const begun = 1_000_000;
  let keeper = new SeriesKeeper(begun, null);
  let kept: RunSeries | null = null;
  for (let second = 0.1; second <= 86_400; second += 0.5) {
    kept = keeper.add(begun + second * 1_000, counts(Math.round(second))) ?? kept;
    if (second === 5.1) expect(kept?.points.map(([at]) => at)).toEqual([1_100, 2_100, 3_100, 4_100, 5_100]);
    // A crash: what was kept goes on.
    if (second === 1_000.1) keeper = new SeriesKeeper(begun, kept);
  }
  const { intervalMs, points } = kept as RunSeries;
  expect(points.length).toBeGreaterThan(110);
  expect(points.length).toBeLessThanOrEqual(240);
  expect(intervalMs).toBe(512_000);
  const apart = points.slice(1).map(([at], i) => at - points[i]![0]);
  expect(Math.max(...apart)).toBeLessThan(2 * intervalMs);
  expect(
    points.every(([at, read, out, , failed]) => Math.abs(at / 1_000 - read) <= 1 && out === read - 1 && failed === 1),
  ).toBe(true);
});
