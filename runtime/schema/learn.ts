import type { Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import { isObject } from "../record/json.ts";
import { isRecord, type Keywords, keywordsOf, membersOf, type TypeName, typeNames } from "./keywords.ts";
import { compileShape, fits, typeOf } from "./shape.ts";

/** Objects of more members are taken for tables whose names are data: any name may stand in them. */
const maxMembers = 500;

/** A schema that fits all of `records`; null for none. */
export function inferSchema(records: readonly Json[]): JsonSchema | null {
  let schema: JsonSchema | null = null;
  let shape = compileShape({});
  for (const record of records) {
    if (schema !== null && fits(record, shape)) continue;
    schema = schema === null ? schemaOf(record) : learn(schema, record);
    shape = compileShape(schema);
  }
  return schema;
}

/** The schema, made so much wider that it fits the value: its fields and types, and none required that it lacks. */
export function learn(schema: JsonSchema, value: Json): JsonSchema {
  return grow(schema, value) as JsonSchema;
}

/** The schema without the requirements that the value does not meet. */
export function relax(schema: JsonSchema, value: Json): JsonSchema {
  return loosen(schema, value) as JsonSchema;
}

function schemaOf(value: Json): JsonSchema {
  const type = typeOf(value);
  if (Array.isArray(value)) {
    const items = inferSchema(value);
    return items === null ? { type } : { type, items };
  }
  if (!isObject(value)) return { type };
  const properties = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, schemaOf(member)]));
  const required = Object.keys(value);
  return { type, properties, ...(required.length > 0 && { required }) };
}

function grow(known: unknown, value: Json): unknown {
  if (!isRecord(known) || fits(value, compileShape(known as JsonSchema))) return known;
  // Of what is written by choice or elsewhere, the whole is one choice from now on.
  if (["$ref", "anyOf", "oneOf", "allOf"].some((keyword) => keyword in known))
    return { anyOf: [known, schemaOf(value)] };
  const type = typeOf(value);
  const types = typesOf(known);
  if (types !== undefined && !includes(types, type)) {
    return { ...known, ...pick(schemaOf(value), ["properties", "required", "items"]), type: joined(types, type) };
  }
  if (Array.isArray(value)) {
    const items = value.reduce<unknown>(
      (items, each) => (items === undefined ? schemaOf(each) : grow(items, each)),
      known.items,
    );
    return { ...known, items };
  }
  return isObject(value) ? growObject(known, value) : known;
}

function growObject(known: Keywords, value: JsonObject): Keywords {
  const properties = membersOf(known, "properties");
  const members = new Map(Object.entries(properties));
  for (const [name, member] of Object.entries(value)) {
    if (Object.hasOwn(properties, name)) members.set(name, grow(properties[name], member));
    else if (members.size < maxMembers) members.set(name, schemaOf(member));
  }
  const open = members.size >= maxMembers ? { additionalProperties: true } : {};
  return { ...known, ...requiredOf(known, value), properties: Object.fromEntries(members), ...open };
}

function loosen(known: unknown, value: Json): unknown {
  if (!isRecord(known)) return known;
  if (Array.isArray(value)) {
    return isRecord(known.items) ? { ...known, items: value.reduce<unknown>(loosen, known.items) } : known;
  }
  if (!isObject(value) || !isRecord(known.properties)) return known;
  const properties = Object.entries(known.properties).map(([name, schema]) => [
    name,
    Object.hasOwn(value, name) ? loosen(schema, value[name] as Json) : schema,
  ]);
  return { ...known, ...requiredOf(known, value), properties: Object.fromEntries(properties) };
}

function requiredOf(known: Keywords, value: JsonObject): Keywords {
  if (!Array.isArray(known.required)) return {};
  return { required: known.required.filter((name: string) => Object.hasOwn(value, name)) };
}

function typesOf({ type }: Keywords): readonly TypeName[] | undefined {
  return type === undefined ? undefined : ([type].flat() as TypeName[]);
}

const includes = (types: readonly TypeName[], type: TypeName) =>
  types.includes(type) || (type === "integer" && types.includes("number"));

function joined(types: readonly TypeName[], type: TypeName): TypeName | TypeName[] {
  const all = new Set([...types, type]);
  if (all.has("number")) all.delete("integer");
  const names = typeNames.filter((name) => all.has(name));
  return names.length === 1 ? (names[0] as TypeName) : names;
}

function pick(schema: JsonSchema, names: readonly string[]): Keywords {
  return Object.fromEntries(Object.entries(keywordsOf(schema)).filter(([name]) => names.includes(name)));
}
