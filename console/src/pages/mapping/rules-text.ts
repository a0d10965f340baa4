import { jsonLanguage } from "@codemirror/lang-json";
import { isExact, parseExact } from "../../lib/exact-json.ts";
import { placeOf, type Place as Range } from "../integration/config-text.ts";

/*
 * Rules as the text that people edit, and places in that text.
 */

const width = 76;

/** A rule a line where it is short. */
export function rulesText(rules: unknown): string {
  if (!Array.isArray(rules)) return JSON.stringify(rules, null, 2) ?? "";
  if (rules.length === 0) return "[]";
  const lines = rules.map((rule) => {
    const short = inline(rule);
    return `  ${short.length <= width ? short : JSON.stringify(rule, null, 2).replaceAll("\n", "\n  ")}`;
  });
  return `[\n${lines.join(",\n")}\n]`;
}

function inline(value: unknown): string {
  if (typeof value !== "object" || value === null || isExact(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${inline(member)}`);
  return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}

/** The text of rules that were read from a file: a list, or an integration's `mapping_spec`. */
export function rulesInFile(value: object): string | null {
  const rules = Array.isArray(value) ? value : (value as { mapping_spec?: unknown }).mapping_spec;
  return Array.isArray(rules) ? rulesText(rules) : null;
}

/** The rules that a text is, or the sentence why it is none. */
export function parseRules(text: string): { readonly rules: readonly unknown[] } | { readonly error: string } {
  try {
    const rules = parseExact(text);
    return Array.isArray(rules) ? { rules } : { error: "A mapping is a list of rules: [ … ]." };
  } catch (error) {
    return { error: `This is no JSON yet: ${(error as Error).message}` };
  }
}

/** What is wrong with rules. */
export interface RuleError {
  /** From 0; null: of no rule. */
  readonly rule: number | null;
  /** Below the rule, such as `source`; empty: the rule as a whole. */
  readonly field: string;
  readonly message: string;
}

/** Of an error by the path of the integration, such as `mapping_spec[1].cast`; null: it is of something else. */
export function ruleError(place: string, { path, message }: { path: string; message: string }): RuleError | null {
  if (!path.startsWith(place)) return null;
  const [, rule, field = ""] = /^\[(\d+)\]\.?(.*)$/s.exec(path.slice(place.length)) ?? [];
  return { rule: rule === undefined ? null : Number(rule), field, message };
}

/** Where an error stands in the text: at its field, else at the line on which its rule begins. */
export function rangeOf(text: string, { rule, field }: RuleError): Range {
  if (rule === null) return { from: 0, to: Math.min(1, text.length) };
  const found = placeOf(text, field === "" ? `[${rule}]` : `[${rule}].${field}`);
  if (found.to - found.from > 1) return found;
  const whole = ruleRanges(text)[rule];
  if (whole === undefined) return found;
  const end = text.indexOf("\n", whole.from);
  return { from: whole.from, to: end < 0 ? whole.to : Math.min(end, whole.to) };
}

function ruleRanges(text: string): Range[] {
  const list = jsonLanguage.parser.parse(text).topNode.firstChild;
  const ranges: Range[] = [];
  for (let item = list?.firstChild ?? null; item !== null; item = item.nextSibling) {
    if (/^[A-Z]/.test(item.name)) ranges.push({ from: item.from, to: item.to });
  }
  return ranges;
}
