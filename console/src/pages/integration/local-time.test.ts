import { expect, test } from "vitest";
import { localOf, timeOf } from "./local-time.ts";

test("a time is the same one after it was in a field", () => {
  for (const time of ["2026-03-29T00:30:00.000Z", "2026-10-25T12:45:00.000Z"]) expect(timeOf(localOf(time))).toBe(time);
});

test("what is no time is none", () => {
  expect([localOf(undefined), localOf("soon"), timeOf(""), timeOf("soon")]).toEqual(["", "", undefined, undefined]);
});
