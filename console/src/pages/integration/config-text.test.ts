import { expect, test } from "vitest";
import { configInFile, configText, findings, parseConfig, placeOf } from "./config-text.ts";

const text = `{
  "name": "copy",
  "pipeline_spec": { "steps": [ { "id": "a", "where": "$.x" }, { "id": "b" } ] },
  "metadata": { "odd key": 1 }
}`;
const at = (path: string) => {
  const { from, to } = placeOf(text, path);
  return text.slice(from, to);
};

test.each([
  ["name", '"name"'],
  ["pipeline_spec.steps[0].where", '"where"'],
  ['metadata["odd key"]', '"odd key"'],
  ["pipeline_spec.steps[1]", "{"],
  ["", "{"],
])("the field at %j is found in the text", (path, found) => {
  expect(at(path)).toBe(found);
});

test.each([
  ["pipeline_spec.steps[1].where", "{"],
  ["pipeline_spec.steps[7]", '"steps"'],
  ["destination.stream", "{"],
  ["name.first", '"name"'],
])("of %j, which is not there, the nearest place above it is", (path, found) => {
  expect(at(path)).toBe(found);
});

test("a text that is broken off is looked through as far as it goes", () => {
  expect(placeOf('{"a": {"b": [1, ', "a.b[0]").from).toBeGreaterThan(0);
  expect(placeOf("", "a.b")).toEqual({ from: 0, to: 0 });
});

test("what the server alone decides is not there to be edited, and the order of fields is always the same", () => {
  const edited = configText({
    id: "x",
    health: "ok",
    enabled: true,
    surprising: 1,
    source: {},
    name: "copy",
    version: 3,
  });
  expect(Object.keys(JSON.parse(edited))).toEqual(["name", "enabled", "source", "surprising"]);
});

test("a finding names its path and stands at its place", () => {
  const [finding] = findings(text, [{ path: "pipeline_spec.steps[0].where", message: "is no predicate" }]);
  expect(finding?.message).toBe("pipeline_spec.steps[0].where is no predicate");
  expect(text.slice(finding!.from, finding!.to)).toBe('"where"');
});

test("what is no JSON object says so", () => {
  expect(parseConfig('{"a":1}')).toEqual({ value: { a: 1 } });
  expect(parseConfig("[]")).toEqual({ error: "The configuration is one JSON object." });
  expect(parseConfig("{")).toHaveProperty("error");
});

test("an integration in a file is taken by itself, by its name, or as the only one", () => {
  const [a, b] = [{ name: "a" }, { name: "b" }];
  expect(configInFile(b, configText(a))).toBe(configText(b));
  expect(configInFile({ connectors: [], integrations: [a, b] }, configText(b))).toBe(configText(b));
  expect(configInFile({ integrations: [b] }, configText(a))).toBe(configText(b));
  expect(configInFile({ integrations: [a, b] }, "{}")).toBeNull();
  expect(configInFile([a], "{}")).toBeNull();
});
