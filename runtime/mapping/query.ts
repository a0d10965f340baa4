import type { Json } from "../../connectors/sdk/index.ts";
import { Emitter } from "./emitter.ts";
import { emitAll, emitSingular } from "./jsonpath/emit.ts";
import { parseQuery } from "./jsonpath/parse.ts";

/** A compiled JSONPath query (RFC 9535). */
export interface CompiledQuery {
  /** At most one node, by its form. */
  readonly singular: boolean;
  /** The values of the nodes selected in a document, in RFC 9535's order; they are the document's own, not copies. */
  all(document: Json): Json[];
}

/** Throws a PathError when the text is no JSONPath. */
export function compileQuery(text: string): CompiledQuery {
  const query = parseQuery(text);
  const emitter = new Emitter();
  const scope = { root: "r", current: "r" };
  const result = query.singular
    ? `const n = ${emitSingular(query, scope)};\nreturn n === undefined ? [] : [n];`
    : `return ${emitAll(emitter, query, scope)};`;
  emitter.function("query", "r", result);
  return { singular: query.singular, all: emitter.build<(document: Json) => Json[]>("query") };
}
