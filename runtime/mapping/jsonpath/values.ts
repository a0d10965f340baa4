import type { Json } from "../../../connectors/sdk/index.ts";
import { isObject } from "../../record/json.ts";
import { compareNumbers, isNumber } from "../../record/number.ts";
import { cachedIRegexp, type Matcher } from "./iregexp/index.ts";

// What generated code calls. `undefined` is RFC 9535's Nothing.

export type Value = Json | undefined;

const none: readonly Json[] = [];

/** An own member, whatever its name. */
export function member(value: Value, name: string): Value {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

export function element(value: Value, index: number): Value {
  if (!Array.isArray(value)) return undefined;
  return value[index < 0 ? value.length + index : index];
}

/** Elements of an array, member values of an object. */
export function children(value: Value): readonly Json[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : none;
}

export function slice(value: Value, start: number | null, end: number | null, step: number): readonly Json[] {
  if (!Array.isArray(value) || step === 0) return none;
  const { length } = value;
  const bound = (index: number, low: number, high: number) =>
    Math.min(Math.max(index < 0 ? length + index : index, low), high);
  const found: Json[] = [];
  if (step > 0) {
    const upper = end === null ? length : bound(end, 0, length);
    for (let i = start === null ? 0 : bound(start, 0, length); i < upper; i += step) found.push(value[i] as Json);
  } else {
    const lower = end === null ? -1 : bound(end, -1, length - 1);
    const from = start === null ? length - 1 : bound(start, -1, length - 1);
    for (let i = from; i > lower; i += step) found.push(value[i] as Json);
  }
  return found;
}

export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (typeof a !== "object" && typeof b !== "object") return false;
  if (a === undefined || b === undefined || a === null || b === null) return false;
  if (isNumber(a)) return isNumber(b) && compareNumbers(a, b) === 0;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => equal(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name]))
  );
}

export function less(a: Value, b: Value): boolean {
  if (typeof a === "number" && typeof b === "number") return a < b;
  if (typeof a === "string") return typeof b === "string" && isBefore(a, b);
  return isNumber(a) && isNumber(b) && compareNumbers(a, b) < 0;
}

export function lessOrEqual(a: Value, b: Value): boolean {
  return less(a, b) || equal(a, b);
}

/** By Unicode scalar values, where ECMAScript's `<` goes by UTF-16 units: they differ from U+D800 on. */
function isBefore(a: string, b: string): boolean {
  const shorter = Math.min(a.length, b.length);
  let i = 0;
  while (i < shorter && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === shorter) return a.length < b.length;
  const x = a.charCodeAt(i);
  const y = b.charCodeAt(i);
  // A surrogate is half of a character above U+FFFF, and so after every unit that is a character by itself.
  return isSurrogateUnit(x) === isSurrogateUnit(y) ? x < y : isSurrogateUnit(y);
}

function isSurrogateUnit(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

/** Scalar values of a string, elements of an array, members of an object. */
export function length(value: Value): Value {
  if (typeof value === "string") return scalarCount(value);
  if (Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : undefined;
}

function scalarCount(text: string): number {
  let count = text.length;
  for (let i = 0; i + 1 < text.length; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

export function fits(value: Value, matcher: Matcher): boolean {
  return typeof value === "string" && matcher.test(value);
}

/** A pattern that is no I-Regexp matches nothing. */
export function matches(value: Value, pattern: Value, whole: boolean): boolean {
  if (typeof value !== "string" || typeof pattern !== "string") return false;
  return cachedIRegexp(pattern, whole)?.test(value) ?? false;
}

/** The value of the only node, if there is just one. */
export function only(values: readonly Json[]): Value {
  return values.length === 1 ? values[0] : undefined;
}
