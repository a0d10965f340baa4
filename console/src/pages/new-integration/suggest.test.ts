import { expect, test } from "vitest";
import type { Schema } from "../../components/schema-form/schema.ts";
import { pathsOf, schemaOf } from "./schema-paths.ts";
import { castOf, type Match, suggest } from "./suggest.ts";

const object = (properties: Record<string, Schema>, required: string[] = []): Schema => ({
  type: "object",
  properties,
  required,
});
const suggested = (source: Schema, destination: Schema) => suggest(pathsOf(source), pathsOf(destination));
const lines = (matches: readonly Match[]) =>
  matches.map(
    ({ destination, source, cast }) => `${destination} < ${source ?? "nothing"}${cast === null ? "" : ` as ${cast}`}`,
  );

test("fields are matched by name, then but for case and separators, then by the names down to them", () => {
  const source = object({
    id: { type: "integer" },
    firstName: { type: "string" },
    email: { type: "string" },
    "E-Mail": { type: "string" },
    address: object({ city: { type: "string" }, zip: { type: "string" } }),
    note: { type: "string" },
  });
  const destination = object({
    id: { type: "integer" },
    first_name: { type: "string" },
    email: { type: "string" },
    address_city: { type: "string" },
    created_at: { type: "string", format: "date-time" },
  });
  const { matches, left } = suggested(source, destination);
  expect(lines(matches)).toEqual([
    "id < $.id",
    "first_name < $.firstName",
    "email < $.email",
    "address_city < $.address.city",
    "created_at < nothing",
  ]);
  expect(matches.map(({ why }) => why)).toEqual([
    "same name",
    "similar name",
    "same name",
    "similar name",
    "no field of a similar name",
  ]);
  expect(left).toEqual(["E-Mail", "address.zip", "note"]);
});

test("a field whose type fits less is cast, and one that cannot be is left out and said so", () => {
  const source = object({
    id: { type: "string" },
    total: { type: ["number", "null"] },
    active: { type: "string" },
    at: { type: "integer" },
    tags: { type: "array" },
    meta: { type: "object" },
    flag: { type: "boolean" },
  });
  const destination = object({
    id: { type: "integer" },
    total: { type: ["string", "null"] },
    active: { type: "boolean" },
    at: { type: "string", format: "date-time" },
    tags: { type: "integer" },
    meta: {},
    flag: { type: "number" },
  });
  const { matches, left } = suggested(source, destination);
  expect(lines(matches)).toEqual([
    "id < $.id as integer",
    "total < $.total as string",
    "active < $.active as boolean",
    "at < $.at as timestamp",
    "tags < nothing",
    "meta < $.meta",
    "flag < nothing",
  ]);
  expect(matches[4]?.why).toBe("its types do not fit");
  expect(left).toEqual(["tags", "flag"]);
});

test("names that are no plain words are written as paths have them", () => {
  const odd = { "order no": { type: "integer" }, "a.b": { type: "string" } };
  expect(lines(suggested(object(odd), object(odd)).matches)).toEqual([
    '["order no"] < $["order no"]',
    '["a.b"] < $["a.b"]',
  ]);
});

test("what the destination must have is known, and what may be null is not it", () => {
  const destination = object({ id: { type: "integer" }, name: { type: ["string", "null"] } }, ["id", "name"]);
  expect(suggested(object({}), destination).matches.map(({ isRequired }) => isRequired)).toEqual([true, false]);
});

test("records say what their fields are where no schema does", () => {
  const schema = schemaOf([{ id: 1, address: { city: "Rome" } }, { id: 2.5, name: null }, "no record"]);
  expect(pathsOf(schema).map(({ names, types }) => [names.join("."), types])).toEqual([
    ["id", ["integer", "number"]],
    ["address", ["object"]],
    ["address.city", ["string"]],
    ["name", []],
  ]);
});

test("an integer is a number as it is, and whatever it is becomes text", () => {
  const field = (...types: string[]) => ({ names: ["a"], types, format: null, isRequired: false });
  expect(castOf(field("integer"), field("number"))).toBeNull();
  expect(castOf(field("number"), field("integer"))).toBe("integer");
  expect(castOf(field("object"), field("string"))).toBe("string");
  expect(castOf(field("string"), field("object"))).toBe("json");
  expect(castOf(field(), field("string"))).toBe("string");
  expect(castOf(field("string"), field())).toBeNull();
});
