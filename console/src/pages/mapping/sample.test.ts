import { expect, test } from "vitest";
import { recordsIn, sampleBody, sampled } from "./sample.ts";

test("a list of objects, and an object a line, are several records; all else is one or none", () => {
  const two = ['{\n  "a": 1\n}', '{\n  "a": 12345678901234567890\n}'];
  expect(recordsIn('[{"a":1},{"a":12345678901234567890}]')).toEqual(two);
  expect(recordsIn('{"a":1}\n\n{"a":12345678901234567890}\n')).toEqual(two);
  expect(['{"a":1}', "[1]", "[]", "{\n", '{"a":1}\nb'].map(recordsIn)).toEqual([null, null, null, null, null]);
  expect(recordsIn(JSON.stringify(Array.from({ length: 50 }, () => ({}))))).toHaveLength(20);
});

test("what cannot be tried says why", () => {
  expect(sampled('{"a":1}')).toEqual({ text: '{"a":1}', record: { a: 1 } });
  expect(sampled("[]")).toMatchObject({ error: "A record is one JSON object.", isLarge: false });
  expect(sampled("{")).toMatchObject({ error: expect.stringMatching(/^This is no JSON yet/) });
  expect(sampled(JSON.stringify({ a: "x".repeat(600_000) }))).toMatchObject({ isLarge: true });
});

test("the source is read without its steps, and not where records are sent", () => {
  const source = { connector: "a", stream: "s" };
  const destinations = [{ id: "d", connector: "b", stream: "t", needs: ["m"], mode: "append" }];
  const none = { mapping_spec: null, pipeline_spec: null, destinations: null };
  expect(JSON.parse(sampleBody({ source, destinations }, 10) ?? "")).toEqual({
    sample: 10,
    spec: { ...none, destination: { connector: "b", stream: "t", mode: "append" } },
  });
  expect(sampleBody({ destinations }, 10)).toBeNull();
});
