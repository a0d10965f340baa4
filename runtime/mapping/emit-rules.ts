import type { Json } from "../../connectors/sdk/index.ts";
import { type Cast, casts } from "./cast.ts";
import type { Emitter } from "./emitter.ts";
import type { FieldPath } from "./field-path.ts";
import { RuleFailures } from "./helpers.ts";
import { emitAll, emitLogical, emitSingular, isOrdinary } from "./jsonpath/emit.ts";
import { type DropRule, isScript, isScripted, type Rule, type Source, type WriteRule } from "./rule.ts";
import type { Filter, Hole, Template } from "./template.ts";

const scope = { root: "r", current: "r" };

/** V8 does not optimise a function beyond some 60 kB of bytecode. */
const rulesAFunction = 32;

/**
 * Emits a function from a record to a new one, which throws a MappingFailure; returns its name. Where rules have
 * scripts it also takes `columns` and an index `i`: `columns[n][i]` is what the n-th of them makes ahead of its cast.
 */
export function emitRules(emitter: Emitter, rules: readonly Rule[]): string {
  const apply = emitter.name("apply");
  const scripted = rules.filter(isScripted);
  const more = scripted.length === 0 ? "" : ", columns, i";
  const calls: string[] = [];
  for (let from = 0; from < rules.length; from += rulesAFunction) {
    const part = emitter.name("part");
    const body = rules
      .slice(from, from + rulesAFunction)
      .map((rule) => emitRule(emitter, rule, rules, scripted.indexOf(rule)));
    emitter.function(part, `r, out${more}`, body.join("\n"));
    calls.push(`${part}(r, out${more});`);
  }
  emitter.function(apply, `r${more}`, `const out = new RecordObject();\n${calls.join("\n")}\nreturn out;`);
  return apply;
}

/** The predicate of a rule's `when`, as a function of the record; undefined where it has none, or a script. */
export function emitTest(emitter: Emitter, { when }: Rule): string | undefined {
  if (when === undefined || isScript(when)) return undefined;
  const test = emitter.name("test");
  emitter.function(test, "r", `return ${emitLogical(emitter, when, scope)};`);
  return test;
}

/** The value of a rule's source or default, as a function of the record; undefined where it has no source. */
export function emitValue(emitter: Emitter, rule: Rule): string | undefined {
  if (rule.kind === "drop" || rule.source.kind === "none") return undefined;
  const value = emitter.name("value");
  const fallback = rule.default === undefined ? "undefined" : literal(emitter, rule.default.value);
  const source = emitSource(emitter, rule.source);
  emitter.function(value, "r", `const v = ${source};\nreturn v === undefined ? ${fallback} : v;`);
  return value;
}

function emitRule(emitter: Emitter, rule: Rule, rules: readonly Rule[], column: number): string {
  const label = emitter.name("rule");
  const body =
    rule.kind === "drop"
      ? emitDropRule(emitter, rule, label, column)
      : emitWriteRule(emitter, rule, rules, label, column);
  return `${label}: {\n${body}\n}`;
}

function emitWhen(emitter: Emitter, { when }: Rule, label: string): string {
  return when === undefined || isScript(when) ? "" : `if (!${emitLogical(emitter, when, scope)}) break ${label};\n`;
}

function emitDropRule(emitter: Emitter, rule: DropRule, label: string, column: number): string {
  const head = column < 0 ? emitWhen(emitter, rule, label) : emitColumn(column, label, "throw v;");
  return head + emitDrop(emitter, rule);
}

/** Takes what a rule with scripts has come to; what is undefined writes nothing, and a source's failure is the record's. */
function emitColumn(column: number, label: string, onError: string): string {
  return `let v = columns[${column}][i];
if (v === undefined) break ${label};
if (v instanceof MappingFailure) {
  if (v.reason === "source") throw v;
  ${onError}
}
`;
}

function emitDrop(emitter: Emitter, { path }: DropRule): string {
  return path.length === 1
    ? `delete out[${literal(emitter, path[0] as string)}];`
    : `deleteField(out, ${emitter.constant(path)});`;
}

/** Order: when, source, default, each, cast, write. */
function emitWriteRule(
  emitter: Emitter,
  rule: WriteRule,
  rules: readonly Rule[],
  label: string,
  column: number,
): string {
  const failures = emitter.constant(new RuleFailures(rule));
  const fallback = rule.default === undefined ? undefined : literal(emitter, rule.default.value);
  const blocked = `${failures}.destination(out, v)`;
  const write = (otherwise: string) => emitWrite(emitter, rule, rules, otherwise);
  const fail = (failure: string) => `throw ${failure};`;
  const onError = (failure: string): string => {
    if (rule.onError === "skip") return `break ${label};`;
    if (rule.onError === "fail") return fail(failure);
    return `v = ${fallback};\n${write(fail(blocked))}\nbreak ${label};`;
  };
  const code: string[] = [];
  if (column >= 0) {
    code.push(emitColumn(column, label, onError("v")));
  } else {
    code.push(`${emitWhen(emitter, rule, label)}let v = ${emitSource(emitter, rule.source)};`);
    if (canBeNothing(rule.source))
      code.push(`if (v === undefined) ${fallback === undefined ? `break ${label}` : `v = ${fallback}`};`);
    if (rule.each !== undefined) code.push(emitEach(emitter, rule.each, failures, onError));
  }
  if (rule.cast !== undefined) {
    const cast = emitter.constant(casts[rule.cast] satisfies Cast);
    code.push(`if (v !== null) {
  const w = ${cast}(v);
  if (w === undefined) { ${onError(`${failures}.cast(v)`)} }
  v = w;
}`);
  }
  code.push(write(onError(blocked)));
  return code.join("\n");
}

/** `on_error` covers what fails within an element, save a source; that a value is no array fails the rule. */
function emitEach(
  emitter: Emitter,
  rules: readonly Rule[],
  failures: string,
  onError: (failure: string) => string,
): string {
  const apply = emitRules(emitter, rules);
  return `if (!Array.isArray(v)) throw ${failures}.notAnArray(v);
{
  const items = new Array(v.length);
  let failure;
  for (let i = 0; i < items.length; i++) {
    try { items[i] = ${apply}(v[i]); } catch (error) { failure = ${failures}.inEach(error, i); break; }
  }
  if (failure !== undefined) {
    if (failure.reason === "source") throw failure;
    ${onError("failure")}
  }
  v = items;
}`;
}

function emitSource(emitter: Emitter, source: Source): string {
  switch (source.kind) {
    case "query":
      return source.query.singular ? emitSingular(source.query, scope) : emitAll(emitter, source.query, scope);
    case "template":
      return emitTemplate(emitter, source.template);
    case "value":
      return literal(emitter, source.value);
    case "none":
      return "undefined";
  }
}

function canBeNothing(source: Source): boolean {
  return source.kind === "query" && source.query.singular;
}

/** An expression for the text of a template; `around`: the function that the text of each hole is passed through. */
export function emitTemplate(emitter: Emitter, template: Template, around = ""): string {
  const parts = template.map((part) =>
    typeof part === "string" ? JSON.stringify(part) : `${around}(text(${emitHole(emitter, part)}))`,
  );
  return parts.length === 0 ? '""' : parts.join(" + ");
}

/** An expression for what a hole gives, or undefined. */
export function emitHole(emitter: Emitter, { query, filters }: Hole): string {
  const value = query.singular ? emitSingular(query, scope) : `some(${emitAll(emitter, query, scope)})`;
  return filters.reduce(emitFilter, value);
}

function emitFilter(value: string, filter: Filter): string {
  return filter.name === "default" ? `or(${value}, ${JSON.stringify(filter.text)})` : `${filter.name}(${value})`;
}

/** Statements that write `v`, or run `otherwise` where something stands in the way. */
function emitWrite(emitter: Emitter, rule: WriteRule, rules: readonly Rule[], otherwise: string): string {
  const { destination } = rule;
  const inside = writtenInside(rule, rules);
  if (destination === "*") {
    const members = inside.length === 0 ? "v" : `copyMembers(v, ${emitter.constant(inside)})`;
    return `if (!isObject(v)) { ${otherwise} }\nputMembers(out, ${members});`;
  }
  // Rules write copies: where a later rule changes what this one wrote, it is made a copy of here.
  const copy = inside.length === 0 ? "" : "v = deepCopy(v);\n";
  if (!destination.every((part) => typeof part === "string" && isOrdinary(part))) {
    return `${copy}if (!setField(out, ${emitter.constant(destination)}, v)) { ${otherwise} }`;
  }
  const names = destination.map((part) => JSON.stringify(part));
  const code = [copy];
  let container = "out";
  for (const name of names.slice(0, -1)) {
    const next = emitter.name("c");
    code.push(`let ${next} = ${container}[${name}];
if (${next} === undefined || ${next} === null) ${container}[${name}] = ${next} = {};
else if (!isObject(${next})) { ${otherwise} }`);
    container = next;
  }
  code.push(`${container}[${names.at(-1)}] = v;`);
  return `{ ${code.join("\n")} }`;
}

/** For `*` the members that later rules write inside of; else any name when one of them writes inside. */
function writtenInside(rule: WriteRule, rules: readonly Rule[]): string[] {
  const { destination } = rule;
  const names = new Set<string>();
  for (const later of rules.slice(rule.index + 1)) {
    const path = later.kind === "drop" ? later.path : later.destination;
    if (path === "*") continue;
    const within = destination === "*" ? path.length > 1 : isWithin(path, destination);
    if (within) names.add(String(path[0]));
  }
  return [...names];
}

function isWithin(path: FieldPath, container: FieldPath): boolean {
  return path.length > container.length && container.every((part, i) => part === path[i]);
}

function literal(emitter: Emitter, value: Json): string {
  return typeof value === "object" && value !== null ? emitter.constant(value) : JSON.stringify(value);
}
