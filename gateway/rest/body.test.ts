import { expect, test } from "vitest";
import { parseBody } from "./body.ts";

const parse = (text: string) => parseBody(Buffer.from(text));

test("a body is JSON in UTF-8, with every digit of its numbers", () => {
  expect(parse('{"a": [1, {"a": "}{,"}], "b": "a", "c": {"a": null}}')).toEqual({
    a: [1, { a: "}{," }],
    b: "a",
    c: { a: null },
  });
  expect(JSON.stringify(parse("[12345678901234567890]"))).toBe("[12345678901234567890]");
  expect(parse(`${"[".repeat(1000)}${"]".repeat(1000)}`)).toBeInstanceOf(Array);
  expect(parse('"a \\" , {"')).toBe('a " , {');
});

test.each([
  ['{"a": 1, "b": {}, "a": 2}', /the name "a" twice/],
  ['{"a": 1, "\\u0061": 2}', /the name "a" twice/],
  ['[{"x": {"b": [], "b": 1}}]', /the name "b" twice/],
  ['{"__proto__": 1, "__proto__": 2}', /"__proto__" twice/],
  ["[".repeat(100_000), /nested deeper than 1000 levels/],
  ['{"a":'.repeat(100_000), /nested deeper than 1000 levels/],
  [`{${Array.from({ length: 10_001 }, (_, index) => `"${index}":1`)}}`, /more than 10000 names/],
  ["{bad", /the body is no JSON/],
  ['"a\nb"', /the body is no JSON/],
  [`"${'\\"'.repeat(1_000_000)}`, /the body is no JSON/],
  ["]]]", /the body is no JSON/],
  ['{"a": 1}}', /the body is no JSON/],
])("what is none is refused: %.40s", (text, message) => {
  expect(() => parse(text)).toThrow(
    expect.objectContaining({ code: "VALIDATION_ERROR", message: expect.stringMatching(message) }),
  );
});

test("a string may have millions of escapes", () => {
  expect(parse(`["${"\\n".repeat(4_150_000)}"]`)).toEqual(["\n".repeat(4_150_000)]);
  expect(parse('["a\\\\", {"b\\"": 1}]')).toEqual(["a\\", { 'b"': 1 }]);
  expect(() => parse('{"a\\\\": 1, "a\\\\": 2}')).toThrow(/twice/);
});

test("bytes that are no UTF-8 are refused", () => {
  expect(() => parseBody(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toThrow(/not UTF-8/);
});
