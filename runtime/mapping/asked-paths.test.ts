import { expect, test } from "vitest";
import { nearestPath, pathsOfPredicate, pathsOfTemplate } from "./asked-paths.ts";

test("a predicate's paths are those it asks of the record, whichever sign stands for it", () => {
  const text = "$.a == 1 && (!@.b || match($.c.d, 'x')) && length(@.e) > count($.f[?@.g]) && $.h < $.i";
  expect(pathsOfPredicate(text)).toEqual([
    { path: "$.a", optional: false },
    { path: "$.b", optional: true },
    { path: "$.c.d", optional: false },
    { path: "$.e", optional: false },
    { path: "$.f[?@.g]", optional: true },
    { path: "$.h", optional: false },
    { path: "$.i", optional: false },
  ]);
});

test("a template's paths are those of its holes, optional with a default", () => {
  expect(pathsOfTemplate("Dear {{ $.a | trim }} {{ $.b[0] | default('x') }}")).toEqual([
    { path: "$.a", optional: false },
    { path: "$.b[0]", optional: true },
  ]);
});

const documents = [{ email: "a", address: { city: "x" }, items: [{ sku: 1 }, { "odd key": 2 }] }];

test.each([
  ["$.emial", "$.email"],
  ["$.adress.city", "$.address.city"],
  ["$.address.ctiy", "$.address.city"],
  ["$.itmes[*].sku", "$.items[*].sku"],
  ["$.items[0].suk", "$.items[0].sku"],
  ["$.items[*]['odd kye']", '$.items[*]["odd key"]'],
  ["$.itmes[?@.sku == 1]", "$.items"],
  ["$.nothing", undefined],
  ["$..emial", undefined],
  ["$.email.x", undefined],
  ["$", undefined],
])("by %s is meant %s", (path, meant) => {
  expect(nearestPath(path, documents)).toBe(meant);
});
