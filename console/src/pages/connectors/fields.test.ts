import { expect, test } from "vitest";
import { fieldsOf } from "./fields.ts";

test("a schema's fields are told with their types in a line", () => {
  const properties = { id: { type: "integer" }, name: { type: ["string", "null"] }, any: {} };
  expect(fieldsOf({ type: "object", properties })).toBe("id integer, name string or null, any");
  expect([fieldsOf(true), fieldsOf({}), fieldsOf({ properties: {} })]).toEqual(["any", "any", ""]);
});
