import { expect, test } from "vitest";
import type { Json } from "../../connectors/sdk/index.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { createValidator } from "./validator.ts";

const check = (schema: object, value: Json) => createValidator().compile(schema)(value);

test("an unknown field is named with its path and the nearest known one, also among __proto__ and its like", () => {
  const schema = { type: "object", properties: { host: {}, port: {} }, additionalProperties: false };
  expect(check({ properties: { a: { items: schema } } }, { a: [{}, { hots: 1 }] })).toEqual([
    { path: "a[1].hots", message: 'unknown field "hots"; did you mean "host"?' },
  ]);
  expect(check(schema, JSON.parse('{"__proto__": 1}'))).toEqual([
    { path: "__proto__", message: 'unknown field "__proto__"; known are host, port' },
  ]);
  expect(check({ required: ["constructor"] }, {})).toEqual([{ path: "constructor", message: "is required" }]);
});

test.each<[object, Json, string]>([
  [{ type: "integer" }, "5", "must be an integer, not a string"],
  [{ type: "integer" }, 1.5, "must be an integer, not a fraction"],
  [{ type: ["string", "null"] }, [], "must be a string or null, not an array"],
  [{ type: "object" }, null, "must be an object, not null"],
  [{ enum: ["full", "incremental"] }, "ful", 'must be one of full, incremental; did you mean "full"?'],
  [{ minimum: 1 }, 0, "must be at least 1"],
  [{ minLength: 1 }, "", "must not be empty"],
  [{ minItems: 1 }, [], "must hold at least 1 item"],
  [{ pattern: "^a$" }, "b", "must be of the form ^a$"],
  [{ pattern: "^a$", $comment: "an a" }, "b", "must be an a"],
  [{ format: "uri" }, "no uri", "must be of the format uri"],
])("%j says of %j: %s", (schema, value, message) => {
  expect(check(schema, value)).toEqual([{ path: "", message }]);
});

test("no text makes a pattern, or a format, hold the thread up", () => {
  const text = `${"a".repeat(50_000)}!`;
  const start = process.cpuUsage().user;
  expect(check({ pattern: "^(a+)+$" }, text)).toHaveLength(1);
  expect(
    check({ patternProperties: { "(a|aa)+$": { type: "string" } }, additionalProperties: false }, { [text]: 1 }),
  ).toHaveLength(1);
  expect(check({ format: "url" }, `http://${":".repeat(50_000)}`)).toHaveLength(1);
  expect((process.cpuUsage().user - start) / 1000).toBeLessThan(2_000);
  expect(check({ patternProperties: { "^x-": { type: "string" } } }, { "x-a": 1, y: 1 })).toEqual([
    { path: "x-a", message: expect.stringContaining("must be a string") },
  ]);
  expect(check({ pattern: "^\\p{Lu}[^\\s]+$" }, "Äb")).toEqual([]);
});

test("a pattern that could take very long and that nothing runs in time is refused as the schema is compiled", () => {
  expect(() => check({ pattern: "^(a+)+\\1$" }, "a")).toThrow(/^the pattern \^\(a\+\)\+\\1\$ can take very long/);
});

test("of a choice by type only the branch that was meant speaks", () => {
  const branch = (type: string, field: string) => ({
    properties: { type: { const: type }, [field]: { type: "string" } },
    required: ["type", field],
    additionalProperties: false,
  });
  const schema = {
    type: "object",
    required: ["type"],
    discriminator: { propertyName: "type" },
    oneOf: [branch("filter", "where"), branch("map", "mapping")],
  };
  expect(check(schema, { type: "filter", were: "x" })).toEqual([
    { path: "where", message: "is required" },
    { path: "were", message: 'unknown field "were"; did you mean "where"?' },
  ]);
  expect(check(schema, { type: "filtr" })).toEqual([
    { path: "type", message: 'must be one of filter, map; did you mean "filter"?' },
  ]);
});

test("alternatives that ask for fields are told in one sentence", () => {
  expect(check({ anyOf: [{ required: ["url"] }, { required: ["host", "port"] }] }, {})).toEqual([
    { path: "", message: "needs one of url, host and port" },
  ]);
});

test("of other alternatives the one that the value's type meant speaks", () => {
  const schema = { anyOf: [{ type: "string" }, { type: "object", properties: { a: { type: "integer" } } }] };
  expect(check(schema, { a: "x" })).toEqual([{ path: "a", message: "must be an integer, not a string" }]);
});

test("values are neither changed nor coerced nor given defaults", () => {
  const schema = { type: "object", properties: { n: { type: "integer", default: 3 } }, additionalProperties: false };
  const value = { x: 1 };
  check(schema, value);
  expect(value).toEqual({ x: 1 });
});

test.each<[string, string, string | null]>([
  ['{"type":"integer"}', "9007199254740993", null],
  ['{"type":"integer"}', "9007199254740993.5", "must be an integer, not a fraction"],
  ['{"type":"integer"}', "1.00000000000000000001", "must be an integer, not a fraction"],
  ['{"type":"integer"}', "1e400", null],
  ['{"type":"integer"}', "1e-400", "must be an integer, not a fraction"],
  ['{"type":"object"}', "9007199254740993", "must be an object, not a number"],
  ['{"minimum":9007199254740993}', "9007199254740993", null],
  ['{"minimum":9007199254740993}', "9007199254740992", "must be at least 9007199254740993"],
  ['{"maximum":9007199254740992}', "9007199254740993", "must be at most 9007199254740992"],
  ['{"exclusiveMinimum":0}', "1e-400", null],
  ['{"exclusiveMaximum":1}', "0.99999999999999999999999", null],
  ['{"multipleOf":0.01}', "19.99", null],
  ['{"multipleOf":0.01}', "19.995", "must be a multiple of 0.01"],
  ['{"multipleOf":3}', "90071992547409930000000003", null],
  ['{"multipleOf":7}', "1e999999999", "must be a multiple of 7"],
  ['{"const":9007199254740993}', "9007199254740993", null],
  ['{"const":9007199254740993}', "9007199254740992", "must be 9007199254740993"],
  ['{"const":9007199254740992}', "9007199254740993", "must be 9007199254740992"],
  ['{"const":0.1}', "0.1000000000000000000001", "must be 0.1"],
  ['{"const":1e400}', "10e399", null],
  ['{"enum":["x",9007199254740992]}', "9007199254740993", "must be one of x, 9007199254740992"],
  ['{"enum":["x",9007199254740993,1]}', "1.0", null],
  ['{"not":{"const":9007199254740992}}', "9007199254740993", null],
  ['{"const":{"a":[9007199254740992]}}', '{"a":[9007199254740993]}', 'must be {"a":[9007199254740992]}'],
  ['{"uniqueItems":true}', "[9007199254740992,9007199254740993]", null],
  ['{"uniqueItems":true}', "[[1e400],[10e399]]", "must not hold an item twice (items 0 and 1 are equal)"],
  [
    '{"properties":{"const":{"minimum":1},"enum":{"const":9007199254740992}}}',
    '{"const":2,"enum":9007199254740992}',
    null,
  ],
])("%s takes numbers by their exact values: %s", (schema, value, message) => {
  const errors = (path: string) => (message === null ? [] : [{ path, message }]);
  expect(check(parseJson(schema) as object, parseJson(value))).toEqual(errors(""));
  const within = `{"$defs":{"n":${schema}},"properties":{"a/~b":{"items":{"$ref":"#/$defs/n"}}}}`;
  expect(check(parseJson(within) as object, parseJson(`{"a/~b":[${value}]}`))).toEqual(errors("a/~b[0]"));
});

test("schemas with the same $id, of two steps or of two versions, know nothing of each other", () => {
  const { compile } = createValidator();
  const schema = (type: string) => ({ $id: "https://example.com/order", $defs: { a: { $id: "a", type } }, $ref: "a" });
  const [first, second] = [compile(schema("string")), compile(schema("object"))];
  expect([first("x"), second("x"), first({}), second({})].map(({ length }) => length)).toEqual([0, 1, 1, 0]);
});

test("the formats that are checked are known by name", () => {
  const { formats } = createValidator();
  for (const format of ["date-time", "email", "uri", "uuid", "ipv4"]) expect(formats).toContain(format);
  expect(formats).not.toContain("datetime");
});

test("what is written in the mapping language is compiled where the schema says so, and named by its path", () => {
  const schema = {
    properties: {
      records: { type: "string", "x-expression": "path" },
      key: { items: { "x-expression": "field" } },
      body: { "x-expression": "template" },
      other: { "x-expression": "of a later version" },
    },
  };
  const good = { records: "$.data[*]", key: ["id"], body: { a: ["{{ $.id }}", 1] }, other: "{{" };
  expect(check(schema, good)).toEqual([]);
  const bad = { records: "$.data[", key: ["a..b"], body: { a: [1, "{{ $.id"], b: "{{ $.id | nope }}" } };
  expect(check(schema, bad)).toEqual([
    { path: "records", message: expect.stringContaining("at character 8") },
    { path: "key[0]", message: expect.any(String) },
    { path: "body.a[1]", message: expect.stringContaining("is not closed") },
    { path: "body.b", message: expect.stringContaining("expected a filter") },
  ]);
  expect(check(schema, { records: 1 })).toEqual([{ path: "records", message: "must be a string, not a number" }]);
});

test("items are told apart by their values, a million of them in a moment", () => {
  const unique = (value: Json) => check({ uniqueItems: true }, value);
  const twice = (i: number, j: number) => [
    { path: "", message: `must not hold an item twice (items ${i} and ${j} are equal)` },
  ];
  expect(unique([1, "1", true, null, { a: 1 }, { a: "1" }, [1], [[1]], "null", { b: null }])).toEqual([]);
  expect(unique([{ a: 1, b: [0] }, 2, { b: [-0], a: 1 }])).toEqual(twice(0, 2));
  expect(unique([["a,b"], ["a", "b"]])).toEqual([]);
  expect(check({ uniqueItems: false }, [1, 1])).toEqual([]);
  expect(unique(Array.from({ length: 1_000_000 }, (_, index) => index))).toEqual([]);
});

test("of endless faults a thousand are told", () => {
  const value = Array.from({ length: 100_000 }, () => 0);
  expect(check({ items: { type: "string" } }, value)).toHaveLength(1_000);
});
