import type { Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import { formatPath, joinPath } from "../errors/path.ts";
import type { Drift } from "../ports/store.ts";
import { isRawNumber, numberText } from "../record/number.ts";
import { isRecord, itemsOf, type Keywords, listOf, membersOf, type TypeName, typeNames } from "./keywords.ts";
import { resolveReference } from "./reference.ts";

/** A schema compiled to what drift is about: fields and their types. */
export interface Shape {
  /** Bits of the types allowed, by their places in `typeNames`. */
  readonly types: number;
  /** Undefined: any members may stand in the object. */
  readonly members: ReadonlyMap<string, Member> | undefined;
  /** The members in the schema's order, which is that of most records: they are found without being looked up. */
  readonly order: readonly Member[];
  readonly required: number;
  /** Of members that are not named; undefined: there should be none. */
  readonly others: Shape | undefined;
  readonly items: Shape | undefined;
}

interface Member {
  readonly name: string;
  readonly shape: Shape;
  readonly required: boolean;
}

const bits = { null: 1, boolean: 2, integer: 4, number: 8, string: 16, array: 32, object: 64 } as const;
const anyType = (1 << typeNames.length) - 1;
const anything: Shape = {
  types: anyType,
  members: undefined,
  order: [],
  required: 0,
  others: undefined,
  items: undefined,
};
/** Deeper schemas, such as those that refer to themselves, say nothing of what lies below. */
const maxDepth = 50;
/** Nor do those that come after so many: what a schema says in few words may be endlessly many places. */
const maxShapes = 50_000;

export function compileShape(schema: JsonSchema): Shape {
  return new Compilation(schema).compile(schema, 0);
}

class Compilation {
  readonly #root: JsonSchema;
  /** Of each schema, by its depth: what is referred to several times is compiled once. */
  readonly #made = new Map<object, Shape[]>();
  #shapes = 0;

  constructor(root: JsonSchema) {
    this.#root = root;
  }

  compile(schema: unknown, depth: number): Shape {
    if (!isRecord(schema) || depth > maxDepth) return anything;
    const made = this.#made.get(schema) ?? [];
    this.#made.set(schema, made);
    const known = made[depth];
    if (known !== undefined) return known;
    if (++this.#shapes > maxShapes) return anything;
    const shape = this.#compile(schema, depth);
    made[depth] = shape;
    return shape;
  }

  #compile(schema: Keywords, depth: number): Shape {
    if (typeof schema.$ref === "string") {
      const target = resolveReference(schema.$ref, this.#root);
      return target === undefined ? anything : this.compile(target, depth + 1);
    }
    const choices = [...listOf(schema, "anyOf"), ...listOf(schema, "oneOf")];
    if (choices.length > 0) return choices.map((choice) => this.compile(choice, depth + 1)).reduce(either);
    const properties = membersOf(schema, "properties");
    const required = new Set(listOf(schema, "required"));
    const { additionalProperties } = schema;
    // Fields that no sample had are new, unless the schema says in so many words that others may stand there.
    const open = isRecord(schema.patternProperties) || additionalProperties === true || schema.properties === undefined;
    const named = schema.properties !== undefined || required.size > 0;
    const members = new Map<string, Member>();
    for (const name of new Set([...Object.keys(properties), ...(required as Set<string>)])) {
      const shape = Object.hasOwn(properties, name) ? this.compile(properties[name], depth + 1) : anything;
      members.set(name, { name, shape, required: required.has(name) });
    }
    const { places, rest } = itemsOf(schema);
    const others = isRecord(additionalProperties) ? this.compile(additionalProperties, depth + 1) : undefined;
    return {
      types: typeBits(schema),
      members: named || others !== undefined ? members : undefined,
      order: [...members.values()],
      required: required.size,
      others: others ?? (open ? anything : undefined),
      items: places.length > 0 ? undefined : this.compile(rest, depth + 1),
    };
  }
}

/** A value of the one or of the other: where both name members, those of neither count as new. */
function either(a: Shape, b: Shape): Shape {
  const object = bits.object;
  const known = [a, b].filter(({ types }) => (types & object) !== 0);
  const [only] = known.length === 1 ? known : [];
  return {
    types: a.types | b.types,
    members: only?.members,
    order: only?.order ?? [],
    required: only?.required ?? 0,
    others: only?.others,
    items: a.items === undefined || (a.types & bits.array) === 0 ? b.items : undefined,
  };
}

function typeBits({ type }: Keywords): number {
  if (type === undefined) return anyType;
  const names = (Array.isArray(type) ? type : [type]) as TypeName[];
  const types = names.reduce<number>((all, name) => all | (bits[name] ?? 0), 0);
  return types & bits.number ? types | bits.integer : types;
}

/** Allocates nothing. False also where a field is missing, which is drift, and no fault of the record. */
export function fits(value: Json, shape: Shape): boolean {
  if (value === null || typeof value !== "object" || JSON.isRawJSON(value)) return (bitOf(value) & shape.types) !== 0;
  if (Array.isArray(value)) {
    if ((shape.types & bits.array) === 0) return false;
    const { items } = shape;
    if (items === undefined || items === anything) return true;
    for (let i = 0; i < value.length; i++) if (!fits(value[i] as Json, items)) return false;
    return true;
  }
  if ((shape.types & bits.object) === 0) return false;
  const { members } = shape;
  if (members === undefined) return true;
  const { order } = shape;
  let required = 0;
  let at = 0;
  for (const name in value) {
    let member = order[at++];
    if (member?.name !== name) member = members.get(name);
    if (member === undefined) {
      if (shape.others === undefined || !fits(value[name] as Json, shape.others)) return false;
    } else {
      if (!fits(value[name] as Json, member.shape)) return false;
      if (member.required) required++;
    }
  }
  return required === shape.required;
}

/** Stands for each element of an array. */
const everyItem = Symbol("[*]");
type Path = readonly (string | typeof everyItem)[];

/** All that differs, in the order of the record's fields. */
export function driftOf(record: JsonObject, shape: Shape): Drift[] {
  const found: Drift[] = [];
  collect(record, shape, [], found);
  return found;
}

function collect(value: Json, shape: Shape, path: Path, found: Drift[]): void {
  const bit = bitOf(value);
  if ((bit & shape.types) === 0) {
    found.push({ kind: "changed_type", path: textOf(path), expected: namesOf(shape.types), found: nameOf(bit) });
  } else if (Array.isArray(value)) {
    const { items } = shape;
    if (items !== undefined) for (const item of value) collect(item, items, [...path, everyItem], found);
  } else if (bit === bits.object && shape.members !== undefined) {
    const { members, others } = shape;
    for (const [name, member] of Object.entries(value as JsonObject)) {
      const known = members.get(name)?.shape ?? others;
      const here = [...path, name];
      if (known !== undefined) collect(member, known, here, found);
      else found.push({ kind: "new_field", path: textOf(here), expected: null, found: nameOf(bitOf(member)) });
    }
    for (const [name, { required, shape }] of members) {
      if (!required || Object.hasOwn(value as JsonObject, name)) continue;
      const expected = namesOf(shape.types);
      found.push({ kind: "missing_field", path: textOf([...path, name]), expected, found: null });
    }
  }
}

/** The record without the values that the schema does not allow: fields are left out, and elements of arrays. */
export function withoutDrift(value: JsonObject, shape: Shape): JsonObject {
  return (trimmed(value, shape) ?? {}) as JsonObject;
}

function trimmed(value: Json, shape: Shape): Json | undefined {
  const bit = bitOf(value);
  if ((bit & shape.types) === 0) return undefined;
  if (Array.isArray(value)) {
    const { items } = shape;
    return items === undefined
      ? value
      : value.map((item) => trimmed(item, items)).filter((item): item is Json => item !== undefined);
  }
  const { members, others } = shape;
  if (bit !== bits.object || members === undefined) return value;
  const kept: [string, Json][] = [];
  for (const [name, member] of Object.entries(value as JsonObject)) {
    const known = members.get(name)?.shape ?? others;
    const left = known === undefined ? undefined : trimmed(member, known);
    if (left !== undefined) kept.push([name, left]);
  }
  // fromEntries defines own members: a key `__proto__` stays a key.
  return Object.fromEntries(kept);
}

function bitOf(value: Json): number {
  switch (typeof value) {
    case "string":
      return bits.string;
    case "number":
      return Number.isInteger(value) ? bits.integer : bits.number;
    case "boolean":
      return bits.boolean;
    default:
      if (value === null) return bits.null;
      if (Array.isArray(value)) return bits.array;
      if (!isRawNumber(value)) return bits.object;
      return /^-?\d+$/.test(numberText(value)) ? bits.integer : bits.number;
  }
}

export function typeOf(value: Json): TypeName {
  return nameOf(bitOf(value));
}

function nameOf(bit: number): TypeName {
  return typeNames[Math.log2(bit)] as TypeName;
}

function namesOf(types: number): string {
  const names = typeNames.filter((name) => types & bits[name] && !(name === "integer" && types & bits.number));
  return names.join("|");
}

function textOf(path: Path): string {
  return path.reduce<string>(
    (text, part) => (part === everyItem ? `${text}[*]` : joinPath(text, formatPath([part]))),
    "",
  );
}
