import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Json } from "../../connectors/sdk/index.ts";
import { parseJson } from "../record/index.ts";
import { compileQuery } from "./query.ts";

interface Case {
  readonly name: string;
  readonly selector: string;
  readonly document: Json;
  readonly result?: Json[];
  readonly results?: Json[][];
  readonly invalid_selector?: boolean;
}

const suite = JSON.parse(readFileSync(new URL("../../tests/vectors/jsonpath/cts.json", import.meta.url), "utf8")) as {
  tests: Case[];
};

/** What is wrong, or undefined. */
function outcome(test: Case): string | undefined {
  try {
    const query = compileQuery(test.selector);
    if (test.invalid_selector === true) return "accepted";
    const found = JSON.stringify(query.all(test.document));
    const allowed = (test.results ?? [test.result as Json[]]).map((result) => JSON.stringify(result));
    return allowed.includes(found) ? undefined : `found ${found}, not ${allowed.join(" or ")}`;
  } catch (error) {
    return test.invalid_selector === true ? undefined : String(error);
  }
}

describe("the JSONPath compliance test suite", () => {
  it("passes all 703 cases through the compiled path", () => {
    const failed = suite.tests.flatMap((test) => {
      const wrong = outcome(test);
      return wrong === undefined ? [] : [`${test.name}: ${test.selector}: ${wrong}`];
    });
    console.log(`JSONPath compliance: ${suite.tests.length - failed.length} of ${suite.tests.length} cases pass`);
    expect(failed).toEqual([]);
    expect(suite.tests).toHaveLength(703);
  });
});

describe("where libraries differ from RFC 9535, the RFC wins", () => {
  const all = (path: string, json: string) => JSON.stringify(compileQuery(path).all(parseJson(json)));

  it("$ is the root inside nested filters too", () => {
    expect(all("$.a[?@.b[?@ == $.k]]", '{"k":1,"a":[{"b":[1]},{"b":[2]}]}')).toBe('[{"b":[1]}]');
  });

  it("strings count by Unicode scalar values", () => {
    expect(all("$[?length(@) == 1]", '["😀","ab","é"]')).toBe('["😀","é"]');
  });

  it("strings compare by Unicode scalar values", () => {
    expect(all("$[?@ > '\uffff']", '["😀","z"]')).toBe('["😀"]');
    expect(all("$[?@ < '😀']", '["\uffff","😁"]')).toBe('["\uffff"]');
    expect(all("$[?@ < '😁']", '["😀","😁","😂"]')).toBe('["😀"]');
    expect(all("$[?@ < 'ab']", '["a","ab","abc","b"]')).toBe('["a"]');
  });

  it.each([
    "$.first-name",
    "$[?!@.a == 1]",
    "$[?(@.a) == 1]",
    "$[?@.a == 1 == 2]",
    "$[?count(@.*) && @.a]",
    "$[?!length(@.a)]",
    "$[?@.a == -01]",
    "$[?!1]",
    "$[?length(@.a,) > 1]",
    "$[?(@.a == 1) == true]",
    "$[1-2]",
    "$.a ",
    " $.a",
    "",
    "a",
    "$[9007199254740992]",
  ])("%s is refused", (path) => {
    expect(() => compileQuery(path)).toThrow();
  });

  it("a refusal says where and what was expected", () => {
    expect(() => compileQuery("$.first-name")).toThrow(
      'a name with a hyphen is written in brackets: ["first-…"] (at character 8)',
    );
    expect(() => compileQuery("$[?len(@) > 1]")).toThrow(
      "no function len(); there are length, count, match, search, value",
    );
  });

  it("numbers that a double cannot hold compare by their exact value", () => {
    const rows = '[{"n":9007199254740993},{"n":9007199254740992},{"n":1.0},{"n":1e400}]';
    expect(all("$[?@.n == 9007199254740993]", rows)).toBe('[{"n":9007199254740993}]');
    expect(all("$[?@.n > 9007199254740992]", rows)).toBe('[{"n":9007199254740993},{"n":1e400}]');
    expect(all("$[?@.n == 1]", rows)).toBe('[{"n":1}]');
    expect(all("$[?@.n == 0.1e1]", rows)).toBe('[{"n":1}]');
  });

  it("match() and search() are false for what is no string", () => {
    const values = '["1",1,null,[1],{},true]';
    expect(all("$[?match(@, '.*')]", values)).toBe('["1"]');
    expect(all("$[?search(@, '')]", values)).toBe('["1"]');
    expect(all("$[?match('1', @)]", values)).toBe('["1"]');
  });

  it("a number kept as its literal has no members and no length", () => {
    expect(all("$.n.rawJSON", '{"n":9007199254740993}')).toBe("[]");
    expect(all("$.n.*", '{"n":9007199254740993}')).toBe("[]");
    expect(all("$[?length(@) > 0]", '{"n":9007199254740993}')).toBe("[]");
    expect(all("$..rawJSON", '{"n":9007199254740993,"m":{"rawJSON":1}}')).toBe("[1]");
  });

  it.each(["__proto__", "constructor", "toString", "length", "hasOwnProperty", "at", "0"])(
    "%s is a member as any other, and nothing else has it",
    (name) => {
      expect(all(`$["${name}"]`, `{"${name}":1}`)).toBe("[1]");
      expect(all(`$.a["${name}"]`, `{"a":{"${name}":1}}`)).toBe("[1]");
      for (const value of ["{}", "[7]", '"text"', "1", "true", "null", "12345678901234567890"]) {
        expect(all(`$.a["${name}"]`, `{"a":${value}}`)).toBe("[]");
        expect(all(`$..["${name}"]`, `{"a":${value}}`)).toBe("[]");
      }
    },
  );

  it("a record nested deeper than the stack is searched", () => {
    const depth = 100_000;
    expect(all("$..x", `{"a":${"[".repeat(depth)}{"x":1}${"]".repeat(depth)}}`)).toBe("[1]");
  });

  it("a path nested without end is refused", () => {
    expect(() => compileQuery(`$[?${"(".repeat(10_000)}@${")".repeat(10_000)}]`)).toThrow("nested deeper");
    expect(() => compileQuery(`$${"[?@".repeat(10_000)}${"]".repeat(10_000)}`)).toThrow("nested deeper");
    expect(() => compileQuery(`$${"[0]".repeat(10_000)}`)).toThrow("more than 1000 segments");
  });

  it.each([
    ["a.c", "abc", true],
    ["a.c", "xabcx", false],
    ["a\\-b", "a-b", true],
    ["[\\-a]", "-", true],
    ["[-a]", "-", true],
    ["[a-]", "-", true],
    ["\\p{Lu}+", "ÄÖ", true],
    ["\\d", "1", false],
    ["\\w", "a", false],
    ["(?:a)", "a", false],
    ["a{2,1}", "aa", false],
    ["[z-a]", "z", false],
    ["a**", "a", false],
    ["(a", "a", false],
    ["a)", "a", false],
    ["[]", "a", false],
    [".", "\n", false],
    [".", "😀", true],
    ["a|b", "b", true],
    ["", "", true],
  ])("pattern %j against %j matches as an I-Regexp does: %s", (pattern, text, expected) => {
    const found = compileQuery(`$[?match(@, ${JSON.stringify(pattern).replace(/\u{1f600}/u, "😀")})]`).all([text]);
    expect(found).toEqual(expected ? [text] : []);
  });
});
