import { expect, test } from "vitest";
import { RecentBytes } from "./recent-bytes.ts";

const mebibyte = 1024 * 1024;

test("what stands behind a sequence is known to within a mebibyte, and what is not known is not guessed", () => {
  const recent = new RecentBytes();
  expect(recent.before(0)).toBe(0);
  for (let sequence = 1; sequence <= 100; sequence++) recent.add(sequence, mebibyte / 10);
  for (const bytes of [0.5, 1, 2.5, 8].map((share) => share * mebibyte)) {
    const behind = (100 - recent.before(bytes)) * (mebibyte / 10);
    expect(behind).toBeGreaterThanOrEqual(bytes);
    expect(behind).toBeLessThanOrEqual(bytes + 2 * mebibyte);
  }
  expect(recent.before(10 * mebibyte)).toBe(0);
  expect(recent.before(Number.POSITIVE_INFINITY)).toBe(0);
});

test("what is large counts at once, and what is long ago is forgotten", () => {
  const recent = new RecentBytes();
  for (let sequence = 1; sequence <= 2_000; sequence++) recent.add(sequence, 2 * mebibyte);
  expect(recent.before(100 * mebibyte)).toBe(1_950);
  expect(recent.before(1_500 * mebibyte)).toBe(0);
});
