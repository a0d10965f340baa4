import { compile, type JSONPathQuery } from "json-p3";
import type { Json, JsonObject } from "../../../connectors/sdk/index.ts";

/** A rule as a user writes it. */
export interface SpecRule {
  readonly source?: string;
  readonly template?: string;
  readonly value?: Json;
  readonly destination?: string;
  readonly drop?: string;
  readonly cast?: "string" | "number" | "integer" | "boolean";
  readonly default?: Json;
  readonly when?: string | { readonly js: ScriptName };
  readonly transform?: ScriptName;
  readonly on_error?: "fail" | "default" | "skip";
  readonly each?: readonly SpecRule[];
}

/** What scripts of a fuzz test do: names that are JavaScript, evaluated without a sandbox. Undefined for one that fails. */
export const scripts = {
  value: ({ value }) => ({ gives: value }),
  record: ({ record }) => ({ gives: record }),
  undefined: () => ({ gives: undefined }),
  "[value, record]": ({ value, record }) => ({ gives: [value ?? null, record] }),
  "record.a": ({ record }) =>
    record === null ? undefined : { gives: typeOf(record) === "object" ? read(record, "a") : undefined },
  "no.thing": () => undefined,
} satisfies {
  readonly [source: string]: (call: {
    readonly value?: Json | undefined;
    readonly record: Json;
  }) => { readonly gives: Json | undefined } | undefined;
};
export type ScriptName = keyof typeof scripts;

/**
 * The language as its specification reads, slowly and from the text anew for each record: what compiled mappings are
 * compared with. JSONPath is json-p3's, so that the two share no code. A failure is thrown as its reason.
 */
export function applyReference(rules: readonly SpecRule[], record: Json): JsonObject {
  const out: JsonObject = {};
  for (const rule of rules) applyRule(rule, record, out);
  return out;
}

export class ReferenceFailure {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

function applyRule(rule: SpecRule, record: Json, out: JsonObject): void {
  if (rule.drop !== undefined) {
    if (holds(rule.when, record)) drop(out, parse(rule.drop));
    return;
  }
  try {
    if (!holds(rule.when, record)) return;
    const alone = rule.source === undefined && rule.template === undefined && rule.value === undefined;
    let value = alone ? undefined : sourceOf(rule, record);
    if (!alone) {
      if (value === undefined) value = rule.default;
      if (value === undefined) return;
    }
    if (rule.each !== undefined) {
      if (!Array.isArray(value)) throw new ReferenceFailure("source");
      value = value.map((element) => applyReference(rule.each ?? [], element));
    }
    if (rule.transform !== undefined) {
      value = evaluate(rule.transform, value, record, "transform");
      if (value === undefined) return;
    }
    if (rule.cast !== undefined && value !== null) value = cast(rule.cast, value as Json);
    write(out, rule.destination as string, clone(value as Json));
  } catch (error) {
    if (!(error instanceof ReferenceFailure) || error.reason === "source") throw error;
    if (rule.on_error === "default") write(out, rule.destination as string, clone(rule.default as Json));
    else if (rule.on_error !== "skip") throw error;
  }
}

function evaluate(script: ScriptName, value: Json | undefined, record: Json, reason: string): Json | undefined {
  const result = scripts[script]({ value, record });
  if (result === undefined) throw new ReferenceFailure(reason);
  return result.gives;
}

/** Asked of the record as the only element of an array, the way a filter selector asks. */
function holds(predicate: SpecRule["when"], record: Json): boolean {
  if (predicate === undefined) return true;
  if (typeof predicate !== "string") return Boolean(evaluate(predicate.js, undefined, record, "predicate"));
  return path(`$[?${predicate.replaceAll("$", "@")}]`).query([record]).nodes.length > 0;
}

function sourceOf(rule: SpecRule, record: Json): Json | undefined {
  if (rule.value !== undefined) return rule.value;
  if (rule.template !== undefined) return render(rule.template, record);
  return find(rule.source as string, record);
}

function find(text: string, record: Json): Json | undefined {
  const query = path(text);
  const values = query.query(record as never).values() as Json[];
  return query.singularQuery() ? values[0] : values;
}

const paths = new Map<string, JSONPathQuery>();

function path(text: string): JSONPathQuery {
  const known = paths.get(text) ?? compile(text);
  paths.set(text, known);
  return known;
}

function render(template: string, record: Json): string {
  return template.replace(/\{\{ (\S+)((?: \| \S+)*) \}\}/g, (_all, source: string, filters: string) => {
    let value = find(source, record);
    if (Array.isArray(value) && value.length === 0 && !path(source).singularQuery()) value = undefined;
    for (const filter of filters.split(" | ").slice(1)) {
      const fallback = /^default\('(.*)'\)$/.exec(filter);
      if (fallback !== null) value = value === undefined ? (fallback[1] as string) : value;
      else if (value !== undefined && filter === "json") value = JSON.stringify(value);
      else if (value !== undefined && filter === "upper") value = text(value).toUpperCase();
      else if (value !== undefined && filter === "lower") value = text(value).toLowerCase();
      else if (value !== undefined) value = text(value).trim();
    }
    return value === undefined ? "" : text(value);
  });
}

function text(value: Json): string {
  return value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
}

function cast(name: NonNullable<SpecRule["cast"]>, value: Json): Json {
  if (name === "string") return text(value);
  if (name === "boolean") {
    const word = typeof value === "object" ? "" : String(value).toLowerCase();
    if (["true", "yes", "1"].includes(word)) return true;
    if (["false", "no", "0"].includes(word)) return false;
    throw new ReferenceFailure("cast");
  }
  const numeral = typeof value === "string" && /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(value.trim());
  if (typeof value !== "number" && !numeral) throw new ReferenceFailure("cast");
  const number = Number(value);
  if (name === "integer" && !Number.isInteger(number)) throw new ReferenceFailure("cast");
  return number;
}

type Part = string | number;

function parse(path: string): Part[] {
  return [...path.matchAll(/\[(\d+)\]|\["([^"]+)"\]|([^.[\]]+)/g)].map(([, index, quoted, name]) =>
    index === undefined ? ((quoted ?? name) as string) : Number(index),
  );
}

function write(out: JsonObject, destination: string, value: Json): void {
  if (destination !== "*") {
    put(out, parse(destination), value);
    return;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new ReferenceFailure("destination");
  for (const [name, member] of Object.entries(value)) put(out, [name], member);
}

function put(container: Json, [part, ...rest]: Part[], value: Json): void {
  const fits = typeof part === "number" ? Array.isArray(container) : typeOf(container) === "object";
  if (!fits) throw new ReferenceFailure("destination");
  const there = read(container, part as Part);
  if (rest.length === 0) {
    assign(container, part as Part, value);
  } else {
    const next = there ?? (typeof rest[0] === "number" ? [] : {});
    put(next, rest, value);
    assign(container, part as Part, next);
  }
}

function assign(container: Json, part: Part, value: Json): void {
  if (Array.isArray(container)) {
    for (let i = container.length; i < (part as number); i++) container[i] = null;
  }
  Object.defineProperty(container, part, { value, writable: true, enumerable: true, configurable: true });
}

function drop(out: JsonObject, parts: Part[]): void {
  const last = parts.at(-1) as Part;
  let container: Json | undefined = out;
  for (const part of parts.slice(0, -1)) container = read(container, part);
  if (read(container, last) === undefined) return;
  if (Array.isArray(container)) container.splice(last as number, 1);
  else delete (container as JsonObject)[last as string];
}

function read(container: Json | undefined, part: Part): Json | undefined {
  const fits = typeof part === "number" ? Array.isArray(container) : typeOf(container) === "object";
  if (!fits || !Object.hasOwn(container as object, part)) return undefined;
  return (container as { [part: Part]: Json })[part];
}

function typeOf(value: Json | undefined): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function clone(value: Json): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
