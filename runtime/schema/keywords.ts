import type { JsonSchema } from "../../connectors/sdk/index.ts";

/** A JSON Schema's keywords; `true` and `false` are schemas too. */
export type Schema = JsonSchema | boolean;
export type Keywords = { readonly [keyword: string]: unknown };

export const typeNames = ["null", "boolean", "integer", "number", "string", "array", "object"] as const;
export type TypeName = (typeof typeNames)[number];

/** Anything but an object holds nothing: `true`, and what is no schema. */
export function keywordsOf(schema: unknown): Keywords {
  return isRecord(schema) ? schema : {};
}

export function isRecord(value: unknown): value is Keywords {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own member that is an object: `properties`, `dependencies`. */
export function membersOf(schema: Keywords, keyword: string): Keywords {
  return keywordsOf(schema[keyword]);
}

export function listOf(schema: Keywords, keyword: string): readonly unknown[] {
  const list = schema[keyword];
  return Array.isArray(list) ? list : [];
}

export function numberOf(schema: Keywords, keyword: string): number | undefined {
  const value = schema[keyword];
  return typeof value === "number" ? value : undefined;
}

/** The types that `type` names, an integer being a number too; undefined where it names none. */
export function namedTypes({ type }: Keywords): ReadonlySet<TypeName> | undefined {
  if (type === undefined) return undefined;
  const names = new Set((Array.isArray(type) ? type : [type]) as TypeName[]);
  return names.has("number") ? names.add("integer") : names;
}

/** Items of an array as drafts up to 7 and as 2020-12 write them: those by place, and the rest. */
export function itemsOf(schema: Keywords): { readonly places: readonly unknown[]; readonly rest: unknown } {
  if (Array.isArray(schema.items)) return { places: schema.items, rest: schema.additionalItems ?? true };
  return { places: listOf(schema, "prefixItems"), rest: schema.items ?? true };
}
