import type { JsonSchema } from "../sdk/index.ts";
import type { Column } from "./catalog.ts";
import { identifier } from "./names.ts";

const timestamptz = 1184;
const nullable = (column: Column, schema: { type: string | string[]; [keyword: string]: unknown }): JsonSchema =>
  column.notNull ? schema : { ...schema, type: [schema.type, "null"].flat() };

/** JSON Schemas by type OID; texts where not listed. NaN and the infinities of numeric and float are texts. */
const schemas: { readonly [oid: number]: { type: string | string[]; [keyword: string]: unknown } } = {
  16: { type: "boolean" },
  20: { type: "integer" },
  21: { type: "integer" },
  23: { type: "integer" },
  700: { type: ["number", "string"] },
  701: { type: ["number", "string"] },
  1700: { type: ["number", "string"] },
  1082: { type: "string", format: "date" },
  [timestamptz]: { type: "string", format: "date-time" },
  2950: { type: "string", format: "uuid" },
};
const json = [114, 3802];

export function schemaOf(column: Column): JsonSchema {
  if (json.includes(column.oid)) return {};
  if (column.category === "A") return nullable(column, { type: "array" });
  if (column.category === "C") return nullable(column, { type: "object" });
  return nullable(column, schemas[column.oid] ?? { type: "string" });
}

/** `closed`: a record with other fields is refused. */
export function recordSchema(columns: readonly Column[], closed: boolean): JsonSchema {
  return {
    type: "object",
    properties: Object.fromEntries(columns.map((column) => [column.name, schemaOf(column)])),
    required: columns.map((column) => column.name),
    ...(closed && { additionalProperties: false }),
  };
}

/** Types whose order is that of a cursor: numbers, texts, times and what is written as such. */
export function isScalar(column: Column): boolean {
  return !json.includes(column.oid) && column.category !== "A" && column.category !== "C";
}

/** Date and time types, from which an interval can be taken. */
export function isTime(column: Column): boolean {
  return [1082, 1114, timestamptz].includes(column.oid);
}

/** The select list under which `row_to_json` loses nothing; `t` is the relation. */
export function jsonColumns(columns: readonly Column[]): string {
  return columns
    .map((column) => {
      const name = identifier(column.name);
      // The session's time zone is UTC; Postgres writes that as +00:00.
      return column.oid === timestamptz
        ? `replace(to_json(t.${name}) #>> '{}', '+00:00', 'Z') AS ${name}`
        : `t.${name}`;
    })
    .join(", ");
}

/**
 * Values of scalar columns in a record's JSON text, as Postgres reads them back: numbers by their digits. Undefined for
 * null.
 */
export function valuesOf(text: string, names: readonly string[]): (string | undefined)[] {
  const record = JSON.parse(text, (_key, value: unknown, context: { source?: string }) =>
    typeof value === "number" ? context.source : value,
  ) as { [name: string]: unknown };
  return names.map((name) => (record[name] === null ? undefined : String(record[name])));
}
