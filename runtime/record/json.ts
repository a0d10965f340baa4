import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { isRawNumber, numberOf, numberText } from "./number.ts";

export type JsonType = "null" | "boolean" | "number" | "string" | "array" | "object";

/**
 * A number, where a number can stand, that a double might not hold: 16 characters or an exponent. A text inside a
 * string may look alike; it costs the slower way and nothing else.
 */
const doubtful = /[[:,]\s*-?(?:[\d.]{16}|\d[\d.]*[eE])|^\s*-?[\d.]+(?:[eE]|\s*$)/;

/** Parses JSON and keeps every digit of every number. Throws a SyntaxError. `__proto__` is a key as any other. */
export function parseJson(text: string): Json {
  return isDoubtful(text) ? parseExactly(text) : (JSON.parse(text) as Json);
}

export function isDoubtful(text: string): boolean {
  return doubtful.test(text);
}

export function parseExactly(text: string): Json {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === "number" ? numberOf(context.source as string) : value,
  ) as Json;
}

export function jsonType(value: Json): JsonType {
  if (value === null) return "null";
  if (typeof value === "object") return Array.isArray(value) ? "array" : isRawNumber(value) ? "number" : "object";
  return typeof value as "boolean" | "number" | "string";
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/** Text of a value as in templates: null is empty, a string itself, all else its compact JSON. */
export function textOf(value: Json): string {
  if (typeof value === "string") return value;
  if (value === null) return "";
  return isRawNumber(value) ? numberText(value) : JSON.stringify(value);
}

/** With an article, for messages: `a string`, `an array`, `null`. */
export function describeType(value: Json): string {
  const type = jsonType(value);
  return type === "null" ? type : `${type === "array" || type === "object" ? "an" : "a"} ${type}`;
}

/** Deeper values are refused where they come in, so that whatever walks or writes them is safe on its stack. */
const maxDepth = 1000;
export const tooDeep = `nested deeper than ${maxDepth} levels`;

/** `length` is that of its text: a shorter one cannot be deep, and is not looked at. */
export function isTooDeep(value: Json, length: number): boolean {
  if (length < 2 * maxDepth) return false;
  let level: Json[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) return true;
    const below: Json[] = [];
    for (const container of level) {
      for (const child of Array.isArray(container) ? container : Object.values(container as JsonObject)) {
        if (typeof child === "object" && child !== null) below.push(child);
      }
    }
    level = below;
  }
  return false;
}
