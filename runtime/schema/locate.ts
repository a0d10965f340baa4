import type { JsonSchema } from "../../connectors/sdk/index.ts";
import { isRecord, itemsOf, type Keywords, membersOf, namedTypes, type TypeName } from "./keywords.ts";
import { resolveReference } from "./reference.ts";

/** What a schema says of a place in a record: nothing can stand there, something that fits a schema, or unknown. */
export type Located = { readonly found: "no" | "unknown" } | { readonly found: "yes"; readonly schema: Keywords };

const unknown: Located = { found: "unknown" };
const no: Located = { found: "no" };

export function locate(root: JsonSchema, path: readonly (string | number)[]): Located {
  let at: Keywords = root as Keywords;
  for (const part of path) {
    const next = typeof part === "string" ? memberOf(at, part) : itemOf(at);
    if (next === undefined) return unknown;
    if (next === false) return no;
    const schema = isRecord(next) && typeof next.$ref === "string" ? resolveReference(next.$ref, root) : next;
    if (!isRecord(schema)) return unknown;
    at = schema;
  }
  return { found: "yes", schema: at };
}

/** False where there can be none. */
function memberOf(schema: Keywords, name: string): unknown {
  if (isChoice(schema)) return undefined;
  if (!may(schema, "object")) return false;
  const properties = membersOf(schema, "properties");
  if (Object.hasOwn(properties, name)) return properties[name];
  const { additionalProperties, patternProperties } = schema;
  if (additionalProperties === true || isRecord(additionalProperties) || isRecord(patternProperties)) return undefined;
  return schema.properties === undefined ? undefined : false;
}

function itemOf(schema: Keywords): unknown {
  if (isChoice(schema)) return undefined;
  if (!may(schema, "array")) return false;
  const { places, rest } = itemsOf(schema);
  return places.length > 0 || rest === true ? undefined : rest;
}

const isChoice = (schema: Keywords) => ["anyOf", "oneOf", "allOf", "$ref"].some((keyword) => keyword in schema);

const may = (schema: Keywords, type: TypeName) => namedTypes(schema)?.has(type) ?? true;
