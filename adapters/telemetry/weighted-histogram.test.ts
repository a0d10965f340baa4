import fc from "fast-check";
import { expect, test } from "vitest";
import { WeightedHistogram } from "./weighted-histogram.ts";

const buckets = [0.1, 1, 10];
const make = (maxSeries = 100, onFull = (_: string) => {}) =>
  new WeightedHistogram({ name: "age", help: "Age.", buckets, labelNames: ["integration"], maxSeries, onFull });

test("before the first value it is its HELP and its TYPE", () => {
  expect(make().render()).toBe("# HELP age Age.\n# TYPE age histogram\n");
});

test("a value at a bound is in its bucket; buckets are cumulated; the last is the count", () => {
  const histogram = make();
  histogram.observe({ integration: "shop" }, 0.1, 2);
  histogram.observe({ integration: "shop" }, 5, 3);
  histogram.observe({ integration: "shop" }, 11, 4);
  expect(histogram.render().split("\n").slice(2, -1)).toEqual([
    'age_bucket{le="0.1",integration="shop"} 2',
    'age_bucket{le="1",integration="shop"} 2',
    'age_bucket{le="10",integration="shop"} 5',
    'age_bucket{le="+Inf",integration="shop"} 9',
    'age_sum{integration="shop"} 59.2',
    'age_count{integration="shop"} 9',
  ]);
});

test("what came after a rendering is in the next one, and a label may hold any text", () => {
  const histogram = make();
  const name = 'a "b" \\ c\nd';
  histogram.observe({ integration: name }, 1, 1);
  histogram.render();
  histogram.observe({ integration: name }, 1, 1);
  expect(histogram.render()).toContain('age_count{integration="a \\"b\\" \\\\ c\\nd"} 2\n');
});

test("a weight counts as that many single values", () => {
  const observation = fc.record({ value: fc.double({ min: 0, max: 20, noNaN: true }), weight: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(observation), (observations) => {
      const weighted = make();
      const single = make();
      for (const { value, weight } of observations) {
        weighted.observe({ integration: "shop" }, value, weight);
        for (let i = 0; i < weight; i++) single.observe({ integration: "shop" }, value, 1);
        if (weight === 0) single.observe({ integration: "shop" }, value, 0);
      }
      const counts = (histogram: ReturnType<typeof make>) =>
        histogram
          .render()
          .split("\n")
          .filter((line) => !line.startsWith("age_sum"));
      expect(counts(weighted)).toEqual(counts(single));
    }),
  );
});

test("what has no room counts as another integration's, and what is forgotten makes room", () => {
  const full: string[] = [];
  const histogram = make(2, (metric) => full.push(metric));
  for (const integration of ["a", "b", "c", "d"]) histogram.observe({ integration }, 1, 5);
  histogram.observe({ integration: "a" }, 1, 1);
  const counts = () =>
    [...histogram.render().matchAll(/age_count\{integration="(\w+)"\} (\d+)/g)].map(([, ...of]) => of);
  expect(counts()).toEqual([
    ["a", "6"],
    ["b", "5"],
    ["_other", "10"],
  ]);
  expect(full).toEqual(["age", "age"]);
  histogram.forget(new Set(["a", "b"]));
  histogram.observe({ integration: "d" }, 1, 1);
  expect(counts()).toEqual([
    ["_other", "10"],
    ["d", "1"],
  ]);
});
