import { expect, test } from "vitest";
import type { Json } from "../../connectors/sdk/index.ts";
import { refuseExplosion } from "./refuse-explosion.ts";
import { createValidator } from "./validator.ts";

const refused = /more than 10,000 schemas, or against itself without end/;

/** Each of `depth` definitions refers to the next one twice. */
function doubling(depth: number, keyword: string) {
  const definition = (_: unknown, at: number) => {
    const next = at + 1 === depth ? { type: "string" } : { $ref: `#/$defs/d${at + 1}` };
    return [`d${at}`, { [keyword]: [next, next] }] as const;
  };
  return { $defs: Object.fromEntries(Array.from({ length: depth }, definition)), $ref: "#/$defs/d0" };
}

test.each(["allOf", "anyOf", "oneOf"])("a schema that doubles by %s is refused before it is compiled", (keyword) => {
  expect(() => createValidator().compile(doubling(40, keyword))).toThrow(refused);
  const { $defs } = doubling(40, keyword);
  expect(() => createValidator().compile({ $defs, properties: { a: { $ref: "#/$defs/d0" } } })).toThrow(refused);
  const few = createValidator().compile(doubling(4, keyword));
  expect(few("a").length > 0).toBe(keyword === "oneOf");
});

test("so is one that comes back to itself with the same value, and not one that does so with a part of it", () => {
  for (const schema of [
    { $ref: "#" },
    { items: { anyOf: [{ type: "null" }, { $ref: "#/items" }] } },
    { $defs: { a: { $ref: "#/$defs/b" }, b: { not: { $ref: "#/$defs/a" } } } },
  ]) {
    expect(() => refuseExplosion(schema)).toThrow(refused);
  }
  const tree = { properties: { left: { anyOf: [{ type: "null" }, { $ref: "#" }] }, right: { $ref: "#" } } };
  expect(() => refuseExplosion(tree)).not.toThrow();
  expect(() => refuseExplosion({ const: { allOf: [{ $ref: "#/const" }] } })).not.toThrow();
});

test("a value that a schema would hold against itself 2^depth times is refused in time, and shallow ones are checked", () => {
  const next = { properties: { a: { $ref: "#" } } };
  const check = createValidator().compile({ allOf: [next, next], properties: { n: { type: "integer" } } });
  const nested = (depth: number): Json => (depth === 0 ? { n: "x" } : { a: nested(depth - 1) });
  expect(check(nested(3))[0]).toMatchObject({ path: "a.a.a.n" });
  expect(check(nested(60))).toEqual([{ path: "", message: expect.stringMatching(/^is too deep for its schema/) }]);
  const data = createValidator().compile({ const: { $ref: "#/x" }, enum: [{ $ref: "#/x" }] });
  expect(data({ $ref: "#/x" })).toEqual([]);
});
