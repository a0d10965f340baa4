import { describe, expect, test } from "vitest";
import { parseJson } from "../record/index.ts";
import { differences, distinct, unorderedDifferences } from "./differences.ts";

describe("differences", () => {
  test("of equal values there are none, whatever the order of their fields and the spelling of their numbers", () => {
    expect(differences({ a: [1, { b: null }], c: "x" }, { c: "x", a: [1, { b: null }] }, "")).toEqual([]);
    const [one, other] = ["1e30", "1000000000000000000000000000000"].map(parseJson);
    expect(differences(one, other, "")).toEqual([]);
  });

  test("are told as deep as they can be, with what was expected and what was found", () => {
    expect(differences({ a: { b: [1, 2] }, c: 1 }, { a: { b: [1, 3, 4] }, d: null }, "x")).toEqual([
      { path: "x.a.b[1]", expected: 2, found: 3 },
      { path: "x.a.b[2]", found: 4 },
      { path: "x.c", expected: 1 },
      { path: "x.d", found: null },
    ]);
  });

  test("lie in types and in the last of many digits", () => {
    expect(differences(1, "1", "x")).toEqual([{ path: "x", expected: 1, found: "1" }]);
    expect(differences([], {}, "x")).toHaveLength(1);
    expect(differences(null, false, "x")).toHaveLength(1);
    const [one, other] = ["12345678901234567890", "12345678901234567891"].map(parseJson);
    expect(differences(one, other, "x")).toHaveLength(1);
  });

  test("are not in fields that are not expected, where they need not be", () => {
    const options = { partial: true };
    expect(differences({ a: [{ b: 1 }] }, { a: [{ b: 1, c: 2 }], d: 3 }, "", options)).toEqual([]);
    expect(differences({ a: [{ b: 1 }] }, { a: [{ b: 1 }, {}] }, "", options)).toEqual([{ path: "a[1]", found: {} }]);
    expect(differences({ __proto__: null, constructor: 1 }, {}, "")).toEqual([{ path: "constructor", expected: 1 }]);
  });
});

describe("unorderedDifferences", () => {
  test("sets aside what has its like, one for one", () => {
    expect(unorderedDifferences([1, 2, 2], [2, 1, 2], "x")).toEqual([]);
    expect(unorderedDifferences([1, 2], [2, 1, 2], "x")).toEqual([{ path: "x[2]", found: 2 }]);
    expect(unorderedDifferences([1, 2, 2], [2, 1], "x")).toEqual([{ path: "x[2]", expected: 2 }]);
  });

  test("compares the rest in order", () => {
    expect(unorderedDifferences([{ n: 1 }, { n: 2 }], [{ n: 2 }, { n: 3 }], "x")).toEqual([
      { path: "x[0].n", expected: 1, found: 3 },
    ]);
  });
});

test("distinct keeps the first of those that are equal", () => {
  expect(distinct([{ a: 1, b: 2 }, 1, { b: 2, a: 1 }, 1])).toEqual([{ a: 1, b: 2 }, 1]);
});
