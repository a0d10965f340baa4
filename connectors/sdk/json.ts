/**
 * A JSON value. A number that a double cannot hold is a `JSON.rawJSON` object (check with `JSON.isRawJSON`, read its
 * `.rawJSON`): `JSON.stringify` writes it back digit for digit.
 */
export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [name: string]: Json;
}

/**
 * A JSON Schema 2020-12 document. `writeOnly: true` on a property marks a secret: sealed at rest, read back as "***".
 * `x-expression` says that a value is written in the mapping language, and is checked before anything runs: a `path`
 * (JSONPath), a `field` (field path), or a `template` (any JSON whose texts are templates).
 */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };
