import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { formatPath, joinPath } from "../errors/index.ts";
import { isObject } from "../record/index.ts";

/** A side that is left out does not exist there. */
export interface FieldChange {
  readonly path: string;
  readonly before?: Json;
  readonly after?: Json;
}

/** Leaves that differ, by path; objects and arrays are compared inside. */
export function differences(before: Json, after: Json, path = ""): FieldChange[] {
  if (isObject(before) && isObject(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].flatMap((name) => member(before, after, name, joinPath(path, formatPath([name]))));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, i) => i).flatMap((i) => member(before, after, i, `${path}[${i}]`));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}

function member(
  before: JsonObject | Json[],
  after: JsonObject | Json[],
  key: string | number,
  path: string,
): FieldChange[] {
  const has = (value: object) => Object.hasOwn(value, key);
  const at = (value: JsonObject | Json[]) => (value as JsonObject)[key]!;
  if (!has(before)) return [{ path, after: at(after) }];
  if (!has(after)) return [{ path, before: at(before) }];
  return differences(at(before), at(after), path);
}
