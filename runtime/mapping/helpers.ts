import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { describeType, isObject, textOf } from "../record/json.ts";
import { MappingFailure } from "./failure.ts";
import { type FieldPath, getPart, putPart } from "./field-path.ts";
import type { WriteRule } from "./rule.ts";

// What the generated code of a mapping calls, beside the values of JSONPath.

type Value = Json | undefined;

/** As `{}`, with room for the fields to come: V8 sizes the objects of a constructor by what they grow to. */
export const RecordObject = function RecordObject() {} as unknown as new () => JsonObject;
RecordObject.prototype = Object.prototype;

export function text(value: Value): string {
  return typeof value === "string" ? value : value === undefined ? "" : textOf(value);
}

/** A query for many gives the array of its matches, and nothing when there are none. */
export function some(values: Json[]): Value {
  return values.length === 0 ? undefined : values;
}

export function or(value: Value, fallback: string): Json {
  return value === undefined ? fallback : value;
}

export function upper(value: Value): Value {
  return value === undefined ? undefined : text(value).toUpperCase();
}

export function lower(value: Value): Value {
  return value === undefined ? undefined : text(value).toLowerCase();
}

export function trim(value: Value): Value {
  return value === undefined ? undefined : text(value).trim();
}

export function json(value: Value): Value {
  return value === undefined ? undefined : JSON.stringify(value);
}

/** Writes the members of an object one by one. */
export function putMembers(out: JsonObject, members: JsonObject): void {
  for (const name of Object.keys(members)) putPart(out, name, members[name] as Json);
}

export function deepCopy(value: Json): Json {
  if (Array.isArray(value)) return value.map(deepCopy);
  if (!isObject(value)) return value;
  const copy: JsonObject = {};
  for (const name of Object.keys(value)) putPart(copy, name, deepCopy(value[name] as Json));
  return copy;
}

/** Copies some members of an object, so that later rules can write inside them. */
export function copyMembers(value: JsonObject, names: readonly string[]): JsonObject {
  const copy = { ...value };
  for (const name of names) if (Object.hasOwn(copy, name)) putPart(copy, name, deepCopy(copy[name] as Json));
  return copy;
}

/** A rule's failures. The messages name paths and types, never a value. */
export class RuleFailures {
  private readonly rule: WriteRule;

  constructor(rule: WriteRule) {
    this.rule = rule;
  }

  cast(value: Json): MappingFailure {
    const { cast, from, to, index } = this.rule;
    return new MappingFailure(index, "cast", `cannot cast ${describeType(value)} from ${from} to ${cast}, for ${to}`);
  }

  destination(out: JsonObject, value: Json): MappingFailure {
    const { from, to, index, destination } = this.rule;
    const reason = destination === "*" ? "only an object's members can be written so" : blocked(out, destination);
    const message = `cannot write ${describeType(value)} from ${from} to ${to}: ${reason}`;
    return new MappingFailure(index, "destination", message);
  }

  notAnArray(value: Json): MappingFailure {
    const { from, to, index } = this.rule;
    return new MappingFailure(
      index,
      "source",
      `each takes an array, found ${describeType(value)} at ${from}, for ${to}`,
    );
  }

  inEach(failure: unknown, element: number): MappingFailure {
    if (!(failure instanceof MappingFailure)) throw failure;
    const { from, to, index } = this.rule;
    const message = `each[${failure.rule}] on element ${element} of ${from}, for ${to}: ${failure.message}`;
    return new MappingFailure(index, failure.reason, message, failure.code);
  }
}

/** What stands in the way of a path: the first value that is no container of the kind it needs. */
function blocked(out: JsonObject, path: FieldPath): string {
  let value: Json = out;
  let at = "";
  for (const part of path) {
    if (typeof part === "number" ? !Array.isArray(value) : !isObject(value))
      return `${describeType(value)} stands at ${at}`;
    at += typeof part === "number" ? `[${part}]` : at === "" ? part : `.${part}`;
    value = getPart(value, part) ?? null;
  }
  return "something stands in the way";
}
