import type { Json, JsonObject } from "../../../connectors/sdk/index.ts";
import { type FieldPath, getField, setField } from "../../mapping/index.ts";
import { canonicalNumber, isNumber, parseJson } from "../../record/index.ts";

/** The key's values as one JSON array, spelt alike wherever the values are equal: numbers by value, members by name. */
export function groupKey(record: JsonObject, paths: readonly FieldPath[]): string {
  let text = "";
  for (const path of paths) text += (text === "" ? "" : ",") + canonicalText(getField(record, path) ?? null);
  return `[${text}]`;
}

/** The key's fields at their paths: what `groupKey` was made of. */
export function keyFields(key: string, paths: readonly FieldPath[]): JsonObject {
  const values = parseJson(key) as Json[];
  const fields: JsonObject = {};
  for (const [index, path] of paths.entries()) setField(fields, path, values[index] as Json);
  return fields;
}

function canonicalText(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isNumber(value)) return canonicalNumber(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalText(value[name] as Json)}`).join(",")}}`;
}
