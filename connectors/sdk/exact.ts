import type { Json } from "./json.ts";

/** Digits of which a double may lose some. */
const long = /[\d.]{16}|\d[eE][-+]?\d\d\d/;

/** Node has them from 22 on; the compiler's libraries do not know them yet. */
const raw = JSON as unknown as { rawJSON?(text: string): Json; isRawJSON?(value: unknown): boolean };

/** Parses JSON and keeps every digit of every number (on Node 20, as many as a double has). Throws a SyntaxError. */
export function parseExact(text: string): Json {
  if (!long.test(text)) return JSON.parse(text) as Json;
  return JSON.parse(text, (_key, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === "number" &&
    source !== undefined &&
    source !== String(value) &&
    source.replace(/\D/g, "").length > 15
      ? raw.rawJSON!(source)
      : value,
  ) as Json;
}

/** Whether a value is a number that keeps its digits. */
export function isExact(value: object): boolean {
  return raw.isRawJSON?.(value) === true;
}
