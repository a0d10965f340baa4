import { expect, test } from "vitest";
import { placesOf, rebased, withRules } from "./places.ts";

const a = [{ source: "$.a", destination: "a" }];
const b = [{ source: "$.b", destination: "b" }];
const steps = [
  { id: "keep", type: "filter", where: "$.a" },
  { id: "shape", type: "map" },
  { id: "flat", type: "map", mapping: b },
];

test("each map step has a place: its own mapping, or the integration's", () => {
  expect(placesOf({ mapping_spec: a, pipeline_spec: { steps } })).toEqual([
    { step: "shape", path: "mapping_spec", rules: a },
    { step: "flat", path: "pipeline_spec.steps[2].mapping", rules: b },
  ]);
  expect(placesOf({ mapping_spec: a })).toEqual([{ step: "map", path: "mapping_spec", rules: a }]);
  expect(placesOf({})).toEqual([{ step: "map", path: "mapping_spec", rules: undefined }]);
  expect(placesOf({ pipeline_spec: { steps: steps.slice(0, 1) } })).toEqual([]);
});

test("other rules take the place of those that there are, and all else stays", () => {
  const config = { name: "x", mapping_spec: a, pipeline_spec: { steps, more: 1 } };
  expect(withRules(config, { "pipeline_spec.steps[2].mapping": a })).toEqual({
    ...config,
    pipeline_spec: { steps: [steps[0], steps[1], { ...steps[2], mapping: a }], more: 1 },
  });
  expect(withRules({ name: "x" }, { mapping_spec: b })).toEqual({ name: "x", mapping_spec: b });
});

test("rules follow their step where somebody else moved it, and take all with them where it is gone", () => {
  const base = { pipeline_spec: { steps } };
  const changed = { "pipeline_spec.steps[2].mapping": a };
  const moved = { name: "theirs", pipeline_spec: { steps: [steps[2]] } };
  expect(rebased(moved, base, changed)).toEqual({
    name: "theirs",
    pipeline_spec: { steps: [{ ...steps[2], mapping: a }] },
  });
  expect(rebased({ name: "theirs", pipeline_spec: { steps: [] } }, base, changed)).toEqual(withRules(base, changed));
});
