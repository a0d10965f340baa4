import { expect, test } from "vitest";
import { findUnknownFormats } from "./find-formats.ts";

const known = new Set(["date-time", "email", "uuid"]);
const found = (schema: object) => findUnknownFormats("schema", schema as never, known);

test("a format that is not known is told wherever a schema stands, with the nearest that is", () => {
  const schema = {
    properties: {
      at: { type: "string", format: "datetime" },
      "odd key": { items: { anyOf: [{ format: "email" }, { format: "mail" }] } },
      format: { format: "uuid" },
    },
    $defs: { id: { not: { format: "zip-code" } } },
  };
  const findings = found(schema);
  expect(findings.map(({ path }) => path).toSorted()).toEqual([
    "schema.$defs.id.not.format",
    "schema.properties.at.format",
    'schema.properties["odd key"].items.anyOf[1].format',
  ]);
  expect(findings.find(({ path }) => path.includes(".at."))?.message).toBe(
    'unknown format "datetime"; did you mean "date-time"?; nothing is checked',
  );
  expect(findings.find(({ path }) => path.includes("$defs"))?.message).toBe(
    'unknown format "zip-code"; known are date-time, email, uuid; nothing is checked',
  );
});

test("what is called format and is none is passed over", () => {
  expect(found({ properties: { format: { const: "x" } }, const: { format: "x" }, enum: [{ format: "x" }] })).toEqual(
    [],
  );
  expect(findUnknownFormats("schema", true, known)).toEqual([]);
});
