import type { Json } from "../sdk/index.ts";

/** RFC 3339 with or without an offset (then UTC), or a date. */
const time = /^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?)?$/;

/** Milliseconds of a text that is a time, or undefined. */
export function timeOf(text: string): number | undefined {
  if (!time.test(text)) return undefined;
  const hasZone = text.length === 10 || /(?:[Zz]|[+-]\d\d:?\d\d)$/.test(text.slice(10));
  const ms = Date.parse(`${text.replace(" ", "T")}${hasZone ? "" : "Z"}`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Of two values as APIs order them: numbers, also as texts, by size, times by when they are, other texts by letters. */
export function compare(a: Json, b: Json): number {
  const [textA, textB] = [plain(a), plain(b)];
  if (textA === textB) return 0;
  if (isInteger(textA) && isInteger(textB)) {
    const [bigA, bigB] = [BigInt(textA), BigInt(textB)];
    return bigA < bigB ? -1 : bigA > bigB ? 1 : 0;
  }
  if (isNumber(a) && isNumber(b)) return Number(textA) - Number(textB);
  const [timeA, timeB] = [timeOf(textA), timeOf(textB)];
  if (timeA !== undefined && timeB !== undefined && timeA !== timeB) return timeA - timeB;
  return textA < textB ? -1 : 1;
}

/** A number's digits or a text. */
export function plain(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isNumber(value: Json): boolean {
  return typeof value === "number" || (typeof value === "object" && value !== null && JSON.isRawJSON(value));
}

function isInteger(text: string): boolean {
  return /^-?\d{1,40}$/.test(text);
}
