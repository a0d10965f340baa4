import type { Json } from "../../connectors/sdk/index.ts";
import { type FieldError, formatPath, messageOf, nearest, unknownName } from "../errors/index.ts";
import type { Script } from "../ports/sandbox.ts";
import { describeType, isObject } from "../record/json.ts";
import { isNumber } from "../record/number.ts";
import { checkScript } from "../sandbox/index.ts";
import { castNames } from "./cast.ts";
import { type FieldPath, parseFieldPath } from "./field-path.ts";
import { parseQuery } from "./jsonpath/parse.ts";
import { lintPredicate, lintQuery, parsePredicate } from "./parse-predicate.ts";
import { type Given, isScript, onErrors, type Rule, type Source, type WriteRule } from "./rule.ts";
import { parseTemplate } from "./template.ts";

const fields = [
  "source",
  "destination",
  "template",
  "value",
  "transform",
  "cast",
  "default",
  "when",
  "on_error",
  "drop",
  "each",
] as const;
const origins = ["source", "template", "value"] as const;
const dropFields: readonly string[] = ["drop", "when"];

/** What was found wrong, by paths relative to the list of rules. */
export interface Findings {
  readonly errors: FieldError[];
  readonly warnings: FieldError[];
}

/** The rules that are in order; for the others errors are added. */
export function parseRules(rules: unknown, findings: Findings, at: Path = []): Rule[] {
  if (!Array.isArray(rules)) {
    findings.errors.push({ path: formatPath(at), message: `expected a list of rules, found ${typeName(rules)}` });
    return [];
  }
  return rules.flatMap((rule, index) => new RuleParser(rule, index, [...at, index], findings).parse() ?? []);
}

type Path = readonly (string | number)[];
type Fields = { readonly [name: string]: unknown };

class RuleParser {
  private readonly rule: Fields;
  private readonly given: boolean;
  private readonly index: number;
  private readonly at: Path;
  private readonly findings: Findings;

  constructor(rule: unknown, index: number, at: Path, findings: Findings) {
    this.given = isObject(rule as Json);
    this.rule = this.given ? (rule as Fields) : {};
    this.index = index;
    this.at = at;
    this.findings = findings;
    if (!this.given) this.error([], `a rule is an object, found ${typeName(rule)}`);
  }

  parse(): Rule | undefined {
    if (!this.given) return undefined;
    const before = this.findings.errors.length;
    for (const name of Object.keys(this.rule)) {
      if (!(fields as readonly string[]).includes(name)) this.error([name], unknownName("field", name, fields));
    }
    const rule = this.has("drop") ? this.drop() : this.write();
    return this.findings.errors.length === before ? rule : undefined;
  }

  private drop(): Rule | undefined {
    for (const name of Object.keys(this.rule)) {
      if (!dropFields.includes(name)) this.error([name], `a drop is a rule of its own; only "when" stands beside it`);
    }
    const path = this.fieldPath("drop");
    const when = this.when();
    return path && { kind: "drop", index: this.index, when, path };
  }

  private write(): Rule | undefined {
    const { rule } = this;
    const source = this.source();
    const destination = this.destination();
    const fallback: Given | undefined = this.json("default");
    const cast = this.word("cast", castNames);
    const onError = this.word("on_error", onErrors) ?? "fail";
    if (onError === "default" && !this.has("default")) this.error(["on_error"], 'on_error "default" needs a default');
    const when = this.when();
    const each = this.each();
    const transform = this.transform();
    if (source === undefined || destination === undefined) return undefined;
    const from = this.from(source);
    const to = String(rule.destination);
    const { index } = this;
    return {
      kind: "write",
      index,
      when,
      source,
      from,
      default: fallback,
      each,
      transform,
      cast,
      onError,
      destination,
      to,
    };
  }

  private source(): Source | undefined {
    const given = origins.filter((name) => this.has(name));
    if (given.length > 1) this.error([given[1] as string], `a rule has one of ${list(origins)}, not ${list(given)}`);
    if (given.length === 0) {
      if (this.has("transform")) return { kind: "none" };
      this.error([], `a rule needs one of ${list([...origins, "transform", "drop"])}`);
    }
    if (this.has("source")) {
      const query = this.text("source", parseQuery);
      if (query !== undefined) this.warn("source", lintQuery(query));
      return query && { kind: "query", query };
    }
    if (this.has("template")) {
      const template = this.text("template", parseTemplate);
      for (const part of template ?? []) if (typeof part !== "string") this.warn("template", lintQuery(part.query));
      return template && { kind: "template", template };
    }
    const value = this.json("value");
    return value && { kind: "value", value: value.value };
  }

  /** The source as a message names it. */
  private from(source: Source): string {
    if (source.kind === "query") return source.query.text;
    if (source.kind === "template") return String(this.rule.template);
    return source.kind === "value" ? "value" : "transform";
  }

  private destination(): WriteRule["destination"] | undefined {
    if (!this.has("destination")) {
      this.error([], 'a rule needs a "destination"');
      return undefined;
    }
    return this.rule.destination === "*" ? "*" : this.fieldPath("destination");
  }

  private fieldPath(name: string): FieldPath | undefined {
    const path = this.text(name, parseFieldPath);
    if (typeof path?.[0] !== "number") return path;
    this.error([name], "a record is an object: a path in it begins with a name");
    return undefined;
  }

  private each(): readonly Rule[] | undefined {
    if (!this.has("each")) return undefined;
    if (!this.has("source")) this.error(["each"], 'each stands beside a "source"');
    return parseRules(this.rule.each, this.findings, [...this.at, "each"]);
  }

  private when() {
    if (!this.has("when")) return undefined;
    try {
      const when = parsePredicate(this.rule.when);
      if (isScript(when)) return this.script(["when", "js"], when);
      this.warn("when", lintPredicate(when));
      return when;
    } catch (error) {
      this.error(["when"], messageOf(error));
      return undefined;
    }
  }

  private transform(): Script | undefined {
    const source = this.has("transform") ? this.text("transform", String) : undefined;
    return source === undefined ? undefined : this.script(["transform"], { kind: "expression", source });
  }

  private script(below: Path, script: Script): Script | undefined {
    const problem = checkScript(script);
    if (problem !== undefined) this.error(below, problem);
    return problem === undefined ? script : undefined;
  }

  private json(name: "default" | "value"): Given | undefined {
    if (!this.has(name)) return undefined;
    const value = this.rule[name];
    if (isJson(value)) return { value };
    this.error([name], "expected a JSON value");
    return undefined;
  }

  private text<T>(name: string, parse: (text: string) => T): T | undefined {
    const text = this.rule[name];
    if (typeof text !== "string") {
      this.error([name], `expected a text, found ${typeName(text)}`);
      return undefined;
    }
    try {
      return parse(text);
    } catch (error) {
      this.error([name], messageOf(error));
      return undefined;
    }
  }

  private word<T extends string>(name: string, words: readonly T[]): T | undefined {
    if (!this.has(name)) return undefined;
    const given = this.rule[name];
    const found = words.find((word) => word === given);
    if (found !== undefined) return found;
    const near = typeof given === "string" ? nearest(given, words) : undefined;
    const shown = typeof given === "string" ? JSON.stringify(given) : typeName(given);
    const hint = near === undefined ? `known are ${words.join(", ")}` : `did you mean ${JSON.stringify(near)}?`;
    this.error([name], `unknown ${name} ${shown}; ${hint}`);
    return undefined;
  }

  private has(name: string): boolean {
    return Object.hasOwn(this.rule, name);
  }

  private error(below: Path, message: string): void {
    this.findings.errors.push({ path: this.path(below), message });
  }

  private warn(name: string, messages: readonly string[]): void {
    for (const message of messages) this.findings.warnings.push({ path: this.path([name]), message });
  }

  private path(below: Path): string {
    return formatPath([...this.at, ...below]);
  }
}

function list(names: readonly string[]): string {
  return names.join(", ");
}

function typeName(value: unknown): string {
  return value === undefined ? "nothing" : describeType(value as Json);
}

function isJson(value: unknown): value is Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (isNumber(value)) return true;
  if (Array.isArray(value)) return value.every(isJson);
  return isObject(value as Json) && Object.values(value as object).every(isJson);
}
