import { expect, test } from "vitest";
import { parseExact } from "../../lib/exact-json.ts";
import { parseRules, rangeOf, ruleError, rulesInFile, rulesText } from "./rules-text.ts";

const short = { source: "$.a", destination: "a", default: [1, {}] };
const long = { template: `{{ $.a }} ${"and more ".repeat(10)}`, destination: "b" };

test("a short rule is a line, a long one a line for each field", () => {
  const text = rulesText([short, long]);
  expect(text.split("\n")).toEqual([
    "[",
    '  { "source": "$.a", "destination": "a", "default": [1, {}] },',
    "  {",
    `    "template": ${JSON.stringify(long.template)},`,
    '    "destination": "b"',
    "  }",
    "]",
  ]);
  expect(parseRules(text)).toEqual({ rules: [short, long] });
  expect(rulesText([])).toBe("[]");
});

test("a number keeps its digits", () => {
  const rules = parseExact('[{"value":12345678901234567890,"destination":"a"}]');
  expect(rulesText(rules)).toContain('{ "value": 12345678901234567890, "destination": "a" }');
});

test("what is no list of rules says so", () => {
  expect(parseRules('{"source":"$"}')).toEqual({ error: "A mapping is a list of rules: [ … ]." });
  expect(parseRules("[{")).toMatchObject({ error: expect.stringMatching(/^This is no JSON yet: /) });
});

test("an error by its path is one of a rule and its field, or of something else", () => {
  const of = (path: string) => ruleError("mapping_spec", { path, message: "no" });
  expect(of("mapping_spec[12].each[1].cast")).toEqual({ rule: 12, field: "each[1].cast", message: "no" });
  expect(of("mapping_spec[0]")).toEqual({ rule: 0, field: "", message: "no" });
  expect(of("mapping_spec")).toEqual({ rule: null, field: "", message: "no" });
  expect(of("destination.stream")).toBeNull();
});

test("an error is marked at its field, else on the line on which its rule begins", () => {
  const text = rulesText([short, long]);
  const marked = (rule: number | null, field: string) => {
    const { from, to } = rangeOf(text, { rule, field, message: "" });
    return text.slice(from, to);
  };
  expect(marked(0, "destination")).toBe('"destination"');
  expect(marked(0, "")).toBe(rulesText([short]).split("\n")[1]?.trim());
  expect(marked(1, "gone")).toBe("{");
  expect(marked(null, "")).toBe("[");
});

test("rules in a file are a list, or an integration's", () => {
  const rules = [{ source: "$.id", destination: "id" }];
  expect(rulesInFile(rules)).toBe(rulesText(rules));
  expect(rulesInFile({ name: "people", mapping_spec: rules })).toBe(rulesText(rules));
  expect(rulesInFile({ source: "$.id" })).toBeNull();
});
