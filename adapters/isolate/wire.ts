import type { Json } from "../../connectors/sdk/index.ts";
import type { Script, ScriptCall, ScriptResult } from "../../runtime/ports/sandbox.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { scriptText } from "../../runtime/sandbox/index.ts";
import type { RequestHead } from "./frames.ts";

/** Which arguments a script could name: what it cannot is not sent. `eval` and `\u` may spell any name. */
export function requestHead(scope: string, script: Script, count: number): RequestHead {
  const { kind, source } = script;
  const any = source.includes("eval") || source.includes("\\u");
  const names = (name: string) => any || source.includes(name);
  const head = { scope, kind, text: scriptText(script), count };
  if (kind === "function") return { ...head, record: true, meta: !takesOneArgument.test(source), value: false };
  return { ...head, record: names("record"), meta: names("meta"), value: kind === "expression" && names("value") };
}

/** An arrow function of one plain parameter; it has no `arguments` either. */
const takesOneArgument = /^\s*(?:\(\s*[\w$]+\s*\)|[\w$]+)\s*=>/;

export function callLine({ record, meta, value }: RequestHead, call: ScriptCall): string {
  const parts: Json[] = [];
  if (record) parts.push(call.record);
  if (meta) parts.push(call.meta);
  if (value && call.value !== undefined) parts.push(call.value);
  return JSON.stringify(parts);
}

/** An integer of 22 digits was a BigInt: a double of that size is written with an exponent. It keeps its digits. */
const bigInteger = /^-?\d{22,}$/;

function parseResult(text: string): Json {
  if (!/\d{22}/.test(text)) return parseJson(text);
  return JSON.parse(text, (_key, value, { source }) => {
    if (typeof value !== "number" || source === undefined) return value;
    return bigInteger.test(source) ? JSON.rawJSON(source) : parseJson(source);
  }) as Json;
}

const nothing: ScriptResult = { ok: true, value: undefined };
const yes: ScriptResult = { ok: true, value: true };
const no: ScriptResult = { ok: true, value: false };

/** Of a line as the harness and `evaluateBatch` write it. */
export function resultOf(line: string): ScriptResult {
  switch (line[0]) {
    case "u":
      return nothing;
    case "v":
      if (line === "vtrue") return yes;
      if (line === "vfalse") return no;
      return { ok: true, value: parseResult(line.slice(1)) };
    case "t":
      return { ok: false, code: "TIMEOUT", message: JSON.parse(line.slice(1)) as string };
    default:
      return { ok: false, code: "VALIDATION_ERROR", message: JSON.parse(line.slice(1)) as string };
  }
}
