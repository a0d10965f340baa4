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
