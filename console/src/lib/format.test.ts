import { expect, test } from "vitest";
import { bytes, count, countOf, duration, percent, rate, relative, shortCount } from "./format.ts";

test("durations are told in at most two units", () => {
  const shown = [0, 340, 1000, 1500, 12_400, 200_000, 7_500_000, 356_400_000].map(duration);
  expect(shown).toEqual(["0 ms", "340 ms", "1 s", "1.5 s", "12 s", "3 min 20 s", "2 h 5 min", "4 d 3 h"]);
});

test("moments are told from now, before and after", () => {
  const shown = [0, 5_000, -5_000, 65_000, -7_200_000, 172_800_000].map((at) => relative(at, 0));
  expect(shown).toEqual(["now", "in 5 s", "5 s ago", "in 1 min", "2 h ago", "in 2 d"]);
});

test("numbers stay short, and what is more than nothing is never shown as nothing", () => {
  expect([count(1_234_567), shortCount(9_999), shortCount(1_234_567)]).toEqual(["1,234,567", "9,999", "1.23M"]);
  expect([rate(0), rate(0.034), rate(1234), rate(123_456)]).toEqual(["0", "0.034", "1,234", "123K"]);
  expect([percent(0), percent(0.000001), percent(0.0013), percent(1)]).toEqual(["0%", "<0.01%", "0.13%", "100%"]);
  expect([bytes(0), bytes(999), bytes(4_200_000), bytes(256_000_000)]).toEqual(["0 B", "999 B", "4.2 MB", "256 MB"]);
});

test("one thing is told as one", () => {
  expect([0, 1, 1200].map((value) => countOf(value, "dead letter"))).toEqual([
    "0 dead letters",
    "1 dead letter",
    "1,200 dead letters",
  ]);
});
