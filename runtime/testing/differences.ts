import type { Json } from "../../connectors/sdk/index.ts";
import { formatPath, joinPath } from "../errors/index.ts";
import { compareNumbers, isNumber, isObject } from "../record/index.ts";

/** A side that is left out has nothing there. */
export interface Difference {
  /** Field path in the test. */
  readonly path: string;
  readonly expected?: Json;
  readonly found?: Json;
}

export interface ComparisonOptions {
  /** Objects that were found may have more fields. */
  readonly partial?: boolean;
}

/** Where two values differ, as deep as can be told. */
export function differences(
  expected: Json | undefined,
  found: Json | undefined,
  path: string,
  options: ComparisonOptions = {},
): Difference[] {
  if (expected === undefined) return found === undefined || options.partial ? [] : [{ path, found }];
  if (found === undefined) return [{ path, expected }];
  if (isNumber(expected) && isNumber(found))
    return compareNumbers(expected, found) === 0 ? [] : [{ path, expected, found }];
  if (Array.isArray(expected) && Array.isArray(found)) return listDifferences(expected, found, path, options);
  if (isObject(expected) && isObject(found)) {
    const names = new Set([...Object.keys(expected), ...Object.keys(found)]);
    const member = (value: object, name: string) =>
      Object.hasOwn(value, name) ? (value as Record<string, Json>)[name] : undefined;
    return [...names].flatMap((name) =>
      differences(member(expected, name), member(found, name), joinPath(path, formatPath([name])), options),
    );
  }
  return expected === found ? [] : [{ path, expected, found }];
}

function listDifferences(
  expected: readonly Json[],
  found: readonly Json[],
  path: string,
  options: ComparisonOptions,
): Difference[] {
  const length = Math.max(expected.length, found.length);
  // Of an item that is not expected at all, `partial` does not speak.
  return Array.from({ length }, (_, i) => i).flatMap((i) =>
    differences(expected[i], found[i], `${path}[${i}]`, i < expected.length ? options : {}),
  );
}

/** The same where order does not count: what has its like is set aside, and the rest compared in order. */
export function unorderedDifferences(
  expected: readonly Json[],
  found: readonly Json[],
  path: string,
  options: ComparisonOptions = {},
): Difference[] {
  const left = [...found];
  const open = expected.flatMap((item, index) => {
    const like = left.findIndex((candidate) => isLike(item, candidate, options));
    if (like < 0) return [{ item, path: `${path}[${index}]` }];
    left.splice(like, 1);
    return [];
  });
  const missing = open.flatMap(({ item, path }, i) => differences(item, left[i], path, options));
  const more = left.slice(open.length).map((item, i) => ({ path: `${path}[${expected.length + i}]`, found: item }));
  return [...missing, ...more];
}

export function isLike(expected: Json, found: Json, options: ComparisonOptions = {}): boolean {
  return differences(expected, found, "", options).length === 0;
}

/** Without those that are equal to one before them. */
export function distinct(items: readonly Json[]): Json[] {
  return items.filter((item, index) => items.findIndex((other) => isLike(other, item)) === index);
}
