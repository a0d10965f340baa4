import type { Emitter } from "../emitter.ts";
import type { Comparable, Logical, Query, Segment, Selector } from "./ast.ts";
import { compileIRegexp } from "./iregexp/index.ts";

// A query becomes JavaScript: a singular one an expression of property accesses, any other a function for each
// segment, which hands every node it selects to the next. Depth first gives the order of nodes that RFC 9535 asks for.

/** What `$` and `@` are called in the code. */
export interface Scope {
  readonly root: string;
  readonly current: string;
}

/** An expression for the value of a singular query, or undefined. */
export function emitSingular(query: Query, scope: Scope): string {
  return query.segments.reduce(
    (value, { selectors: [selector] }) => access(value, selector as Selector),
    start(query, scope),
  );
}

/** An expression for the values of a query's nodes, as a new array. */
export function emitAll(emitter: Emitter, query: Query, scope: Scope): string {
  const collect = emitter.name("all");
  emitter.function(collect, "v, root", `const out = [];\n${emitSegments(emitter, query.segments)("v")}\nreturn out;`);
  return `${collect}(${start(query, scope)}, ${scope.root})`;
}

/** An expression that is true or false. */
export function emitLogical(emitter: Emitter, logical: Logical, scope: Scope): string {
  switch (logical.kind) {
    case "or":
    case "and":
      return `(${logical.terms.map((term) => emitLogical(emitter, term, scope)).join(logical.kind === "or" ? " || " : " && ")})`;
    case "not":
      return `!${emitLogical(emitter, logical.term, scope)}`;
    case "exists":
      if (logical.query.singular) return `(${emitSingular(logical.query, scope)} !== undefined)`;
      return `(${emitAll(emitter, logical.query, scope)}.length > 0)`;
    case "pattern": {
      const value = emitComparable(emitter, logical.value, scope);
      if (logical.pattern.kind === "literal" && typeof logical.pattern.value === "string") {
        const matcher = compileIRegexp(logical.pattern.value, logical.whole);
        return matcher === undefined ? "false" : `fits(${value}, ${emitter.constant(matcher)})`;
      }
      return `matches(${value}, ${emitComparable(emitter, logical.pattern, scope)}, ${logical.whole})`;
    }
    case "compare":
      return emitComparison(emitter, logical, scope);
  }
}

function emitComparison(emitter: Emitter, compare: Logical & { kind: "compare" }, scope: Scope): string {
  const a = emitComparable(emitter, compare.left, scope);
  const b = emitComparable(emitter, compare.right, scope);
  switch (compare.operator) {
    case "==":
      return isPlain(compare.left) || isPlain(compare.right) ? `(${a} === ${b})` : `equal(${a}, ${b})`;
    case "!=":
      return isPlain(compare.left) || isPlain(compare.right) ? `(${a} !== ${b})` : `!equal(${a}, ${b})`;
    case "<":
      return `less(${a}, ${b})`;
    case ">":
      return `less(${b}, ${a})`;
    case "<=":
      return `lessOrEqual(${a}, ${b})`;
    case ">=":
      return `lessOrEqual(${b}, ${a})`;
  }
}

/** A literal that equals nothing but itself. Not so a number, which a record may hold as its literal. */
function isPlain(comparable: Comparable): boolean {
  if (comparable.kind !== "literal") return false;
  return comparable.value === null || typeof comparable.value === "string" || typeof comparable.value === "boolean";
}

function emitComparable(emitter: Emitter, comparable: Comparable, scope: Scope): string {
  switch (comparable.kind) {
    case "literal":
      return typeof comparable.value === "object" && comparable.value !== null
        ? emitter.constant(comparable.value)
        : JSON.stringify(comparable.value);
    case "query":
      return emitSingular(comparable.query, scope);
    case "length":
      return `length(${emitComparable(emitter, comparable.of, scope)})`;
    case "count":
      return `${emitAll(emitter, comparable.query, scope)}.length`;
    case "value":
      return `only(${emitAll(emitter, comparable.query, scope)})`;
  }
}

function start(query: Query, scope: Scope): string {
  return query.root === "$" ? scope.root : scope.current;
}

/** Names that some JSON value has without having it as a member, such as "length" and "constructor". */
const inherited = new Set(
  [Object, Array, String, Number, Boolean].flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype)),
);

/** Whether `value?.name` is a member or undefined, for any JSON value. */
export function isOrdinary(name: string): boolean {
  // A string has its characters by index, and a number that was kept as its literal has `rawJSON`.
  return !inherited.has(name) && name !== "rawJSON" && !/^\d+$/.test(name);
}

function access(value: string, selector: Selector): string {
  if (selector.kind === "index") return `element(${value}, ${selector.index})`;
  const { name } = selector as Selector & { kind: "name" };
  return isOrdinary(name) ? `${value}?.[${JSON.stringify(name)}]` : `member(${value}, ${JSON.stringify(name)})`;
}

/** Statements that push every node selected below a value on `out`. */
type Visit = (value: string) => string;

function emitSegments(emitter: Emitter, segments: readonly Segment[]): Visit {
  let next: Visit = (value) => `out.push(${value});`;
  for (const segment of segments.toReversed()) {
    const visit = emitter.name("visit");
    const after = next;
    const select = segment.selectors.map((selector) => emitSelector(emitter, selector, after)).join("\n");
    emitter.function(visit, "v, root, out", segment.descendant ? descend(select) : select);
    next = (value) => `${visit}(${value}, root, out);`;
  }
  return next;
}

/** In document order, without recursion: a record may be nested deeper than the stack. */
function descend(select: string): string {
  return `const stack = [v];
while (stack.length > 0) {
  const v = stack.pop();
  ${select}
  const below = children(v);
  for (let i = below.length - 1; i >= 0; i--) if (typeof below[i] === "object") stack.push(below[i]);
}`;
}

function emitSelector(emitter: Emitter, selector: Selector, next: Visit): string {
  switch (selector.kind) {
    case "name":
    case "index":
      return `{ const n = ${access("v", selector)}; if (n !== undefined) { ${next("n")} } }`;
    case "wildcard":
      return `for (const n of children(v)) { ${next("n")} }`;
    case "slice":
      return `for (const n of slice(v, ${selector.start}, ${selector.end}, ${selector.step})) { ${next("n")} }`;
    case "filter": {
      const where = emitLogical(emitter, selector.where, { root: "root", current: "n" });
      return `for (const n of children(v)) { if (${where}) { ${next("n")} } }`;
    }
  }
}
