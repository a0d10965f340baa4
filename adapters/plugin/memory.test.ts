import { expect, test } from "vitest";
import { nextLookMs } from "./memory.ts";

const mib = 1024 * 1024;

test.each([
  ["does not grow", 100, 100, 250],
  ["shrinks", 200, 100, 250],
  ["grows slowly", 100, 101, 250],
  ["would reach the limit in 200 ms", 100, 200, 100],
  ["would reach the limit at once", 100, 299, 50],
])("the memory of a program that %s is looked at again in time", (_, before, now, ms) => {
  const look = (at: number, mebibytes: number) => ({ at, bytes: mebibytes * mib });
  expect(nextLookMs(300 * mib, look(1_000, before), look(1_200, now))).toBe(ms);
});
