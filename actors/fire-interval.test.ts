import { expect, test } from "vitest";
import { nextFire } from "../adapters/cron/index.ts";
import { FireInterval } from "./fire-interval.ts";

const hours = 3600;
const at = (text: string) => Date.parse(text);

function intervalOf(expression: string) {
  let asked = 0;
  const next = (...given: Parameters<typeof nextFire>) => {
    asked++;
    return nextFire(...given);
  };
  return { interval: new FireInterval({ next }, expression, "UTC"), asked: () => asked };
}

test("what fires every five minutes has an interval of five minutes, however long it was not asked", () => {
  const { interval, asked } = intervalOf("*/5 * * * *");
  expect(interval.at(at("2026-11-18T10:01:00Z"))).toBe(300);
  expect(interval.at(at("2026-11-18T10:06:00Z"))).toBe(300);
  const before = asked();
  expect(interval.at(at("2027-11-18T10:06:00Z"))).toBe(300);
  expect(asked() - before).toBeLessThan(300);
});

test("it is looked up again only when a fire was due", () => {
  const { interval, asked } = intervalOf("0 * * * *");
  interval.at(at("2026-11-18T10:01:00Z"));
  const before = asked();
  for (let minute = 2; minute < 60; minute++) interval.at(at("2026-11-18T10:00:00Z") + minute * 60_000);
  expect(asked()).toBe(before);
});

test("over a weekend it is three days, until Tuesday's fire; also for a node that begins on Saturday", () => {
  const { interval } = intervalOf("0 9 * * 1-5");
  expect(interval.at(at("2026-11-19T10:00:00Z"))).toBe(72 * hours);
  for (const time of ["2026-11-21T10:00:00Z", "2026-11-23T08:59:00Z", "2026-11-23T09:10:00Z", "2026-11-24T08:00:00Z"]) {
    expect(interval.at(at(time)), time).toBe(72 * hours);
  }
  expect(interval.at(at("2026-11-24T10:00:00Z"))).toBe(24 * hours);
  expect(intervalOf("0 9 * * 1-5").interval.at(at("2026-11-21T10:00:00Z"))).toBe(72 * hours);
});

test("over the night it is the night", () => {
  const { interval } = intervalOf("*/15 9-16 * * *");
  expect(interval.at(at("2026-11-19T12:00:00Z"))).toBe(900);
  expect(interval.at(at("2026-11-19T16:50:00Z"))).toBe(16.25 * hours);
  expect(interval.at(at("2026-11-20T08:00:00Z"))).toBe(16.25 * hours);
});

test("one that never comes round again has none", () => {
  expect(new FireInterval({ next: () => null }, "0 0 * * *", "UTC").at(0)).toBeNull();
});
