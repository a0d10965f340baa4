import { expect, test } from "vitest";
import { nearest } from "./nearest.ts";

test.each([
  ["conector", "connector"],
  ["dest", "destination"],
  ["Source", "source"],
  ["sorce", "source"],
  ["ebabled", "enabled"],
  ["trigegr", "trigger"],
  ["b", undefined],
  ["wholly", undefined],
  ["", undefined],
])("nearest to %j is %j", (name, expected) => {
  expect(nearest(name, ["connector", "destination", "source", "enabled", "trigger", "a"])).toBe(expected);
});
