import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyRanges } from "./key-ranges.ts";

test("keys are known once they were added, in whatever order, and not before", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 })), (keys) => {
      const ranges = new KeyRanges([]);
      for (const key of keys) ranges.add(key);
      const known = new KeyRanges(ranges.bounds);
      for (let key = 0; key <= 61; key++) expect(known.has(key)).toBe(keys.includes(key));
      expect(ranges.bounds).toEqual([...ranges.bounds].sort((a, b) => a - b));
    }),
  );
});

test("keys that follow one another are one range", () => {
  const ranges = new KeyRanges([]);
  for (const key of [3, 1, 2, 7, 5, 6]) ranges.add(key);
  expect(ranges.bounds).toEqual([1, 3, 5, 7]);
});

test("of very many ranges the oldest are forgotten", () => {
  const ranges = new KeyRanges([]);
  for (let n = 0; n < 2_000; n++) ranges.add(2 * n);
  expect(ranges.bounds).toHaveLength(2_048);
  expect(ranges.has(0)).toBe(false);
  expect(ranges.has(3_998)).toBe(true);
});
