import type { Json } from "../sdk/index.ts";

/** A value for a cursor, which must survive whoever reads JSON's numbers as doubles. */
export function packed(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (JSON.isRawJSON(value)) return { number: (value as unknown as { rawJSON: string }).rawJSON };
  if (Array.isArray(value)) return value.map(packed);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, packed(member)]));
}

export function unpacked(value: Json): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  if (typeof value.number === "string") return JSON.rawJSON(value.number) as unknown as Json;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, unpacked(member)]));
}
