import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { SluiceError } from "../errors/index.ts";
import { parseJson } from "../record/index.ts";
import { compilePredicate } from "./index.ts";

const test = (source: string, record: string) => compilePredicate(source).test(parseJson(record) as JsonObject);

describe("predicates", () => {
  it.each([
    ["$.status == 'active' && $.amount > 10 || $.tags[?@ == 'vip']", '{"status":"active","amount":11}', true],
    ["$.status == 'active' && $.amount > 10 || $.tags[?@ == 'vip']", '{"tags":["vip"]}', true],
    ["$.status == 'active' && $.amount > 10 || $.tags[?@ == 'vip']", '{"status":"active"}', false],
    ["  @.a == $.b\n", '{"a":[1],"b":[1.0]}', true],
    ["!($.a || $.b)", '{"c":1}', true],
    ["!$.a", '{"a":false}', false],
    ["$.a", '{"a":null}', true],
    ["$.a == $.b", "{}", true],
    ["$.a == $.b || $.b == $.a", '{"a":[],"b":{}}', false],
    ["$.a == null", "{}", false],
    ["$.a != 1", "{}", true],
    ["$.a <= null", '{"a":null}', true],
    ["$.a < 'b'", '{"a":1}', false],
    ["$.a == 9007199254740993", '{"a":9007199254740992}', false],
    ["$.a > 1e300", '{"a":1e400}', true],
    ["$.a == 'x'", '{"a":"x"}', true],
    ["$.a == true", '{"a":"true"}', false],
    ["match($.a, 'x.*')", '{"a":"xyz"}', true],
    ["search($.a, 'y')", '{"a":"xyz"}', true],
    ["match($.a, '(?=x)')", '{"a":"x"}', false],
    ["length($.a) == 2 && count($.a[*]) == 2 && value($..b) == 1", '{"a":[{"b":1},2]}', true],
    ["$", "{}", true],
    ["@", "{}", true],
    ["$['__proto__'] == 1", '{"__proto__":1}', true],
    ["$['__proto__']", "{}", false],
    ["$.constructor", "{}", false],
  ])("%s on %s is %s", (source, record, expected) => {
    expect(test(source, record)).toBe(expected);
  });

  it.each([
    "",
    "  ",
    "true",
    "1",
    "$.a = 1",
    "$.a == ",
    "$.a and $.b",
    "$.a == 1 &&",
    "(($.a)",
    "count($.a)",
    "$.*==1",
    5,
    null,
    {},
    undefined,
  ])("%j is refused with a configuration error", (source) => {
    expect(() => compilePredicate(source)).toThrow(SluiceError);
  });

  it("lint warns of a pattern that is no I-Regexp, and of a bare path", () => {
    expect(compilePredicate("match($.a, '\\\\d+')").warnings).toEqual([
      '"\\\\d+" is no I-Regexp (RFC 9485) and matches nothing',
    ]);
    expect(compilePredicate("$.a[?search(@, 'a{2000}')]").warnings).toEqual([
      '"a{2000}" is too large an I-Regexp (at most 10000 characters, 2000 with their repetitions, 64 classes, 250 levels) and matches nothing',
    ]);
    expect(compilePredicate("$.active && $.b == 1").warnings).toHaveLength(1);
    expect(compilePredicate("$.a[?@.b] && $.c == true").warnings).toEqual([]);
    expect(compilePredicate("$.a[?match(@, 'a**')]").warnings).toHaveLength(1);
  });

  it("a text of a user never becomes code", () => {
    const names = ['"];throw 1;//', "`$" + "{1}`", "\\\\u0022", "\u2028", "');throw 1//"];
    for (const name of names) {
      const literal = JSON.stringify(name);
      expect(test(`$[${literal}] == ${literal}`, JSON.stringify({ [name]: name }))).toBe(true);
    }
  });
});
