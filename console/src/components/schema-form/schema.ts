import type { Json, JsonObject } from "../../api/types.ts";

/** A JSON Schema, as far as forms look at it. */
export type Schema = JsonObject | boolean;

/** How a value is put in. */
export type Kind =
  | "text"
  | "secret"
  | "number"
  | "boolean"
  | "choice"
  | "lines"
  | "object"
  | "map"
  | "variants"
  | "json";

/** What an input offers to be one of. */
export interface Variant {
  readonly label: string;
  readonly schema: Schema;
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const textOf = (value: Json | undefined): string | undefined => (typeof value === "string" ? value : undefined);

/** What a schema says of its value besides its shape. */
export const descriptionOf = (schema: Schema): string | undefined =>
  typeof schema === "boolean" ? undefined : textOf(schema.description);

export const defaultOf = (schema: Schema): Json | undefined =>
  typeof schema === "boolean" ? undefined : schema.default;

export const isSecret = (schema: Schema): boolean => typeof schema !== "boolean" && schema.writeOnly === true;

const typesOf = (schema: JsonObject): readonly string[] =>
  [schema.type ?? []].flat().filter((type) => type !== "null") as string[];

/** What can be chosen of, where a schema lists its values. */
export const choicesOf = (schema: Schema): readonly Json[] | undefined => {
  if (typeof schema === "boolean") return undefined;
  return Array.isArray(schema.enum) ? (schema.enum as Json[]) : undefined;
};

/** How the value of a schema is put in. */
export function kindOf(schema: Schema): Kind {
  if (typeof schema === "boolean") return "json";
  if (choicesOf(schema) !== undefined) return "choice";
  if (variantsOf(schema).length > 1) return "variants";
  const [type] = typesOf(schema);
  if (type === "string") return isSecret(schema) ? "secret" : "text";
  if (type === "integer" || type === "number") return "number";
  if (type === "boolean") return "boolean";
  if (type === "array") return isText(schema.items) ? "lines" : "json";
  if (isObject(schema.properties)) return "object";
  if (type === "object" && isObject(schema.additionalProperties)) return "map";
  return "json";
}

const isText = (items: Json | undefined): boolean =>
  isObject(items) &&
  typesOf(items).length === 1 &&
  ["string", "integer", "number"].includes(typesOf(items)[0] as string);

/** The shapes that a value may have: of `anyOf`, `oneOf`, or several types. Those that take true or false come first. */
export function variantsOf(schema: Schema): readonly Variant[] {
  if (typeof schema === "boolean") return [];
  const { anyOf, oneOf, type: _, ...rest } = schema;
  const listed = (anyOf ?? oneOf) as readonly Schema[] | undefined;
  if (Array.isArray(listed)) {
    return listed.map((each) => ({
      label: variantLabel(each),
      schema: typeof each === "boolean" ? each : { ...rest, ...each },
    }));
  }
  const types = typesOf(schema);
  // A text says what a number or a boolean says, too.
  if (types.length < 2 || types.every((type) => !["object", "array"].includes(type))) {
    return types.length === 0
      ? []
      : [{ label: "", schema: { ...schema, type: types.includes("string") ? "string" : (types[0] as string) } }];
  }
  return types.map((type) => ({ label: typeNames[type] ?? type, schema: { ...rest, type } }));
}

const typeNames: Readonly<Record<string, string>> = {
  boolean: "yes or no",
  object: "with settings",
  string: "text",
  integer: "whole number",
  number: "number",
  array: "list",
};

function variantLabel(schema: Schema): string {
  if (typeof schema === "boolean") return "anything";
  const [type = "anything"] = typesOf(schema);
  return textOf(schema.title) ?? typeNames[type] ?? type;
}

/** Whether a value has the shape of a schema, roughly: which variant it was put in as. */
export function hasShape(schema: Schema, value: Json): boolean {
  if (typeof schema === "boolean") return schema;
  const types = typesOf(schema);
  const type = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  return types.length === 0 || types.includes(type) || (type === "number" && types.includes("integer"));
}

export interface Member {
  readonly name: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
}

/**
 * The members that an object has as its other members are now: `if`, `then` and `else` are followed as far as they ask
 * for members that are there, or for constants. Those that may not be there are left out; so are all but the one that
 * decides, such as `type`, until it is chosen.
 */
export function membersOf(schema: Schema, value: Json | undefined): readonly Member[] {
  if (typeof schema === "boolean") return [];
  const given = isObject(value) ? value : {};
  const parts = [schema, ...conditionsOf(schema, given)];
  const required = new Set(parts.flatMap((part) => (Array.isArray(part.required) ? part.required : [])));
  const properties = isObject(schema.properties) ? schema.properties : {};
  const undecided = decidersOf(schema).filter((name) => required.has(name) && given[name] === undefined);
  const refused = new Set(
    parts.flatMap((part) =>
      isObject(part.properties)
        ? Object.entries(part.properties).flatMap(([name, each]) => (each === false ? [name] : []))
        : [],
    ),
  );
  return Object.entries(properties)
    .filter(([name]) => !refused.has(name) && (undecided.length === 0 || undecided.includes(name)))
    .map(([name, each]) => ({ name, schema: each as Schema, isRequired: required.has(name) }));
}

/** Members whose constants decide what else there may be. */
function decidersOf({ allOf }: JsonObject): readonly string[] {
  const conditions = Array.isArray(allOf)
    ? (allOf as JsonObject[]).flatMap((part) => (isObject(part.if) ? [part.if] : []))
    : [];
  return conditions.flatMap(({ properties }) => (isObject(properties) ? Object.keys(properties) : []));
}

function conditionsOf(schema: JsonObject, value: JsonObject): readonly JsonObject[] {
  const all = [schema, ...(Array.isArray(schema.allOf) ? (schema.allOf as JsonObject[]) : [])];
  return all.flatMap((part) => {
    if (!isObject(part.if)) return [];
    const taken = holds(part.if, value) ? part.then : part.else;
    return isObject(taken) ? [taken] : [];
  });
}

function holds(condition: JsonObject, value: JsonObject): boolean {
  const required = Array.isArray(condition.required) ? (condition.required as string[]) : [];
  if (!required.every((name) => value[name] !== undefined)) return false;
  const properties = isObject(condition.properties) ? Object.entries(condition.properties) : [];
  return properties.every(([name, part]) => {
    const given = value[name];
    if (!isObject(part) || given === undefined) return true;
    if (part.const !== undefined) return given === part.const;
    return !Array.isArray(part.enum) || part.enum.includes(given);
  });
}

/** A value without what may not be there any more, and without objects that nothing is in and nobody asks for. */
export function pruned(schema: Schema, value: Json | undefined): Json | undefined {
  if (!isObject(value)) return value;
  const shape = variantsOf(schema).find((variant) => hasShape(variant.schema, value))?.schema ?? schema;
  if (typeof shape === "boolean" || !isObject(shape.properties)) return value;
  const known = shape.properties;
  const members = new Map(membersOf(shape, value).map((member) => [member.name, member]));
  const kept = Object.entries(value).flatMap(([name, each]): [string, Json][] => {
    if (!Object.hasOwn(known, name)) return [[name, each]];
    const member = members.get(name);
    const left = member === undefined ? undefined : pruned(member.schema, each);
    const isEmpty = isObject(left) && Object.keys(left).length === 0 && kindOf(member?.schema ?? true) === "object";
    return left === undefined || (isEmpty && member?.isRequired !== true) ? [] : [[name, left]];
  });
  return Object.fromEntries(kept);
}

/** A value without its secrets, or with something in their places; what only says where a secret stands is none. */
export function withoutSecrets(schema: Schema, value: Json | undefined, instead?: Json): Json | undefined {
  if (value === undefined) return undefined;
  if (isSecret(schema)) return typeof value === "string" && isReference(value) ? value : instead;
  const shape = variantsOf(schema).find((variant) => hasShape(variant.schema, value))?.schema ?? schema;
  if (typeof shape === "boolean") return value;
  if (Array.isArray(value)) {
    const items = (shape.items ?? true) as Schema;
    return value.flatMap((each: Json) => withoutSecrets(items, each, instead) ?? []);
  }
  if (!isObject(value)) return value;
  const known = isObject(shape.properties) ? shape.properties : {};
  const others = (shape.additionalProperties ?? true) as Schema;
  const kept = Object.entries(value).flatMap(([name, each]): [string, Json][] => {
    const left = withoutSecrets((known[name] ?? others) as Schema, each, instead);
    return left === undefined ? [] : [[name, left]];
  });
  return Object.fromEntries(kept);
}

/** Whether a text is one reference and nothing else: it says where a secret stands, and is none. */
export const isReference = (text: string): boolean => /^\$\{(env|file|vault):[^{}]+\}$/.test(text);

/** A field path, as the API's errors have it: `streams["odd name"].path`, `brokers[0]`. */
export function pathOf(parent: string, name: string | number): string {
  if (typeof name === "number") return `${parent}[${name}]`;
  if (!/^[^.[\]'"*\s]+$/.test(name)) return `${parent}[${JSON.stringify(name)}]`;
  return parent === "" ? name : `${parent}.${name}`;
}

const acronyms = new Set(["url", "id", "tls", "ssl", "ca", "sql", "api", "sasl", "uri", "http", "json"]);

/** `base_url` is shown as `Base URL`. */
export function labelOf(name: string): string {
  const words = name.split(/[_-]+/).map((word) => (acronyms.has(word.toLowerCase()) ? word.toUpperCase() : word));
  const [first = "", ...rest] = words;
  return [first.charAt(0).toUpperCase() + first.slice(1), ...rest].join(" ");
}
