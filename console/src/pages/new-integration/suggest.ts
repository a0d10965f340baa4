import { fieldPathOf, jsonPathOf, type SchemaPath } from "./schema-paths.ts";

export type Cast = "string" | "number" | "integer" | "boolean" | "timestamp" | "date" | "json";

/** A field of the destination, and what goes into it. */
export interface Match {
  readonly destination: string;
  /** Types that it takes, in words. */
  readonly takes: string;
  readonly isRequired: boolean;
  /** JSONPath; null: nothing of the source goes there. */
  readonly source: string | null;
  readonly cast: Cast | null;
  /** Why it was matched, or why not. */
  readonly why: "same name" | "similar name" | "no field of a similar name" | "its types do not fit";
}

export interface Suggestion {
  readonly matches: readonly Match[];
  /** Fields of the source that go nowhere. */
  readonly left: readonly string[];
}

/**
 * What of the source goes where, by name and type: the same name first, then one that differs in case and separators
 * (`firstName`, `first_name`), then the names down to a nested field (`address.city`, `address_city`). A type that does
 * not fit gets a cast where there is one; where there is none nothing is matched.
 */
export function suggest(source: readonly SchemaPath[], destination: readonly SchemaPath[]): Suggestion {
  // A nested field of the destination is filled with the object that it is in.
  const wanted = destination.filter(({ names }) => names.length === 1);
  const matches = wanted.map((field) => matchOf(field, source));
  return { matches, left: leftOf(matches, source) };
}

/** Fields of the source that nothing is taken of: of an object that something is taken of, what is left in it. */
export function leftOf(matches: readonly Match[], source: readonly SchemaPath[]): readonly string[] {
  const used = new Set(matches.flatMap((match) => match.source ?? []));
  const isTaken = ({ names }: SchemaPath) => names.some((_, at) => used.has(jsonPathOf(names.slice(0, at + 1))));
  const isOpened = (names: readonly string[]) =>
    source.some((other) => isBelow(other, names) && used.has(jsonPathOf(other.names)));
  return source
    .filter((field) => !isTaken(field) && !isOpened(field.names))
    .filter(({ names }) => names.length === 1 || isOpened(names.slice(0, -1)))
    .map(({ names }) => fieldPathOf(names));
}

const isBelow = ({ names }: SchemaPath, parent: readonly string[]): boolean =>
  names.length > parent.length && parent.every((name, at) => names[at] === name);

function matchOf(field: SchemaPath, source: readonly SchemaPath[]): Match {
  const name = field.names[0] as string;
  const base = { destination: fieldPathOf(field.names), takes: typeWords(field), isRequired: field.isRequired };
  const ranked = source
    .map((each) => ({ each, rank: rankOf(each, name) }))
    .filter(({ rank }) => rank > 0)
    .sort((a, b) => b.rank - a.rank);
  for (const { each, rank } of ranked) {
    const cast = castOf(each, field);
    if (cast === undefined) continue;
    return { ...base, source: jsonPathOf(each.names), cast, why: rank === 3 ? "same name" : "similar name" };
  }
  return {
    ...base,
    source: null,
    cast: null,
    why: ranked.length > 0 ? "its types do not fit" : "no field of a similar name",
  };
}

const plain = (name: string): string => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");

/** 3: the same name; 2: the same but for case and separators; 1: the names down to it; 0: another one. */
function rankOf({ names }: SchemaPath, name: string): number {
  const [first] = names;
  if (names.length === 1 && first === name) return 3;
  if (plain(name) === "") return 0;
  if (names.length === 1) return plain(first as string) === plain(name) ? 2 : 0;
  return plain(names.join("")) === plain(name) ? 1 : 0;
}

/** How a value of one field becomes one of another; null: as it is; undefined: not at all. */
export function castOf(from: SchemaPath, to: SchemaPath): Cast | null | undefined {
  const wanted = to.types;
  if (wanted.length === 0) return null;
  const format = to.format === "date-time" ? "timestamp" : to.format === "date" ? "date" : null;
  const given = from.types;
  if (format !== null && wanted.includes("string")) {
    if (from.format === to.format) return null;
    return given.every((type) => ["string", "integer", "number"].includes(type)) ? format : undefined;
  }
  const fits = (type: string) => wanted.includes(type) || (type === "integer" && wanted.includes("number"));
  if (given.length > 0 && given.every(fits)) return null;
  if (wanted.includes("string")) return "string";
  const isScalar = given.every((type) => !["object", "array"].includes(type));
  const [type] = wanted;
  if (type === "object" || type === "array") return given.every((each) => each === "string") ? "json" : undefined;
  if (!isScalar) return undefined;
  if (type === "boolean") return "boolean";
  // True and false are no numbers.
  if (given.includes("boolean")) return undefined;
  return type === "integer" ? "integer" : "number";
}

export const typeWords = ({ types, format }: SchemaPath): string =>
  types.length === 0
    ? "anything"
    : types.map((type) => (type === "string" && format !== null ? format : type)).join(" or ");
