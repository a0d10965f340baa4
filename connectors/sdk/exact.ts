import type { Json } from "./json.ts";

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
