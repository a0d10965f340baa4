import type { JsonObject } from "../sdk/index.ts";
import type { Shape } from "./table.ts";

/** What one statement writes as a row of the table. */
export interface RowToWrite {
  /** The record's place in the batch. */
  readonly index: number;
  readonly value: JsonObject;
  readonly shape: Shape;
  /** Its idempotency key, where keys are kept. */
  readonly key?: string | undefined;
  /** Records of the same key that came one after another, of which this is the sum; tried one by one if it fails. */
  readonly parts?: readonly RowToWrite[];
}

/**
 * One row a key, since one statement cannot write a row twice: the later record's fields win, as if they were written
 * in turn. Rows keep the place of their first record.
 */
export function mergeByKey(
  rows: readonly RowToWrite[],
  key: readonly string[],
  shapeOf: (fields: readonly string[]) => Shape,
): RowToWrite[] {
  const merged = new Map<string, RowToWrite>();
  for (const row of rows) {
    const text = keyText(row.value, key);
    const before = merged.get(text);
    merged.set(text, before === undefined ? row : merge(before, row, shapeOf));
  }
  return merged.size === rows.length ? (rows as RowToWrite[]) : [...merged.values()];
}

function keyText(value: JsonObject, key: readonly string[]): string {
  if (key.length > 1) return JSON.stringify(key.map((name) => value[name]!));
  const only = value[key[0]!]!;
  return typeof only === "string" ? only : JSON.stringify(only);
}

function merge(a: RowToWrite, b: RowToWrite, shapeOf: (fields: readonly string[]) => Shape): RowToWrite {
  const parts = [...(a.parts ?? [a]), b];
  if (a.shape === b.shape) return { ...b, parts };
  // fromEntries defines own members, whatever they are called.
  const value = Object.fromEntries([...Object.entries(a.value), ...Object.entries(b.value)]);
  const shape = shapeOf(Object.keys(value));
  return { index: b.index, value, shape, parts };
}
