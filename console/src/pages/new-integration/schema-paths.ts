import type { Json, JsonObject } from "../../api/types.ts";
import type { Schema } from "../../components/schema-form/schema.ts";

/** A field of records: where it is, and what stands there. */
export interface SchemaPath {
  /** From the record down. */
  readonly names: readonly string[];
  /** JSON types, without null; empty: anything. */
  readonly types: readonly string[];
  readonly format: string | null;
  /** Whether every record has it, and not as null. */
  readonly isRequired: boolean;
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Objects are looked into so deep. */
const deepest = 4;

/** All fields of a schema, objects before what is in them. */
export function pathsOf(schema: Schema | undefined, names: readonly string[] = []): readonly SchemaPath[] {
  if (!isObject(schema) || !isObject(schema.properties) || names.length >= deepest) return [];
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(schema.properties).flatMap(([name, part]) => {
    const types = isObject(part) ? ([part.type ?? []].flat() as string[]) : [];
    const path = [...names, name];
    const field: SchemaPath = {
      names: path,
      types: types.filter((type) => type !== "null"),
      format: isObject(part) && typeof part.format === "string" ? part.format : null,
      isRequired: required.includes(name) && types.length > 0 && !types.includes("null"),
    };
    return [field, ...pathsOf(part as Schema, path)];
  });
}

/** A schema of what records were seen to hold, where nobody has one. */
export function schemaOf(records: readonly Json[]): JsonObject {
  const objects = records.filter(isObject);
  const names = [...new Set(objects.flatMap(Object.keys))];
  const properties = names.map((name) => {
    const values = objects.flatMap((record) => (Object.hasOwn(record, name) ? [record[name] as Json] : []));
    const within = values.filter(isObject);
    return [name, { ...(within.length > 0 && schemaOf(within)), type: [...new Set(values.map(typeOf))] }] as const;
  });
  const required = names.filter((name) => objects.every((record) => Object.hasOwn(record, name)));
  return { type: "object", properties: Object.fromEntries(properties), required };
}

function typeOf(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

/** `$.address.city`, `$["odd name"]`. */
export const jsonPathOf = (names: readonly string[]): string =>
  `$${names.map((name) => (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`)).join("")}`;

/** `address.city`, `["odd name"]`. */
export const fieldPathOf = (names: readonly string[]): string =>
  names
    .map((name, at) => (/^[^.[\]'"*\s]+$/.test(name) ? (at === 0 ? name : `.${name}`) : `[${JSON.stringify(name)}]`))
    .join("");

/** One record, or several, as JSON; none of what is no JSON. */
export function recordsIn(text: string): readonly Json[] {
  try {
    return [JSON.parse(text) as Json].flat() as Json[];
  } catch {
    return [];
  }
}
