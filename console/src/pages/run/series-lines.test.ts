import { expect, test } from "vitest";
import type { Series } from "../../api/types.ts";
import { type SeriesKind, seriesLines } from "./series-lines.ts";

const point = (second: number, [records_in, records_out, records_filtered, records_failed]: number[]) => ({
  at: new Date(second * 1000).toISOString(),
  records_in: records_in!,
  records_out: records_out!,
  records_filtered: records_filtered!,
  records_failed: records_failed!,
});
const series = {
  run_id: "r",
  interval_seconds: 2,
  points: [point(0, [0, 0, 0, 0]), point(2, [10, 8, 2, 0]), point(4, [10, 9, 2, 1])],
};

const valuesOf = (of: Series, kind: SeriesKind) => seriesLines(of, kind).series.map(({ values }) => values);

test("counters are shown as they were counted", () => {
  expect(valuesOf(series, "total")).toEqual([
    [0, 10, 10],
    [0, 8, 9],
    [0, 2, 2],
    [0, 0, 1],
  ]);
  expect(seriesLines(series, "total").times).toEqual([0, 2, 4]);
});

test("rates are of the time since the point before", () => {
  expect(valuesOf(series, "rate")).toEqual([
    [0, 5, 0],
    [0, 4, 0.5],
    [0, 1, 0],
    [0, 0, 0.5],
  ]);
});

test("two points of the same moment make no endless rate", () => {
  const twice = { ...series, points: [series.points[0]!, { ...series.points[1]!, at: series.points[0]!.at }] };
  expect(valuesOf(twice, "rate")[0]).toEqual([0, 0]);
});
