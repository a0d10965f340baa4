import { expect, test } from "vitest";
import type { Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../config/index.ts";
import { checkFit } from "./check-fit.ts";
import { inferSchema } from "./learn.ts";

const samples: JsonObject[] = [
  { id: 1, name: "Ada", born: "1815-12-10", tags: ["a"], vip: true, amount: "12.50" },
  { id: 2, name: "Bob", born: "soon", tags: [], vip: false, amount: "n/a" },
];

const table: JsonSchema = {
  type: "object",
  properties: {
    id: { type: "integer" },
    name: { type: ["string", "null"] },
    born: { type: ["string", "null"], format: "date" },
    score: { type: ["number", "string", "null"] },
    vip: { type: ["boolean", "null"] },
  },
  required: ["id", "name", "born", "score", "vip"],
  additionalProperties: false,
};

interface Given {
  readonly mapping?: Json;
  readonly more?: JsonObject;
  readonly schema?: JsonSchema | null;
  readonly records?: JsonObject[];
  readonly destination?: JsonSchema;
}

function check({ mapping, more = {}, schema = inferSchema(samples), records = samples, destination }: Given) {
  const spec: JsonObject = {
    name: "it",
    source: { connector: "files", stream: "people.ndjson" },
    destination: { connector: "shop", stream: "people" },
    ...(mapping !== undefined && { mapping_spec: mapping }),
    ...more,
  };
  const destinations = new Map(
    destination === undefined ? [] : [["shop", { schema: destination, required: ["id"] }] as const],
  );
  return checkFit({ spec, integration: resolveIntegration(spec), source: { schema, samples: records }, destinations });
}

const breaks = (given: Given) => check(given).breaks.map(({ path, message }) => `${path}: ${message}`);
const warnings = (given: Given) => check(given).warnings.map(({ path, message }) => `${path}: ${message}`);

test("rules that fit break nothing", () => {
  const mapping = [
    { source: "$.id", destination: "id", cast: "string" },
    { source: "$.tags[*]", destination: "labels" },
    { source: "$.amount", destination: "amount" },
  ];
  expect(check({ mapping })).toEqual({ breaks: [], warnings: [] });
});

test("a path that neither the schema nor a sample has breaks its rule", () => {
  const mapping = [
    { source: "$", destination: "*" },
    { source: "$.nmae", destination: "label" },
  ];
  expect(breaks({ mapping })).toEqual(["mapping_spec[1].source: no record has $.nmae; did you mean $.name?"]);
  expect(breaks({ mapping, schema: null })).toHaveLength(1);
  expect(breaks({ mapping, records: [] })).toHaveLength(1);
});

test("with a default or a when it is a warning, and where nothing is known it is neither", () => {
  const rule = { source: "$.nick", destination: "nick" };
  expect(warnings({ mapping: [{ ...rule, default: "" }] })).toEqual(["mapping_spec[0].source: no record has $.nick"]);
  expect(check({ mapping: [{ ...rule, when: "$.vip == true" }] }).breaks).toEqual([]);
  expect(check({ mapping: [rule], schema: null, records: [] })).toEqual({ breaks: [], warnings: [] });
});

test("a path below what the schema leaves open is a warning", () => {
  const schema: JsonSchema = { type: "object", properties: { doc: {} } };
  const mapping = [{ source: "$.doc.a", destination: "a" }];
  expect(check({ mapping, schema, records: [{ doc: {} }] })).toEqual({
    breaks: [],
    warnings: [{ path: "mapping_spec[0].source", message: "the sample record lacks $.doc.a" }],
  });
});

test("a cast that no sample passes breaks its rule, one that some pass warns", () => {
  const mapping = [
    { source: "$.name", destination: "name", cast: "integer" },
    { source: "$.amount", destination: "amount", cast: "number" },
    { source: "$.name", destination: "other", cast: "integer", on_error: "skip" },
    // What on_error is there for.
    { source: "$.amount", destination: "price", cast: "number", on_error: "default", default: 0 },
    { template: "{{ $.amount }}", destination: "text", cast: "number", on_error: "skip" },
  ];
  expect(breaks({ mapping })).toEqual(["mapping_spec[0].cast: the cast to integer refuses $.name of all of 2 samples"]);
  expect(warnings({ mapping })).toEqual([
    "mapping_spec[1].cast: the cast to number refuses $.amount of 1 of 2 samples",
    "mapping_spec[2].cast: the cast to integer refuses $.name of all of 2 samples",
  ]);
});

test("without samples the schema's types say what a cast refuses", () => {
  const mapping = [{ source: "$.vip", destination: "vip", cast: "timestamp" }];
  expect(breaks({ mapping, records: [] })).toEqual([
    "mapping_spec[0].cast: the cast to timestamp refuses $.vip, which is boolean",
  ]);
});

test("rules of a step's own mapping are named by the step, and a later step reads what the earlier one made", () => {
  const steps = [
    { id: "keep", type: "filter", where: "$.id > 0" },
    { id: "one", type: "map", mapping: [{ source: "$.name", destination: "label" }] },
    {
      id: "two",
      type: "map",
      mapping: [
        { source: "$.name", destination: "name" },
        { source: "$.label", destination: "l" },
      ],
    },
  ];
  expect(breaks({ more: { pipeline_spec: { steps } } })).toEqual([
    "pipeline_spec.steps[2].mapping[0].source: no record has $.name",
  ]);
});

test("key fields and cursor fields must be there", () => {
  const destination = { connector: "shop", stream: "people", mode: "upsert", key: ["id", "email"] };
  const source = { connector: "files", stream: "people.ndjson", mode: "incremental", cursor_field: "changed_at" };
  expect(breaks({ more: { source, destination } })).toEqual([
    "source.cursor_field: the source has no field changed_at",
    "destination.key[1]: no record has the key field email",
  ]);
});

test("fields without a column, types that do not fit and required columns that are never written break", () => {
  const mapping = [
    { source: "$.name", destination: "nmae" },
    { source: "$.tags", destination: "vip" },
    { source: "$.name", destination: "born" },
    { source: "$.amount", destination: "score" },
  ];
  expect(breaks({ mapping, destination: table })).toEqual([
    'mapping_spec[0].destination: unknown field "nmae"; did you mean "name"?',
    "mapping_spec[1].destination: vip is array, and boolean is needed",
    "mapping_spec[2].destination: born is a text that is no date in any of 2 samples",
    "destination: id needs a value, and no record has one",
  ]);
});

test("what the destination converts is no break", () => {
  const mapping = [
    { source: "$.id", destination: "id", cast: "string" },
    { source: "$.id", destination: "name" },
    { source: "$.born", destination: "born" },
    { source: "$.amount", destination: "score" },
  ];
  expect(breaks({ mapping, destination: table })).toEqual([]);
});

test("a destination whose schema is open takes any field", () => {
  const { additionalProperties: _, ...open } = table as { additionalProperties: boolean; [keyword: string]: unknown };
  expect(
    breaks({
      mapping: [
        { source: "$", destination: "*" },
        { source: "$.id", destination: "other" },
      ],
      destination: open,
    }),
  ).toEqual([]);
});

const pipeline = (steps: JsonObject[], more: JsonObject = {}) => ({ more: { pipeline_spec: { steps }, ...more } });
const orders: JsonObject[] = [
  { id: 1, type: "a", lines: [{ sku: "x" }, { sku: "y", price: "free" }] },
  { id: 2, type: "b", lines: [{ sku: "z" }] },
];

test("samples are taken apart by a split: rules behind it are held against the elements, and break nothing", () => {
  const mapping = [
    { source: "$.suk", destination: "sku" },
    { source: "$.id", destination: "order" },
    { source: "$.price", destination: "price", cast: "number" },
  ];
  const steps = [
    { id: "s", type: "split", path: "lines", keep_parent: true },
    { id: "m", type: "map", mapping },
  ];
  const given = { ...pipeline(steps), schema: null, records: orders };
  expect(check(given).breaks).toEqual([]);
  expect(warnings(given)).toEqual([
    "pipeline_spec.steps[1].mapping[0].source: 0 of 3 sample records have $.suk; did you mean $.sku?",
    "pipeline_spec.steps[1].mapping[2].cast: the cast to number refuses $.price of the sample",
  ]);
});

test("behind a route a rule is held against what the route sends there", () => {
  const steps = [
    { id: "r", type: "route", routes: [{ to: "a", where: "$.type == 'a'" }], otherwise: "shop" },
    {
      id: "a",
      type: "map",
      needs: ["r"],
      mapping: [{ source: "$.lines[1].price", destination: "p", cast: "integer" }],
    },
  ];
  const destination = { connector: "shop", stream: "people", needs: ["a", "r"] };
  expect(warnings({ ...pipeline(steps, { destination }), schema: null, records: orders })).toEqual([
    "pipeline_spec.steps[1].mapping[0].cast: the cast to integer refuses $.lines[1].price of the sample",
  ]);
});

test("a filter that lets no sample through, and predicates that ask for what none has, warn", () => {
  const filter = (where: string) =>
    warnings({ ...pipeline([{ id: "f", type: "filter", where }]), records: orders, schema: null });
  expect(filter("$.id > 5")).toEqual(["pipeline_spec.steps[0].where: 0 of 2 sample records pass"]);
  expect(filter("$.typ == 'a'")).toEqual([
    "pipeline_spec.steps[0].where: 0 of 2 sample records have $.typ; did you mean $.type?",
  ]);
  expect(filter("!$.deleted_at")).toEqual([]);
});

test("rules that a sample fails for another reason say how many", () => {
  const mapping = [
    { source: "$.id", destination: "x" },
    { value: 1, destination: "x.y" },
  ];
  expect(warnings({ mapping, records: orders, schema: null })).toEqual([
    expect.stringMatching(/^mapping_spec\[1\]: 2 of 2 sample records fail: .*x\.y/),
  ]);
});

test("a constant that its cast refuses warns without a sample", () => {
  const mapping = [{ value: "x", destination: "n", cast: "integer" }];
  expect(warnings({ mapping, records: [], schema: null })).toEqual([
    "mapping_spec[0].cast: the cast to integer refuses the value",
  ]);
});

test("behind a script, a look-up or an aggregate nothing is known and nothing is said", () => {
  const steps = [
    { id: "t", type: "transform", script: "(record) => record" },
    { id: "m", type: "map", mapping: [{ source: "$.nothing", destination: "x" }] },
  ];
  expect(check({ ...pipeline(steps), records: orders })).toEqual({ breaks: [], warnings: [] });
});
