import type { ErrorObject } from "ajv/dist/2020.js";
import type { Json } from "../../connectors/sdk/index.ts";
import { canonical as exact, type Raws } from "./exact-constants.ts";

/**
 * `uniqueItems` in the time of reading the array: Ajv's own compares each item with each, which a caller's array of a
 * million numbers makes hours of. Equal are values with the same canonical text.
 */
export function uniqueItems(raws: () => Raws) {
  const check = (isWanted: boolean, items: Json[], _: unknown, at?: { instancePath: string }): boolean => {
    check.errors = [];
    if (!isWanted) return true;
    const seen = new Map<string, number>();
    const known = raws();
    for (const [index, item] of items.entries()) {
      const text = known.size === 0 ? canonical(item) : exact(item, known, `${at?.instancePath ?? ""}/${index}`);
      const first = seen.get(text);
      if (first === undefined) seen.set(text, index);
      else {
        check.errors = [{ keyword: "uniqueItems", params: { i: index, j: first } }];
        return false;
      }
    }
    return true;
  };
  check.errors = [] as Partial<ErrorObject>[];
  return check;
}

function canonical(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value === 0 ? 0 : value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name] as Json)}`).join(",")}}`;
}
