import type { ErrorObject } from "ajv/dist/2020.js";
import type { Json } from "../../connectors/sdk/index.ts";

/**
 * `uniqueItems` in the time of reading the array: Ajv's own compares each item with each, which a caller's array of a
 * million numbers makes hours of. Equal are values with the same canonical text; numbers are doubles here.
 */
export function uniqueItems(isWanted: boolean, items: Json[]): boolean {
  uniqueItems.errors = [];
  if (!isWanted) return true;
  const seen = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const text = canonical(item);
    const first = seen.get(text);
    if (first === undefined) seen.set(text, index);
    else {
      uniqueItems.errors = [{ keyword: "uniqueItems", params: { i: index, j: first } }];
      return false;
    }
  }
  return true;
}
uniqueItems.errors = [] as Partial<ErrorObject>[];

function canonical(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value === 0 ? 0 : value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name] as Json)}`).join(",")}}`;
}
