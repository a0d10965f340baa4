import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../config/index.ts";
import { isPure } from "./index.ts";

const pure = (steps: readonly JsonObject[], more: JsonObject = {}) =>
  isPure(
    resolveIntegration({
      source: { connector: "c", stream: "s" },
      destination: { id: "out", connector: "c", stream: "d" },
      pipeline_spec: { steps: [...steps] },
      ...more,
    }),
  );
const map = (...mapping: JsonObject[]): JsonObject => ({ id: "m", type: "map", mapping });

describe("steps are pure", () => {
  test.each<[string, JsonObject[]]>([
    ["where there are none", []],
    ["that filter", [{ id: "f", type: "filter", where: "$.a" }]],
    ["that map", [map({ source: "$.a", destination: "b", when: "$.c", each: [{ source: "$", destination: "d" }] })]],
    ["that validate", [{ id: "v", type: "validate", schema: { type: "object" } }]],
    ["that route", [{ id: "r", type: "route", routes: [{ to: "out", where: "$.a" }] }]],
  ])("%s", (_name, steps) => {
    expect(pure(steps)).toBe(true);
  });
});

describe("steps are not pure", () => {
  test.each<[string, JsonObject]>([
    ["a script decides what they keep", { id: "f", type: "filter", where: { js: "true" } }],
    ["a rule transforms", map({ source: "$.a", destination: "b", transform: "value" })],
    ["a rule has a script as its condition", map({ source: "$.a", destination: "b", when: { js: "true" } })],
    [
      "a rule for elements transforms",
      map({ source: "$.a", destination: "b", each: [{ source: "$", destination: "c", transform: "value" }] }),
    ],
    ["a script decides on a route", { id: "r", type: "route", routes: [{ to: "out", where: { js: "true" } }] }],
    ["they are functions", { id: "t", type: "transform", script: "(record) => record" }],
    ["they make many records of one", { id: "s", type: "split", path: "items" }],
    ["they keep records", { id: "a", type: "aggregate", key: ["a"], window: { count: 2 }, measures: { n: "count" } }],
    ["their rate is limited", { id: "f", type: "filter", where: "$.a", rate_limit: 10 }],
  ])("where %s", (_name, step) => {
    expect(pure([step])).toBe(false);
  });

  test("where the schema contract changes records before them", () => {
    expect(pure([], { schema: { contract: "discard_record" } })).toBe(true);
    expect(pure([], { schema: { contract: "discard_value" } })).toBe(false);
  });
});
