import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { type FieldPath, getField, setField } from "../mapping/index.ts";
import { isObject } from "../record/index.ts";

/** A copy of a record whose field can be changed: of what is inside it, only what lies on the way is copied. */
export function copyAlong(record: JsonObject, path: FieldPath): JsonObject {
  const copy = { ...record };
  for (let end = 1; end < path.length; end++) {
    const inner: Json | undefined = getField(copy, path.slice(0, end));
    if (Array.isArray(inner)) setField(copy, path.slice(0, end), [...inner]);
    else if (isObject(inner)) setField(copy, path.slice(0, end), { ...inner });
    else break;
  }
  return copy;
}
