import type { Json } from "../sdk/index.ts";

/** Digits of which a double may lose some. */
const long = /[\d.]{16}|\d[eE][-+]?\d\d\d/;

/** Parses JSON and keeps every digit of every number. Throws a SyntaxError. */
export function parseExact(text: string): Json {
  if (!long.test(text)) return JSON.parse(text) as Json;
  return JSON.parse(text, (_key, value: unknown, { source }: { source?: string }) =>
    typeof value === "number" && source !== undefined && source.replace(/\D/g, "").length > 15
      ? JSON.rawJSON(source)
      : value,
  ) as Json;
}

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
