import { hash } from "node:crypto";
import type { OutRecord } from "../connectors/sdk/index.ts";
import { parseFieldPath } from "../runtime/mapping/index.ts";
import { groupKey } from "../runtime/pipeline/index.ts";
import { isObject } from "../runtime/record/index.ts";

/** A record's key, as SHA-256 in hex: the field's value, or the record's id where it has nothing there. */
export function idempotencyKey(field: string | null): (record: OutRecord) => string {
  const paths = field === null ? [] : [parseFieldPath(field)];
  return ({ id, value }) => {
    const key = paths.length > 0 && isObject(value) ? groupKey(value, paths) : "[null]";
    return hash("sha256", key === "[null]" ? `id ${id}` : key, "hex");
  };
}
