import { expect, test } from "vitest";
import { parseExact } from "../../lib/exact-json.ts";
import { at, pathsFrom, ruleOfEach, shapeOf } from "./shape.ts";

const shape = shapeOf([
  { id: 1, address: { city: "Rome" }, lines: [{ sku: "a" }], "odd key": null },
  { id: "x", address: null, lines: [{ price: 1.5 }], "it's": true },
]);
const paths = (typed: string) => pathsFrom(shape, typed).map(({ path }) => path);

test("all fields that were seen in any record are known, with their types", () => {
  expect(pathsFrom(shape, "$").slice(0, 3)).toEqual([
    { path: "$.id", type: "number, string" },
    { path: "$.address", type: "object, null" },
    { path: "$.address.city", type: "string" },
  ]);
  expect(paths("$.")).toEqual([
    "$.id",
    "$.address",
    "$.address.city",
    "$.lines",
    "$.lines[*]",
    "$.lines[*].sku",
    "$.lines[*].price",
    "$.lines[0]",
    "$.lines[0].sku",
    "$.lines[0].price",
    "$['odd key']",
    "$['it\\'s']",
  ]);
});

test("what follows a path is what was seen there, whichever element it names", () => {
  expect(paths("$.lines[7].s")).toEqual(["$.lines[7].sku", "$.lines[7].price"]);
  expect(paths("@.address.")).toEqual(["@.address.city"]);
  expect(paths("$.address[")).toEqual(["$.address.city"]);
  expect(paths("$.gone.x")).toEqual([]);
  expect(paths("id")).toEqual([]);
});

test("a number of any length is a number, and odd names are found again", () => {
  expect(pathsFrom(shapeOf([parseExact('{"big":12345678901234567890}')]), "$")).toEqual([
    { path: "$.big", type: "number" },
  ]);
  expect([...(at(shape, "$['it\\'s']")?.types ?? [])]).toEqual(["boolean"]);
  expect(at(shape, "$..id")).toBeNull();
});

test("no record is too wide: only so many fields are looked at", () => {
  const wide = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`f${i}`, i]));
  expect(pathsFrom(shapeOf([wide]), "$")).toHaveLength(2_000);
});

test("each field has a rule that keeps its name", () => {
  expect(ruleOfEach(shape)).toEqual([
    { source: "$.id", destination: "id" },
    { source: "$.address", destination: "address" },
    { source: "$.lines", destination: "lines" },
    { source: "$['odd key']", destination: '["odd key"]' },
    { source: "$['it\\'s']", destination: '["it\'s"]' },
  ]);
});
