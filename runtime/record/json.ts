import { randomBytes } from "node:crypto";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { isExact, isNumberText, isRawNumber, numberText } from "./number.ts";

export type JsonType = "null" | "boolean" | "number" | "string" | "array" | "object";

/**
 * What a number that a double might not hold has in it: 16 characters, or an exponent of three digits (fewer keep any
 * 15 digits in range). Written out and not counted, so that the engine skips through a text by several characters at
 * once: 0.09 µs for a record of 230 bytes, where `[\d.]{16}` takes 0.4.
 */
const coarse = new RegExp(`${"[\\d.]".repeat(16)}|\\d[eE][-+]?\\d\\d\\d`);
/** The same where a number can stand. A text inside a string may still look alike; it costs time and nothing else. */
const fine = /(?:[[:,]|^)\s*-?(?:[\d.]{16}|[\d.]+[eE][-+]?\d{3})/;

/** Parses JSON and keeps every digit of every number. Throws a SyntaxError. `__proto__` is a key as any other. */
export function parseJson(text: string): Json {
  return mayHoldLongNumber(text) && fine.test(text) ? parseExactly(text) : (JSON.parse(text) as Json);
}

/** False: `JSON.parse` loses nothing of this text. */
export function mayHoldLongNumber(text: string): boolean {
  return coarse.test(text);
}

/** All that may be such a number, and what begins a string. */
const longOrQuote = /"|-?(?:[\d.]{16}|[\d.]+[eE][-+]?\d{3})[\d.eE+-]*/g;
const colon = /\s*:/y;
/** Begins a text that stands for a number; nobody else's text can. */
const mark = randomBytes(6).toString("base64");

/**
 * Parses each such number as a text, and puts it right afterwards. A reviver would be called for every value, and takes
 * ten times as long as all of this.
 */
function parseExactly(text: string): Json {
  const marked = withMarks(text);
  if (marked === text) return JSON.parse(text) as Json;
  try {
    return withNumbers(JSON.parse(marked) as Json);
  } catch {
    // Says what is wrong with the text as it came.
    return JSON.parse(text) as Json;
  }
}

/** A text may stand wherever a number may, and only before a colon where a number may not. */
function withMarks(text: string): string {
  let marked = "";
  let end = 0;
  longOrQuote.lastIndex = 0;
  for (let found = longOrQuote.exec(text); found !== null; found = longOrQuote.exec(text)) {
    const [part] = found;
    if (part === '"') {
      const close = endOfString(text, found.index);
      if (close === -1) break;
      longOrQuote.lastIndex = close + 1;
    } else if (isNumberText(part) && !isExact(part, Number(part))) {
      colon.lastIndex = longOrQuote.lastIndex;
      if (colon.test(text)) break;
      marked += `${text.slice(end, found.index)}"${mark}${part}"`;
      end = longOrQuote.lastIndex;
    }
  }
  return marked + text.slice(end);
}

/** Without recursion: nothing is known of the depth yet. */
function withNumbers(root: Json): Json {
  const top = [root];
  const open: (Json[] | JsonObject)[] = [top];
  const put = (value: Json): Json => {
    if (typeof value === "string" && value.startsWith(mark))
      return JSON.rawJSON(value.slice(mark.length)) as unknown as Json;
    if (typeof value === "object" && value !== null) open.push(value);
    return value;
  };
  for (let container = open.pop(); container !== undefined; container = open.pop()) {
    if (Array.isArray(container)) {
      for (let index = 0; index < container.length; index++) container[index] = put(container[index] as Json);
    } else for (const name of Object.keys(container)) container[name] = put(container[name] as Json);
  }
  return top[0] as Json;
}

/** Where the string that begins at `from` is closed; -1: nowhere. */
export function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let before = at;
    while (text.charCodeAt(before - 1) === backslash) before--;
    if ((at - before) % 2 === 0) return at;
  }
  return -1;
}

const backslash = 0x5c;

export function jsonType(value: Json): JsonType {
  if (value === null) return "null";
  if (typeof value === "object") return Array.isArray(value) ? "array" : isRawNumber(value) ? "number" : "object";
  return typeof value as "boolean" | "number" | "string";
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/** Text of a value as in templates: null is empty, a string itself, all else its compact JSON. */
export function textOf(value: Json): string {
  if (typeof value === "string") return value;
  if (value === null) return "";
  return isRawNumber(value) ? numberText(value) : JSON.stringify(value);
}

/** With an article, for messages: `a string`, `an array`, `null`. */
export function describeType(value: Json): string {
  const type = jsonType(value);
  return type === "null" ? type : `${type === "array" || type === "object" ? "an" : "a"} ${type}`;
}

/** Deeper values are refused where they come in, so that whatever walks or writes them is safe on its stack. */
const maxDepth = 1000;
export const tooDeep = `nested deeper than ${maxDepth} levels`;

/** `length` is that of its text: a shorter one cannot be deep, and is not looked at. */
export function isTooDeep(value: Json, length: number): boolean {
  if (length < 2 * maxDepth) return false;
  let level: Json[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) return true;
    const below: Json[] = [];
    for (const container of level) {
      for (const child of Array.isArray(container) ? container : Object.values(container as JsonObject)) {
        if (typeof child === "object" && child !== null) below.push(child);
      }
    }
    level = below;
  }
  return false;
}
