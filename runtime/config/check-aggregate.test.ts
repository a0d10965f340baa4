import { expect, it } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { checkAggregate } from "./check-aggregate.ts";
import { resolveIntegration } from "./resolve.ts";

const emit = [{ source: "$.count", destination: "n" }];
const total = { sum: "amount" };

it.each<[string, JsonObject, [string, string | RegExp][]]>([
  [
    "what the language shows is taken",
    { key: ["a.b", "a.c", 'items[0]["odd key"]'], measures: { total, n: { count: true } } },
    [],
  ],
  ["no measure at all, and no window, is fine", { key: ["a"], measures: {} }, []],
  ["no key makes one group of all", { key: [], measures: { total } }, []],
  ["emit alone is fine", { key: [], emit }, []],
  ["what gives nothing is refused", { key: [] }, [["key", /gives nothing/]]],
  [
    "a key of no field path",
    { key: ["a..b", "$.a"] },
    [
      ["key[0]", /expected a name/],
      ["key[1]", /write "a"/],
    ],
  ],
  [
    "a measure of no field path",
    { measures: { total: { sum: "a[*]" }, "a b": { max: "" } } },
    [
      ["measures.total.sum", /expected an index/],
      ['measures["a b"].max', "a field path is not empty"],
    ],
  ],
  ["a measure without a name", { measures: { "": total } }, [['measures[""]', /needs a name/]]],
  ["a key twice", { key: ["a", "b", "a"] }, [["key[2]", "a is, holds or lies within another field of the key"]]],
  ["a key within another", { key: ["a", "a.b"] }, [["key[1]", /a\.b is, holds or lies within/]]],
  ["a key around another", { key: ["a.b", "a"] }, [["key[1]", /a is, holds or lies within/]]],
  ["one field as an array and an object", { key: ["a[0]", "a.b"] }, [["key[1]", /a\.b is, holds/]]],
  [
    "a measure named as a field of the key",
    { key: ["a.b", "c"], measures: { a: total, c: total, b: total } },
    [
      ["measures.a", "a is a field of the key already; name the measure otherwise"],
      ["measures.c", /already/],
    ],
  ],
  ["the same with emit, where they stand apart", { key: ["a.b"], measures: { a: total }, emit }, []],
  ["__proto__ is a name as any other", { key: ["constructor"], measures: JSON.parse('{"__proto__":{"sum":"a"}}') }, []],
  ["a window of no time", { window: { duration: "0ms" } }, [["window.duration", "must be more than 0"]]],
  ["what is of the wrong shape is left to the schema", { key: "a", window: 1, measures: { total: "a" } }, []],
])("%s", (_sentence, options, expected) => {
  const found = checkAggregate("steps[3]", {
    id: "t",
    type: "aggregate",
    key: ["key"],
    window: {},
    measures: {},
    ...options,
  });
  expect(found).toEqual(
    expected.map(([path, message]) => ({
      path: `steps[3].${path}`,
      message: typeof message === "string" ? message : expect.stringMatching(message),
    })),
  );
});

it("a step is resolved with its durations and measures decided", () => {
  const step = {
    id: "t",
    type: "aggregate",
    key: ["k"],
    window: { duration: "5m" },
    measures: { total, n: { count: true } },
  };
  const resolve = (more: JsonObject) =>
    resolveIntegration({
      source: { connector: "in", stream: "a" },
      destination: { connector: "out", stream: "b" },
      pipeline_spec: { steps: [{ ...step, ...more }] },
    }).steps[0];
  expect(resolve({})).toEqual({
    id: "t",
    type: "aggregate",
    needs: ["source"],
    onError: "dead_letter",
    rateLimit: null,
    concurrency: 1,
    key: ["k"],
    window: { count: null, durationMs: 300_000 },
    measures: [
      { name: "total", function: "sum", path: "amount" },
      { name: "n", function: "count", path: null },
    ],
    emit: null,
  });
  expect(resolve({ window: { count: 10 }, emit })).toMatchObject({ window: { count: 10, durationMs: null }, emit });
});
