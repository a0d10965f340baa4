import { describe, expect, it } from "vitest";
import { parseJson } from "../record/index.ts";
import { deleteField, getField, parseFieldPath, setField } from "./index.ts";

describe("field paths", () => {
  it.each([
    ["a", ["a"]],
    ["a.b.c", ["a", "b", "c"]],
    ["items[0].name", ["items", 0, "name"]],
    ["a[0][1]", ["a", 0, 1]],
    ["a.0", ["a", "0"]],
    ["0", ["0"]],
    ['["odd key"]', ["odd key"]],
    ["['odd key'].b", ["odd key", "b"]],
    ['a["x.y"][2]', ["a", "x.y", 2]],
    ['["a\\"b\\n\\u00e9\\ud83d\\ude00"]', ['a"b\né😀']],
    ["['it\\'s']", ["it's"]],
    ['[""]', [""]],
    ["first-name", ["first-name"]],
    ["größe", ["größe"]],
    ["a$b.$c", ["a$b", "$c"]],
    ["@id", ["@id"]],
    ["__proto__.constructor", ["__proto__", "constructor"]],
    ["a[65535]", ["a", 65535]],
  ])("%s is read", (text, path) => {
    expect(parseFieldPath(text)).toEqual(path);
  });

  it.each([
    "",
    "a..b",
    "a.",
    ".a",
    "a[-1]",
    "a[*]",
    "*",
    "a.*",
    "a b",
    "a[",
    "a[0",
    "a[]",
    "a[01]",
    "a[0]b",
    "a]",
    "a.[0]",
    'a.["b"]',
    'a"b',
    "a'b",
    "a[b]",
    '["a\\x"]',
    '["a',
    "a[65536]",
    "a[99999999999999999999]",
    " a",
    "a[ 0 ]",
  ])("%j is refused", (text) => {
    expect(() => parseFieldPath(text)).toThrow();
  });

  it("$.a is refused with the hint a", () => {
    expect(() => parseFieldPath("$.a")).toThrow('a field path does not begin with "$"; write "a"');
    expect(() => parseFieldPath("$.a.b[0]")).toThrow('write "a.b[0]"');
    expect(() => parseFieldPath("$['a']")).toThrow("write \"['a']\"");
  });

  it.each(["__proto__", "constructor", "toString", "length"])(
    "%s is a key as any other, read and written as own member",
    (key) => {
      const record = parseJson(`{"a":{"${key}":{"x":1}},"list":[],"text":"abc"}`);
      expect(getField(record, ["a", key, "x"])).toBe(1);
      expect(getField(record, [key])).toBeUndefined();
      expect(getField(record, ["list", key])).toBeUndefined();
      expect(getField(record, ["text", key])).toBeUndefined();
      const out = {};
      expect(setField(out, [key, "polluted"], true)).toBe(true);
      expect(JSON.stringify(out)).toBe(`{"${key}":{"polluted":true}}`);
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
      deleteField(out, [key]);
      expect(JSON.stringify(out)).toBe("{}");
    },
  );

  it("nothing is read from a number that keeps its literal", () => {
    expect(getField(parseJson('{"n":12345678901234567890}'), ["n", "rawJSON"])).toBeUndefined();
  });
});
