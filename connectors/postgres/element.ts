import type { Json } from "../sdk/index.ts";
import type { Column } from "./catalog.ts";

/**
 * How values of a column reach a statement: as an array of the column's own type, or of texts that an expression turns
 * into it, for types that an array literal cannot hold in one dimension (arrays) or without help (composites, box).
 */
export interface Parameter {
  readonly arrayType: string;
  /** The value in the select list; `name` is the column of `unnest`. */
  expression(name: string): string;
  /** The text of one value, for the input function of its type. */
  text(value: Json): string;
}

const json = [114, 3802];
const jsonArrays = [199, 3807];
const box = 603;

export function parameterOf(column: Column): Parameter {
  const itself = (name: string) => name;
  if (json.includes(column.oid)) return { arrayType: `${column.type}[]`, expression: itself, text: JSON.stringify };
  if (column.category === "A") {
    const text = jsonArrays.includes(column.oid) ? jsonArrayText : arrayText;
    return { arrayType: "text[]", expression: (name) => `${name}::${column.type}`, text };
  }
  if (column.category === "C") {
    const cast = (name: string) => `json_populate_record(NULL::${column.type}, ${name}::json)`;
    return {
      arrayType: "text[]",
      expression: (name) => `CASE WHEN ${name} IS NOT NULL THEN ${cast(name)} END`,
      text: plainText,
    };
  }
  if (column.oid === box) {
    return { arrayType: "text[]", expression: (name) => `${name}::${column.type}`, text: plainText };
  }
  return { arrayType: `${column.type}[]`, expression: itself, text: plainText };
}

/** Texts as they are; all else as its JSON, which is what Postgres reads as a number, a boolean or JSON. */
export function plainText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A JSON array as an array literal; a text is taken for such a literal. */
function arrayText(value: Json): string {
  if (!Array.isArray(value)) return plainText(value);
  const elements = value.map((element) =>
    element === null ? "NULL" : Array.isArray(element) ? arrayText(element) : quoted(plainText(element)),
  );
  return `{${elements.join(",")}}`;
}

/** Elements of json are themselves arrays now and then, so these have one dimension. */
function jsonArrayText(value: Json): string {
  if (!Array.isArray(value)) return plainText(value);
  return `{${value.map((element) => (element === null ? "NULL" : quoted(JSON.stringify(element)))).join(",")}}`;
}

const special = /["\\]/;

/** An element of an array literal. */
export function quoted(text: string): string {
  return special.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : `"${text}"`;
}
