import type { JsonSchema } from "../../connectors/sdk/index.ts";
import { code, codeOf, link, table } from "./markdown.ts";

type Part = { readonly [keyword: string]: unknown };
type Fields = Record<string, JsonSchema>;

/** Parts with a section of their own, by their titles. */
export type Sections = ReadonlyMap<JsonSchema, string>;

/** The table of an object's fields, those of the objects within it among them, down to what has its own section. */
export function fieldTable(schema: Part, sections: Sections = new Map(), without: readonly string[] = []): string {
  const rows = fieldRows(schema, "", sections, without);
  return rows.length === 0 ? "No fields.\n" : table(["Field", "Type", "Default", "Meaning"], rows);
}

function fieldRows(schema: Part, prefix: string, sections: Sections, without: readonly string[] = []): string[][] {
  const required = (schema.required ?? []) as readonly string[];
  return Object.entries((schema.properties ?? {}) as Fields).flatMap(([name, field]) => {
    if (without.includes(name) || typeof field === "boolean") return [];
    const path = prefix + name;
    const initial = required.includes(name) ? "required" : defaultOf(field);
    const row = [code(path), typeOf(field, sections), initial, meaningOf(field)];
    return [row, ...rowsBelow(field, path, sections)];
  });
}

/** Of the fields of an object, or of the objects in a list. */
function rowsBelow(field: Part, path: string, sections: Sections): string[][] {
  if (sections.has(field) || sections.has(field.items as JsonSchema) || isPredicate(field)) return [];
  if (field.items !== undefined) return rowsBelow(field.items as Part, `${path}[]`, sections);
  if (typeof field.additionalProperties === "object") {
    const each = field.additionalProperties as Part;
    const row = [code(`${path}.*`), typeOf(each, sections), "", meaningOf(each)];
    return [row, ...rowsBelow(each, `${path}.*`, sections)];
  }
  return fieldRows(field, `${path}.`, sections);
}

function defaultOf({ default: initial }: Part): string {
  const group = typeof initial === "object" && initial !== null && Object.keys(initial).length === 0;
  return initial === undefined || group ? "" : codeOf(initial);
}

function meaningOf(field: Part): string {
  const secret = field.writeOnly === true ? "A secret: sealed, and read back as `***`." : "";
  return [field.description as string | undefined, secret].filter(Boolean).join(" ");
}

const isPredicate = ({ type, properties }: Part): boolean =>
  Array.isArray(type) && type.includes("string") && Object.hasOwn((properties ?? {}) as object, "js");

/** What a field holds, and within which limits. */
function typeOf(field: JsonSchema | undefined, sections: Sections = new Map()): string {
  if (field === undefined || typeof field === "boolean") return "any";
  const title = sections.get(field);
  if (title !== undefined) return link(title);
  if (isPredicate(field)) return link("Predicates");
  if (field.const !== undefined) return codeOf(field.const);
  if (field.enum !== undefined) return (field.enum as string[]).map(codeOf).join(", ");
  const choices = (field.anyOf ?? field.oneOf) as JsonSchema[] | undefined;
  if (choices !== undefined && field.type === undefined)
    return choices.map((each) => typeOf(each, sections)).join(" or ");
  const types = [field.type ?? []].flat() as string[];
  return types.length === 0 ? "any" : types.map((type) => oneType(type, field, sections)).join(" or ");
}

function oneType(type: string, field: Part, sections: Sections): string {
  const least = field.minItems === undefined ? "" : `, at least ${field.minItems}`;
  switch (type) {
    case "array":
      return `list of ${typeOf(field.items as JsonSchema, sections)}${least}`;
    case "integer":
    case "number":
      return `${type}${range(field)}`;
    case "string":
      if (field.pattern === undefined) return "text";
      return wordOf(field) ?? `text of the form ${code(field.pattern as string)}`;
    default:
      return type;
  }
}

/** What a form is called: of "a duration (an integer and one unit)" its name alone. */
function wordOf({ $comment }: Part): string | undefined {
  return ($comment as string | undefined)?.replaceAll(/^an? | \(.*$/g, "");
}

function range({ minimum, maximum }: Part): string {
  const above = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER;
  if (above) return minimum === undefined ? "" : `, at least ${minimum}`;
  return minimum === undefined ? `, at most ${maximum}` : `, ${minimum} to ${maximum}`;
}
