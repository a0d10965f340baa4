import type { Json } from "../../connectors/sdk/index.ts";
import { unknownName } from "../errors/index.ts";
import type { Script } from "../ports/sandbox.ts";
import { describeType, isObject } from "../record/json.ts";
import type { Comparable, Logical, Query } from "./jsonpath/ast.ts";
import { checkIRegexp } from "./jsonpath/iregexp/index.ts";
import { parseLogical } from "./jsonpath/parse.ts";

/** Throws an Error that says what is wrong with it. A script is given as it is, see `checkScript`. */
export function parsePredicate(source: unknown): Logical | Script {
  if (typeof source === "string") return parseLogical(source);
  if (isObject(source as Json) && Object.hasOwn(source as object, "js")) {
    const { js, ...others } = source as { readonly js: unknown };
    for (const name of Object.keys(others)) throw new Error(unknownName("field", name, ["js"]));
    if (typeof js !== "string")
      throw new Error(`js is a text with a JavaScript expression, found ${describeType(js as Json)}`);
    return { kind: "predicate", source: js };
  }
  const found = source === undefined ? "nothing" : describeType(source as Json);
  throw new Error(`a predicate is a text such as "$.status == 'active'" or {"js": …}, found ${found}`);
}

/** What is allowed but hardly meant. */
export function lintPredicate(logical: Logical): string[] {
  switch (logical.kind) {
    case "or":
    case "and":
      return logical.terms.flatMap(lintPredicate);
    case "not":
      return lintPredicate(logical.term);
    case "exists": {
      return [...lintExists(logical.query), ...lintQuery(logical.query)];
    }
    case "pattern":
      return [...lintPattern(logical.pattern), ...lintComparable(logical.value)];
    case "compare":
      return [...lintComparable(logical.left), ...lintComparable(logical.right)];
  }
}

/** A filter at the end, as in `$.tags[?@ == 'vip']`, is how to ask whether there is such an element. */
function lintExists({ text, singular, segments }: Query): string[] {
  if (singular) return [`${text} asks whether it exists, not whether it is true; for that write ${text} == true`];
  if (segments.at(-1)?.selectors.some(({ kind }) => kind === "filter")) return [];
  return [`${text} asks whether there is any, not what they are; to say so write count(${text}) > 0`];
}

function lintPattern(pattern: Comparable): string[] {
  if (pattern.kind !== "literal") return lintComparable(pattern);
  const problem = typeof pattern.value === "string" ? checkIRegexp(pattern.value) : "is no I-Regexp (RFC 9485)";
  return problem === undefined ? [] : [`${JSON.stringify(pattern.value)} ${problem} and matches nothing`];
}

function lintComparable(comparable: Comparable): string[] {
  if (comparable.kind === "literal") return [];
  return comparable.kind === "length" ? lintComparable(comparable.of) : lintQuery(comparable.query);
}

/** Within a filter a bare `@.a` is common and meant; its patterns count. */
export function lintQuery(query: Query): string[] {
  return query.segments.flatMap(({ selectors }) =>
    selectors.flatMap((selector) =>
      selector.kind === "filter" ? lintPredicate(selector.where).filter((message) => message.includes("I-Regexp")) : [],
    ),
  );
}
