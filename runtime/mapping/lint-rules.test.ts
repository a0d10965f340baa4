import { expect, test } from "vitest";
import type { Json } from "../../connectors/sdk/index.ts";
import { lintRules } from "./lint-rules.ts";
import { compileMapping } from "./mapping.ts";

/** Findings about rules that compile. */
function lint(...rules: Json[]): string[] {
  compileMapping(rules);
  return lintRules(rules, ["mapping_spec"]).map(({ path, message }) => `${path}: ${message}`);
}
const lost = (rule: number, by: number, path: string) =>
  `mapping_spec[${rule}].destination: what it writes is lost: mapping_spec[${by}] writes ${path} over it`;

test("a rule whose field a later one always writes is told, with both rules", () => {
  expect(
    lint({ source: "$.a", destination: "x" }, { value: 1, destination: "y" }, { value: 2, destination: "x" }),
  ).toEqual([lost(0, 2, "x")]);
  expect(
    lint({ source: "$.a", destination: "x", when: "$.a == 1" }, { template: "{{$.b}}", destination: "x" }),
  ).toEqual([lost(0, 1, "x")]);
});

test("so is one below a field that is written as a whole, and none above it", () => {
  expect(
    lint(
      { source: "$.a", destination: "address.city" },
      { source: "$.b", destination: "address.street[0]" },
      { source: "$.c[*]", destination: "address" },
      { value: 1, destination: "address.zip" },
    ),
  ).toEqual([lost(0, 2, "address"), lost(1, 2, "address")]);
});

test("a rule that may write nothing overwrites nothing for sure", () => {
  const first = { source: "$.a", destination: "x" };
  expect(lint(first, { source: "$.b", destination: "x" })).toEqual([]);
  expect(lint(first, { value: 1, destination: "x", when: "$.b == 1" })).toEqual([]);
  expect(lint(first, { value: "x", destination: "x", cast: "integer", on_error: "skip" })).toEqual([]);
  expect(lint(first, { source: "$.b", destination: "x", default: 1 })).toEqual([lost(0, 1, "x")]);
});

test("of two rules that may both have written, both are lost to a third", () => {
  expect(
    lint({ source: "$.a", destination: "x" }, { source: "$.b", destination: "x" }, { value: 1, destination: "x" }),
  ).toEqual([lost(0, 2, "x"), lost(1, 2, "x")]);
});

test("a copy of the whole record writes over a field's own value, and maybe over another's", () => {
  const all = { source: "$", destination: "*" };
  expect(lint({ source: "$.amount", destination: "amount", cast: "number" }, all)).toEqual([lost(0, 1, "amount")]);
  expect(lint({ source: "$.sum", destination: "amount" }, all)).toEqual([]);
  expect(lint({ source: "$.amount", destination: "amount", default: 0 }, all)).toEqual([]);
  expect(lint({ source: "$.a", destination: "b" }, { value: { b: 1 }, destination: "*" })).toEqual([lost(0, 1, "b")]);
  expect(lint(all, { source: "$.amount", destination: "amount", cast: "number" })).toEqual([]);
});

test("a drop of what no rule wrote is told with the nearest name, and not after a copy of the whole record", () => {
  const rule = { source: "$.a", destination: "email.work" };
  expect(lint(rule, { drop: "emial.work" })).toEqual([
    "mapping_spec[1].drop: drops nothing: no rule before it writes emial.work; did you mean email.work?",
  ]);
  expect(lint(rule, { drop: "email.home" })).toEqual([
    "mapping_spec[1].drop: drops nothing: no rule before it writes email.home",
  ]);
  expect(lint({ source: "$.a", destination: "email" }, { drop: "email.home" })).toEqual([]);
  expect(lint({ source: "$", destination: "*" }, { drop: "emial" })).toEqual([]);
});

test("what is written only to be dropped is told, and not where the drop has a when", () => {
  const rule = { source: "$.a", destination: "x.y" };
  expect(lint(rule, { drop: "x" })).toEqual([
    "mapping_spec[0].destination: what it writes is lost: mapping_spec[1] drops x",
  ]);
  expect(lint(rule, { drop: "x", when: "$.b == 1" })).toEqual([]);
});

test("where a drop closes an array's gap, nothing more is said of its places", () => {
  const write = (n: number) => ({ value: n, destination: `items[${n}]` });
  expect(lint(write(0), write(1), { drop: "items[0]" }, { value: 9, destination: "items[1]" })).toEqual([
    "mapping_spec[0].destination: what it writes is lost: mapping_spec[2] drops items[0]",
  ]);
});

test("rules of an each are looked at as a list of their own", () => {
  const each = [
    { source: "$.a", destination: "x" },
    { value: 1, destination: "x" },
  ];
  expect(lint({ source: "$.list", destination: "x", each })).toEqual([
    "mapping_spec[0].each[0].destination: what it writes is lost: mapping_spec[0].each[1] writes x over it",
  ]);
});

test("names that objects inherit are names as any other", () => {
  expect(lint({ value: 1, destination: "__proto__.x" }, { drop: "constructor" })).toEqual([
    "mapping_spec[1].drop: drops nothing: no rule before it writes constructor",
  ]);
});
