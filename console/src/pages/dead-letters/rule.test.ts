import { expect, test } from "vitest";
import type { IntegrationBody } from "../../api/types.ts";
import { pathOf, ruleOf } from "./rule.ts";

test("a rule is found in its step, or in the mapping that all steps share", () => {
  const own = { source: "$.a.b[0]", destination: "b" };
  const shared = { value: 1, destination: "c" };
  const integration: IntegrationBody = {
    name: "n",
    mapping_spec: [shared],
    pipeline_spec: {
      steps: [
        { id: "first", type: "map", mapping: [own] },
        { id: "second", type: "map" },
      ],
    },
  };
  expect(ruleOf(integration, "first", 0)).toEqual({ text: JSON.stringify(own), path: "a.b[0]" });
  expect(ruleOf(integration, "second", 0)).toEqual({ text: JSON.stringify(shared), path: null });
  expect(ruleOf(integration, "second", 1)).toBeNull();
});

test("a query that finds one field is its path, and others are none", () => {
  const paths = [
    "$.a",
    "a.b",
    "$.größe",
    '$["odd key"]',
    "$.a[2].b",
    "$",
    "$.a[*]",
    "$..a",
    "$.a[?@.b == 1]",
    "a | upper",
  ];
  expect(paths.map(pathOf)).toEqual(["a", "a.b", "größe", '["odd key"]', "a[2].b", null, null, null, null, null]);
});
