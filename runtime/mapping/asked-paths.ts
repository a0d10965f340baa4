import type { Json } from "../../connectors/sdk/index.ts";
import { nearest } from "../errors/index.ts";
import { isObject } from "../record/json.ts";
import { getPart } from "./field-path.ts";
import type { Comparable, Logical, Query } from "./jsonpath/ast.ts";
import { parseLogical, parseQuery } from "./jsonpath/parse.ts";
import { parseTemplate } from "./template.ts";

/** A path that a predicate or a template asks of the record. */
export interface AskedPath {
  /** As JSONPath that begins with `$`. */
  readonly path: string;
  /** It is meant to be missing at times: asked whether it exists, or given a default. */
  readonly optional: boolean;
}

/** Paths of a predicate's text, those within filters left out. Throws a PathError. */
export function pathsOfPredicate(text: string): AskedPath[] {
  return pathsOf(parseLogical(text));
}

/** Paths of a template's holes. Throws a PathError. */
export function pathsOfTemplate(text: string): AskedPath[] {
  return parseTemplate(text).flatMap((part) =>
    typeof part === "string"
      ? []
      : [{ path: part.query.text, optional: part.filters.some(({ name }) => name === "default") }],
  );
}

function pathsOf(logical: Logical): AskedPath[] {
  switch (logical.kind) {
    case "or":
    case "and":
      return logical.terms.flatMap(pathsOf);
    case "not":
      return pathsOf(logical.term);
    case "exists":
      return [asked(logical.query, true)];
    case "pattern":
      return [...pathsIn(logical.value), ...pathsIn(logical.pattern)];
    case "compare":
      return [...pathsIn(logical.left), ...pathsIn(logical.right)];
  }
}

function pathsIn(comparable: Comparable): AskedPath[] {
  if (comparable.kind === "literal") return [];
  if (comparable.kind === "length") return pathsIn(comparable.of);
  return [asked(comparable.query, comparable.kind === "count")];
}

const asked = ({ text }: Query, optional: boolean): AskedPath => ({ path: `$${text.slice(1)}`, optional });

/**
 * What was meant by a path that none of the documents has: the same with the first name that is missing replaced by the
 * nearest one that stands there. Undefined where none is near. Throws a PathError.
 */
export function nearestPath(path: string, documents: readonly Json[]): string | undefined {
  const { segments } = parseQuery(path);
  let there: readonly Json[] = documents;
  let written = "$";
  for (const [index, { descendant, selectors }] of segments.entries()) {
    const [selector] = selectors;
    if (descendant || selectors.length > 1) return undefined;
    if (selector?.kind === "name") {
      const { name } = selector;
      const next = there.map((value) => getPart(value, name)).filter((value) => value !== undefined);
      if (next.length === 0) {
        const names = new Set(there.flatMap((value) => (isObject(value) ? Object.keys(value) : [])));
        const near = nearest(name, [...names]);
        return near && written + nameSegment(near) + rest(segments.slice(index + 1));
      }
      there = next;
      written += nameSegment(name);
    } else if (selector?.kind === "index" || selector?.kind === "wildcard") {
      there = there.flatMap((value) => (Array.isArray(value) ? value : []));
      written += rest([{ descendant, selectors }]);
    } else return undefined;
  }
  return undefined;
}

/** As far as it is plain: a hint need not repeat a filter. */
function rest(segments: Query["segments"]): string {
  let written = "";
  for (const { descendant, selectors } of segments) {
    const [selector] = selectors;
    if (descendant || selectors.length > 1) break;
    if (selector?.kind === "name") written += nameSegment(selector.name);
    else if (selector?.kind === "index") written += `[${selector.index}]`;
    else if (selector?.kind === "wildcard") written += "[*]";
    else break;
  }
  return written;
}

const nameSegment = (name: string) =>
  /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
