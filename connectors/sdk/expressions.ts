import type { Json } from "./json.ts";

/**
 * The mapping language's paths and templates, for connectors whose config holds some. What compiles throws an Error
 * whose message says what is wrong with the text.
 */
export interface Expressions {
  /** A JSONPath (RFC 9535): its value, or the array of its matches where it may have many; undefined for nothing. */
  path(text: string): (value: Json) => Json | undefined;
  /** The names that a JSONPath goes along, where it is made of names alone: `$.data.items`. Undefined for any other. */
  names(text: string): readonly string[] | undefined;
  /** A field path, as in `key` and `cursor_field`. */
  field(text: string): (value: Json) => Json | undefined;
  /**
   * A value whose texts are templates. A text that is one hole and nothing else gives the value itself, null where
   * nothing is found.
   */
  template(value: Json): (context: Json) => Json;
  /** A text with holes; what fills a hole is passed through `encode`. */
  text(text: string, encode: (text: string) => string): (context: Json) => string;
}
