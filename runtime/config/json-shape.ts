import type { Json } from "../../connectors/sdk/index.ts";
import { isObject } from "../record/index.ts";

/*
 * Views of values that may be of any shape, for checks that go on where the schema has found fault already: what is
 * not of the shape reads as empty.
 */

type Loose = { readonly [name: string]: Json | undefined };

const nothing: Loose = Object.freeze({});

/** The value's fields; none when it is no object. */
export function object(value: Json | undefined): Loose {
  return isObject(value) ? value : nothing;
}

/** The value's items; none when it is no array. */
export function items(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** The value's items that are strings. */
export function strings(value: Json | undefined): readonly string[] {
  return items(value).filter((item) => typeof item === "string");
}
