import { describe, expect, test } from "vitest";
import type { JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import type { SchemaContract } from "../config/index.ts";
import { parseJson } from "../record/index.ts";
import { StreamContract } from "./contract.ts";

const schema: JsonSchema = {
  type: "object",
  properties: {
    id: { type: "integer" },
    name: { type: ["string", "null"] },
    address: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    items: { type: "array", items: { type: "object", properties: { sku: { type: "string" } } } },
  },
  required: ["id"],
};

const fitting = { id: 1, name: null, address: { city: "Ulm" }, items: [{ sku: "a" }] };
const drifting = { id: "7", name: "Ada", discount: 0.5, address: { city: "Ulm", zip: "1" }, items: [{ sku: 1 }] };

const apply = (mode: SchemaContract, ...values: JsonObject[]) => new StreamContract(mode, schema).apply(values);

test("records that fit pass as they are, in every mode", () => {
  for (const mode of ["evolve", "freeze", "discard_value", "discard_record"] as const) {
    const values = [fitting];
    const result = new StreamContract(mode, schema).apply(values);
    expect(result).toEqual({ passed: undefined, values, failures: [], drift: [] });
    expect(result.values).toBe(values);
  }
});

test("drift names fields and types, within objects and arrays too", () => {
  expect(apply("evolve", drifting).drift).toEqual([
    { kind: "changed_type", path: "id", expected: "integer", found: "string" },
    { kind: "new_field", path: "discount", expected: null, found: "number" },
    { kind: "new_field", path: "address.zip", expected: null, found: "string" },
    { kind: "changed_type", path: "items[*].sku", expected: "string", found: "integer" },
  ]);
});

test("evolve passes the records, and the schema grows so that what drifted fits from then on", () => {
  const contract = new StreamContract("evolve", schema);
  const first = contract.apply([fitting, drifting]);
  expect(first.passed).toEqual([0, 1]);
  expect(first.values[1]).toBe(drifting);
  expect(contract.apply([drifting, fitting])).toMatchObject({ passed: undefined, drift: [] });
  expect(contract.schema).toMatchObject({
    properties: {
      id: { type: ["integer", "string"] },
      discount: { type: "number" },
      address: { properties: { zip: { type: "string" } } },
      items: { items: { properties: { sku: { type: ["integer", "string"] } } } },
    },
    required: ["id"],
  });
});

test("freeze refuses the record alone, naming the field and the type and never the value", () => {
  const contract = new StreamContract("freeze", schema);
  const { passed, failures, drift } = contract.apply([fitting, drifting, fitting]);
  expect(passed).toEqual([0, 2]);
  expect(failures).toEqual([
    {
      index: 1,
      message:
        'the schema contract "freeze" refuses it: id is string, expected integer; discount is new (number); ' +
        "address.zip is new (string); items[*].sku is integer, expected string",
    },
  ]);
  expect(drift).toHaveLength(4);
  expect(contract.schema).toBe(schema);
});

test("drift is told once, and what is refused stays refused", () => {
  const contract = new StreamContract("freeze", schema);
  contract.apply([drifting]);
  const again = contract.apply([drifting]);
  expect(again.drift).toEqual([]);
  expect(again.failures).toHaveLength(1);
});

test("discard_value leaves out the fields that are new or of another type, and no others", () => {
  const { passed, values, failures } = apply("discard_value", drifting);
  expect(passed).toEqual([0]);
  expect(values).toEqual([{ name: "Ada", address: { city: "Ulm" }, items: [{}] }]);
  expect(failures).toEqual([]);
  expect(drifting.id).toBe("7");
});

test("discard_record leaves out the record", () => {
  expect(apply("discard_record", drifting, fitting)).toMatchObject({ passed: [1], values: [fitting], failures: [] });
});

describe("a field that is missing", () => {
  const lacking = { name: "Ada" };
  test.each(["freeze", "discard_value", "discard_record"] as const)("passes with %s, and is told once", (mode) => {
    const contract = new StreamContract(mode, schema);
    const { values, drift } = contract.apply([lacking]);
    expect(values).toEqual([lacking]);
    expect(drift).toEqual([{ kind: "missing_field", path: "id", expected: "integer", found: null }]);
    expect(contract.apply([lacking])).toMatchObject({ passed: undefined, drift: [] });
    expect(contract.schema).toBe(schema);
  });

  test("is required no more once the schema evolved", () => {
    const contract = new StreamContract("evolve", schema);
    contract.apply([lacking]);
    expect(contract.schema).toMatchObject({ required: [] });
  });
});

test("where no schema is known the first batch makes it, and is no drift", () => {
  const contract = new StreamContract("freeze", null);
  expect(contract.apply([])).toMatchObject({ drift: [] });
  expect(contract.schema).toBeNull();
  expect(contract.apply([{ id: 1, tags: ["a"] }, { id: 2.5 }])).toMatchObject({ passed: undefined, drift: [] });
  expect(contract.schema).toEqual({
    type: "object",
    properties: { id: { type: "number" }, tags: { type: "array", items: { type: "string" } } },
    required: ["id"],
  });
  expect(contract.apply([{ id: "x" }]).failures).toHaveLength(1);
});

test("a number of many digits is the number or integer that its text says", () => {
  const record = (text: string) => parseJson(`{"id":${text}}`) as JsonObject;
  expect(apply("freeze", record("12345678901234567890")).failures).toEqual([]);
  expect(apply("freeze", record("12345678901234567890.5")).failures).toHaveLength(1);
});

test("names of Object.prototype and `*` are fields as any other", () => {
  const record = JSON.parse('{"id":1,"__proto__":{"a":1},"constructor":2,"*":3}') as JsonObject;
  expect(apply("freeze", record).drift.map(({ path }) => path)).toEqual(["__proto__", "constructor", '["*"]']);
  expect(apply("discard_value", record).values).toEqual([{ id: 1 }]);
  const contract = new StreamContract("evolve", schema);
  contract.apply([record]);
  expect(contract.apply([record]).drift).toEqual([]);
  expect(({} as { a?: number }).a).toBeUndefined();
});

test("an object whose names are data does not grow the schema without end", () => {
  const contract = new StreamContract("evolve", {
    type: "object",
    properties: { by_id: { type: "object", properties: {} } },
  });
  const records = Array.from({ length: 3_000 }, (_, index) => ({ by_id: { [`k${index}`]: 1 } }));
  const { values, drift } = contract.apply(records);
  expect(values).toHaveLength(3_000);
  expect(drift.length).toBeLessThanOrEqual(1_000);
  expect(contract.apply([{ by_id: { another: 1 } }]).passed).toBeUndefined();
});

test("what a schema leaves open is no drift", () => {
  const open: JsonSchema = {
    type: "object",
    properties: { any: {}, free: { type: "object" } },
    additionalProperties: true,
  };
  const contract = new StreamContract("freeze", open);
  expect(contract.apply([{ any: [1, "a"], free: { x: 1 }, more: true }]).passed).toBeUndefined();
});

test("a schema that says endlessly many places in few words is compiled in time, and its first levels hold", () => {
  const tree = { type: "object", properties: { n: { type: "integer" }, a: { $ref: "#" }, b: { $ref: "#" } } };
  const any = (next: object) => ({ anyOf: [next, next, next] });
  const defs = Object.fromEntries(
    Array.from({ length: 40 }, (_, at) => [`d${at}`, any({ $ref: `#/$defs/d${at + 1}` })] as const),
  );
  for (const schema of [
    tree,
    { ...tree, $defs: defs, properties: { ...tree.properties, c: { $ref: "#/$defs/d0" } } },
  ]) {
    const contract = new StreamContract("freeze", schema as never);
    const { drift } = contract.apply([{ n: 1, a: { b: { n: "x" } } }]);
    expect(drift).toMatchObject([{ kind: "changed_type", path: "a.b.n" }]);
  }
});
