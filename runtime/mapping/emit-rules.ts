import type { Json } from "../../connectors/sdk/index.ts";
import { type Cast, casts } from "./cast.ts";
import type { Emitter } from "./emitter.ts";
import type { FieldPath } from "./field-path.ts";
import { RuleFailures } from "./helpers.ts";
import { emitAll, emitLogical, emitSingular, isOrdinary } from "./jsonpath/emit.ts";
import type { DropRule, Rule, Source, WriteRule } from "./rule.ts";
import type { Filter, Hole, Template } from "./template.ts";

const scope = { root: "r", current: "r" };

/** V8 does not optimise a function beyond some 60 kB of bytecode. */
const rulesAFunction = 32;

/** Emits a function from a record to a new one, which throws a MappingFailure; returns its name. */
export function emitRules(emitter: Emitter, rules: readonly Rule[]): string {
  const apply = emitter.name("apply");
  const calls: string[] = [];
  for (let from = 0; from < rules.length; from += rulesAFunction) {
    const part = emitter.name("part");
    const body = rules.slice(from, from + rulesAFunction).map((rule) => emitRule(emitter, rule, rules));
    emitter.function(part, "r, out", body.join("\n"));
    calls.push(`${part}(r, out);`);
  }
  emitter.function(apply, "r", `const out = new RecordObject();\n${calls.join("\n")}\nreturn out;`);
  return apply;
}

function emitRule(emitter: Emitter, rule: Rule, rules: readonly Rule[]): string {
  const label = emitter.name("rule");
  const when = rule.when === undefined ? "" : `if (!${emitLogical(emitter, rule.when, scope)}) break ${label};\n`;
  return `${label}: {\n${when}${rule.kind === "drop" ? emitDrop(emitter, rule) : emitWriteRule(emitter, rule, rules, label)}\n}`;
}

function emitDrop(emitter: Emitter, { path }: DropRule): string {
  return path.length === 1
    ? `delete out[${literal(emitter, path[0] as string)}];`
    : `deleteField(out, ${emitter.constant(path)});`;
}

/** Order: source, default, each, cast, write. */
function emitWriteRule(emitter: Emitter, rule: WriteRule, rules: readonly Rule[], label: string): string {
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
  const code = [`let v = ${emitSource(emitter, rule.source)};`];
  if (canBeNothing(rule.source))
    code.push(`if (v === undefined) ${fallback === undefined ? `break ${label}` : `v = ${fallback}`};`);
  if (rule.each !== undefined) code.push(emitEach(emitter, rule.each, failures, onError));
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
  }
}

function canBeNothing(source: Source): boolean {
  return source.kind === "query" && source.query.singular;
}

function emitTemplate(emitter: Emitter, template: Template): string {
  const parts = template.map((part) =>
    typeof part === "string" ? JSON.stringify(part) : `text(${emitHole(emitter, part)})`,
  );
  return parts.length === 0 ? '""' : parts.join(" + ");
}

function emitHole(emitter: Emitter, { query, filters }: Hole): string {
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
