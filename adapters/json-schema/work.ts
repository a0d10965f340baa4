import type { Json } from "../../connectors/sdk/index.ts";
import { isObject } from "../../runtime/record/index.ts";

/** Stands beside each reference in what Ajv gets. */
export const workKeyword = "x-sluice-work";

/** References followed for one value, at most: about half a second. */
const most = 500_000;

/** A value and a schema that refers to itself by two ways are held against each other 2^depth times. */
export class TooMuchWork extends Error {
  override readonly name = "TooMuchWork";
}

/** Counts the references that are followed while a value is checked. */
export class Work {
  #done = 0;

  begin(): void {
    this.#done = 0;
  }

  readonly step = (): boolean => {
    if (++this.#done > most) {
      throw new TooMuchWork(`is too deep for its schema: checking it follows more than ${most} references`);
    }
    return true;
  };
}

/** Keywords with values, which are no schemas. */
const values: ReadonlySet<string> = new Set(["const", "enum", "default", "examples"]);

/** Marks the references of a schema, in place. */
export function markReferences(schema: Json): void {
  if (Array.isArray(schema)) for (const each of schema) markReferences(each);
  if (!isObject(schema)) return;
  for (const [keyword, each] of Object.entries(schema)) if (!values.has(keyword)) markReferences(each);
  const { $ref, $dynamicRef } = schema;
  if (typeof ($ref ?? $dynamicRef) === "string") (schema as { [keyword: string]: Json })[workKeyword] = true;
}
