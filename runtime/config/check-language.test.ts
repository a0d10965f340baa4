import { expect, test } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { checkLanguage } from "./check-language.ts";

const route = (...wheres: (string | { js: string })[]) => ({
  pipeline_spec: { steps: [{ id: "r", type: "route", routes: wheres.map((where, i) => ({ to: `d${i}`, where })) }] },
});

test("a route with the predicate of an earlier one takes nothing", () => {
  expect(checkLanguage(route("$.a == 1", "$.b == 1", "$.a == 1")).warnings).toEqual([
    {
      path: "pipeline_spec.steps[0].routes[2].where",
      message:
        "takes nothing: pipeline_spec.steps[0].routes[0] has the same predicate, and the first that matches counts",
    },
  ]);
  expect(checkLanguage(route("$.a == 1", "$.b == 1", { js: "record.a" })).warnings).toEqual([]);
});

test("rules of a step's own mapping that lose what they write are named by the step", () => {
  const mapping = [
    { source: "$.a", destination: "x" },
    { value: 1, destination: "x" },
  ];
  expect(checkLanguage({ pipeline_spec: { steps: [{ id: "m", type: "map", mapping }] } }).warnings).toEqual([
    {
      path: "pipeline_spec.steps[0].mapping[0].destination",
      message: "what it writes is lost: pipeline_spec.steps[0].mapping[1] writes x over it",
    },
  ]);
});

test("a key of the delivery that nothing asks for is warned of", () => {
  const warnings = (delivery: JsonObject) => checkLanguage({ delivery }).warnings.map(({ path }) => path);
  expect(warnings({ key: ["email"] })).toEqual(["delivery.key"]);
  expect(warnings({ key: ["email"], ordering: "key" })).toEqual([]);
  expect(warnings({ idempotency: { key: "id" } })).toEqual(["delivery.idempotency.key"]);
  expect(warnings({ idempotency: { key: "id", window: "1d" } })).toEqual([]);
  expect(warnings({ idempotency: {} })).toEqual([]);
});
