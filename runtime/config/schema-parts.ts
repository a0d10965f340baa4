import type { JsonSchema } from "../../connectors/sdk/index.ts";

/** A part of the configuration's schema: always an object, so that parts can be spread. */
export type Part = { readonly [keyword: string]: unknown };

/** An object with these fields and no others. */
export function closed(description: string, properties: Record<string, JsonSchema>, required: string[] = []): Part {
  return {
    type: "object",
    description,
    properties,
    additionalProperties: false,
    ...(required.length > 0 && { required }),
  };
}

export const text = (description: string): Part => ({ type: "string", minLength: 1, description });

export const oneOfWords = (description: string, words: readonly string[], initial?: string): Part => ({
  enum: words,
  description,
  ...(initial !== undefined && { default: initial }),
});

export const list = (description: string, items: JsonSchema, minItems = 0): Part => ({
  type: "array",
  description,
  maxItems: 10_000,
  items,
  ...(minItems > 0 && { minItems }),
});

export const integer = (description: string, minimum: number, initial?: number): Part => ({
  type: "integer",
  minimum,
  maximum: Number.MAX_SAFE_INTEGER,
  description,
  ...(initial !== undefined && { default: initial }),
});

export const number = (description: string, minimum: number, maximum: number, initial?: number): Part => ({
  type: "number",
  minimum,
  maximum,
  description,
  ...(initial !== undefined && { default: initial }),
});

/** `$comment` says in words what the pattern wants; error messages use it. */
export const duration = (description: string, initial?: string): Part => ({
  type: "string",
  pattern: "^[0-9]{1,8}(ms|s|m|h|d)$",
  $comment: "a duration (an integer and one unit, such as 250ms, 5s, 10m, 2h or 30d)",
  description,
  examples: ["250ms", "5s", "10m"],
  ...(initial !== undefined && { default: initial }),
});

export const namePattern = "^[a-z0-9][a-z0-9-]{0,62}$";

export const name = (description: string): Part => ({
  type: "string",
  pattern: namePattern,
  $comment: "a name (1 to 63 lower-case letters, digits and hyphens, with no hyphen in front)",
  description,
});

/** Of a step or destination within an integration: like a name, but freer, since nothing but `needs` speaks of it. */
export const id = (description: string): Part => ({
  type: "string",
  pattern: "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$",
  $comment: "an id (1 to 63 letters, digits, hyphens and underscores, with a letter or digit in front)",
  description,
});

export const fieldPath = (description: string): Part => ({
  ...text(`${description} A field path.`),
  examples: ["address.city", "items[0].sku", '["odd key"]'],
});

export const predicate = (description: string): Part => ({
  type: ["string", "object"],
  description: `${description} A predicate: an RFC 9535 logical expression over the record, or { "js": … }.`,
  properties: { js: { type: "string", description: "A JavaScript expression over record and meta." } },
  required: ["js"],
  additionalProperties: false,
  examples: ["$.status == 'active' && $.amount > 10", { js: "record.amount > 10" }],
});
