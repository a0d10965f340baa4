import { isExact } from "./exact.ts";
import type { Json, JsonObject, JsonSchema } from "./json.ts";

/** A JSON Schema that accepts all of `values`: types seen at each place, and the members that none of them lacks. */
export function inferSchema(values: readonly Json[]): JsonSchema {
  const types = new Set(values.map(typeOf));
  if (types.has("number")) types.delete("integer");
  if (types.size === 0) return {};
  const type = types.size === 1 ? [...types][0] : [...types];
  const objects = values.filter((value): value is JsonObject => typeOf(value) === "object");
  const items = values.filter(Array.isArray).flat() as Json[];
  return {
    type,
    ...(objects.length > 0 ? members(objects) : {}),
    ...(items.length > 0 ? { items: inferSchema(items) } : {}),
  };
}

function members(objects: readonly JsonObject[]): { [keyword: string]: unknown } {
  const seen = new Map<string, Json[]>();
  for (const object of objects) {
    for (const [name, value] of Object.entries(object)) {
      const values = seen.get(name);
      if (values) values.push(value);
      else seen.set(name, [value]);
    }
  }
  const names = [...seen.keys()];
  const required = names.filter((name) => seen.get(name)!.length === objects.length);
  return {
    // fromEntries defines own members: a key `__proto__` stays a key.
    properties: Object.fromEntries(names.map((name) => [name, inferSchema(seen.get(name)!)])),
    ...(required.length > 0 ? { required } : {}),
  };
}

function typeOf(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  if (typeof value === "object" && isExact(value)) return "number";
  return typeof value;
}
