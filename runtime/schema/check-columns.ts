import type { Json, StreamInfo } from "../../connectors/sdk/index.ts";
import { type FieldError, formatPath, unknownName } from "../errors/index.ts";
import { type CastName, casts, parseFieldPath } from "../mapping/index.ts";
import { type Keywords, keywordsOf, membersOf, namedTypes, type TypeName } from "./keywords.ts";
import type { Known } from "./known.ts";
import { typeOf } from "./shape.ts";

/** What a destination's connector says of its stream. */
export type DestinationStream = Pick<StreamInfo, "schema" | "required">;

/** What reaches a destination against its stream's schema, where that one is known to the field. */
export function checkColumns(
  path: string,
  { schema: destination, required }: DestinationStream,
  known: Known,
): FieldError[] {
  const breaks: FieldError[] = [];
  const columns = membersOf(keywordsOf(destination), "properties");
  const closed = keywordsOf(destination).additionalProperties === false;
  const written = writtenFields(known);
  for (const [name, schema] of written) {
    const place = known.writtenBy.get(name);
    const at = place === undefined ? path : `${place}.destination`;
    if (!Object.hasOwn(columns, name)) {
      if (closed) breaks.push({ path: at, message: unknownName("field", name, Object.keys(columns)) });
      continue;
    }
    const fault = columnFault(keywordsOf(columns[name]), schema, valuesOf(known, name));
    if (fault !== undefined) breaks.push({ path: at, message: `${formatPath([name])} ${fault}` });
  }
  const complete = known.schema !== null && keywordsOf(known.schema).additionalProperties !== true;
  for (const field of complete ? (required ?? []) : []) {
    const [name] = parseFieldPath(field);
    if (!written.has(String(name))) breaks.push({ path, message: `${field} needs a value, and no record has one` });
  }
  return breaks;
}

function writtenFields({ schema, samples }: Known): Map<string, Keywords> {
  const fields = new Map<string, Keywords>();
  for (const sample of samples) for (const name of Object.keys(sample)) fields.set(name, {});
  const properties = schema === null ? {} : membersOf(keywordsOf(schema), "properties");
  for (const [name, property] of Object.entries(properties)) fields.set(name, keywordsOf(property));
  return fields;
}

function valuesOf({ samples }: Known, name: string): Json[] {
  return samples.flatMap((sample) => (Object.hasOwn(sample, name) ? [sample[name] as Json] : []));
}

const textFormats: { readonly [format: string]: CastName } = { date: "timestamp", "date-time": "timestamp" };

/** Why no value that comes can stand in the column; undefined where one can, or nobody knows. */
function columnFault(column: Keywords, written: Keywords, values: readonly Json[]): string | undefined {
  const takes = namedTypes(column);
  if (takes === undefined) return undefined;
  const tried = values.filter((value) => value !== null);
  const seen = new Set(tried.map(typeOf));
  const types = [...(seen.size > 0 ? seen : (namedTypes(written) ?? []))].filter((type) => type !== "null");
  if (types.length === 0) return undefined;
  const wanted = [...takes]
    .filter((type) => type !== "null" && !(type === "integer" && takes.has("number")))
    .join(" or ");
  if (types.every((type) => !fitsColumn(type, takes, column.format)))
    return `is ${types.join(" or ")}, and ${wanted} is needed`;
  const cast = castOf(takes, column.format);
  const refuses = (value: Json) => typeof value === "string" && casts[cast as CastName](value) === undefined;
  if (cast !== undefined && tried.length > 0 && tried.every(refuses)) {
    const what = typeof column.format === "string" ? column.format : wanted;
    return `is a text that is no ${what} in any of ${tried.length} samples`;
  }
  return undefined;
}

/** Texts may be converted to any scalar, and anything to a text without a format. */
function fitsColumn(type: TypeName, takes: ReadonlySet<TypeName>, format: unknown): boolean {
  if (takes.has(type)) return true;
  if (takes.has("string")) return format === undefined;
  const scalar = takes.has("number") || takes.has("integer") || takes.has("boolean");
  if (type === "string") return scalar;
  return type === "number" && takes.has("integer");
}

function castOf(takes: ReadonlySet<TypeName>, format: unknown): CastName | undefined {
  if (takes.has("string")) return typeof format === "string" ? textFormats[format] : undefined;
  if (takes.has("number")) return "number";
  if (takes.has("integer")) return "integer";
  return takes.has("boolean") ? "boolean" : undefined;
}
