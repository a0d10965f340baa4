import type { Json } from "../../connectors/sdk/index.ts";
import { formatPath } from "../errors/index.ts";
import type { Script, ScriptResult } from "../ports/sandbox.ts";
import { describeType } from "../record/json.ts";
import { MappingFailure } from "./failure.ts";
import type { Rule, WriteRule } from "./rule.ts";

/** What the sandbox gives for a script that failed. */
export type FailedScript = Extract<ScriptResult, { ok: false }>;

export function whenFailure(rule: Rule, script: Script, record: Json, failed: FailedScript): MappingFailure {
  const where = rule.kind === "drop" ? `the drop of ${formatPath(rule.path)}` : `${rule.from} to ${rule.to}`;
  const message = `when failed on ${describeType(record)}, for ${where}: ${problemOf(script, failed)}`;
  return new MappingFailure(rule.index, "predicate", message, failed.code);
}

export function transformFailure(
  { index, from, to }: WriteRule,
  script: Script,
  value: Json | undefined,
  failed: FailedScript,
): MappingFailure {
  const what = value === undefined ? "no value" : `${describeType(value)} from ${from}`;
  const message = `transform failed on ${what}, for ${to}: ${problemOf(script, failed)}`;
  return new MappingFailure(index, "transform", message, failed.code);
}

/** Of a predicate that stands alone. */
export function predicateFailure(script: Script, record: Json, failed: FailedScript): MappingFailure {
  const message = `the predicate failed on ${describeType(record)}: ${problemOf(script, failed)}`;
  return new MappingFailure(null, "predicate", message, failed.code);
}

/** What the sandbox itself has against a result. */
const refusals = [
  /^(?:NaN|-?Infinity|a function|a symbol|an invalid date|a date outside of the years 0000 to 9999) is no JSON$/,
  /^a value of type (?:Map|Set|WeakMap|WeakSet|RegExp|Error|ArrayBuffer|DataView|\w{3,9}Array) is no JSON$/,
  /^a promise is no (?:JSON|answer); scripts are synchronous$/,
  /^the result (?:refers to itself|is nested deeper than 1000 levels|is larger than \d+ characters)$/,
];

/** What V8 says of a mistake in a script, with the one name in it. */
const mistakes = [
  /^ReferenceError: (.+) is not defined$/,
  /^TypeError: (.+) is not (?:a function|a constructor|iterable)$/,
  /^TypeError: Cannot (?:read|set) properties of (?:undefined|null) \((?:reading|setting) '(.+)'\)$/,
];

const errorName = /^(?:Eval|Range|Reference|Syntax|Type|URI)?Error(?=: )/;

/** Why a script failed, with no text that the record may have put there: what is thrown often quotes its value. */
function problemOf({ source }: Script, { code, message }: FailedScript): string {
  if (code === "TIMEOUT" || refusals.some((refusal) => refusal.test(message))) return message;
  for (const mistake of mistakes) {
    const name = mistake.exec(message)?.[1];
    if (name !== undefined && source.includes(name)) return message;
  }
  const name = errorName.exec(message)?.[0];
  return name === undefined ? "the script threw" : `the script threw ${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`;
}
