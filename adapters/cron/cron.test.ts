import { expect, test } from "vitest";
import { checkCron, nextFire } from "./index.ts";

test.each(["*/5 * * * *", "0 9 * * MON-FRI", "*/10 * * * * *", "@hourly"])("%s is a cron expression", (expression) => {
  expect(checkCron(expression)).toBeUndefined();
});

test.each(["", "* * * *", "* * * * * * *", "61 * * * *", "0 0 30 2 *", "soon"])(
  "%j is refused by name",
  (expression) => {
    expect(checkCron(expression)).toContain(JSON.stringify(expression));
  },
);

test("a time means the time zone's clock, over daylight saving", () => {
  const next = (after: string) => nextFire("30 9 * * *", "Europe/Berlin", new Date(after))!.toISOString();
  expect(next("2026-03-28T12:00:00Z")).toBe("2026-03-29T07:30:00.000Z");
  expect(next("2026-10-25T12:00:00Z")).toBe("2026-10-26T08:30:00.000Z");
});

const firesOf = (expression: string, timezone: string, from: string, to: string): string[] => {
  const fires: string[] = [];
  for (let at = nextFire(expression, timezone, new Date(from)); at && at < new Date(to); ) {
    fires.push(at.toISOString().slice(0, 16));
    at = nextFire(expression, timezone, at);
  }
  return fires;
};
/** The nights in which Berlin's clocks are set forward, at 01:00 UTC, and back. */
const forward = ["2026-03-28T22:00:00Z", "2026-03-29T03:00:00Z"] as const;
const back = ["2026-10-24T22:00:00Z", "2026-10-25T02:30:00Z"] as const;

test.each([
  ["30 2 * * *", ["2026-03-29T01:00"]],
  ["15,45 2 * * *", ["2026-03-29T01:00"]],
  ["30 1-3 * * *", ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30"]],
  ["0 3 * * *", ["2026-03-29T01:00"]],
])("times of day that the clocks skip are due when they are set forward: %s", (expression, fires) => {
  expect(firesOf(expression, "Europe/Berlin", ...forward)).toEqual(fires);
});

test.each([
  ["30 2 * * *", ["2026-10-25T00:30"]],
  ["15,45 2 * * *", ["2026-10-25T00:15", "2026-10-25T00:45"]],
  ["0 3 * * *", ["2026-10-25T02:00"]],
])("times of day that the clocks show twice are due the first time: %s", (expression, fires) => {
  expect(firesOf(expression, "Europe/Berlin", ...back)).toEqual(fires);
});

test("every hour is due as often as the clocks show it", () => {
  const forwardHours = ["28T23:00", "29T00:00", "29T01:00", "29T02:00"].map((at) => `2026-03-${at}`);
  expect(firesOf("0 * * * *", "Europe/Berlin", ...forward)).toEqual(forwardHours);
  const backHours = ["24T23:00", "25T00:00", "25T01:00", "25T02:00"].map((at) => `2026-10-${at}`);
  expect(firesOf("@hourly", "Europe/Berlin", ...back)).toEqual(backHours);
});

test("what is due every second is found at once, whatever the clocks do", () => {
  const next = (after: string) => nextFire("* * 0-5 * * *", "Europe/Berlin", new Date(after))!.toISOString();
  expect(next("2026-10-25T00:59:58.500Z")).toBe("2026-10-25T00:59:59.000Z");
  // The second 02:00 to 03:00.
  expect(next("2026-10-25T00:59:59.500Z")).toBe("2026-10-25T02:00:00.000Z");
  expect(next("2026-07-01T01:00:00.500Z")).toBe("2026-07-01T01:00:01.000Z");
});
