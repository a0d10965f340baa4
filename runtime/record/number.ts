import type { Json } from "../../connectors/sdk/index.ts";

/**
 * A number in a record is a double, or, where a double would lose digits, a `JSON.rawJSON` object that keeps its
 * literal. A double stands for the decimal that `String` gives, so both kinds have one exact value.
 */
export interface RawNumber {
  readonly rawJSON: string;
}

declare global {
  // Node 24 has both (JSON.parse source text access); the compiler's libraries do not know them yet.
  interface JSON {
    rawJSON(text: string): RawNumber;
    isRawJSON(value: unknown): value is RawNumber;
    parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  }
}

const grammar = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Whether a text is a JSON number. */
export function isNumberText(text: string): boolean {
  return grammar.test(text);
}

export function isRawNumber(value: unknown): value is RawNumber {
  return typeof value === "object" && JSON.isRawJSON(value);
}

export function isNumber(value: unknown): value is number | RawNumber {
  return typeof value === "number" || isRawNumber(value);
}

/** The value of a JSON number's text, with every digit. */
export function numberOf(text: string): Json {
  const value = Number(text);
  return isExact(text, value) ? value : (JSON.rawJSON(text) as unknown as Json);
}

/** A JSON text of a number: its literal where it was kept. */
export function numberText(value: number | RawNumber): string {
  return typeof value === "number" ? JSON.stringify(value) : value.rawJSON;
}

/** Less than 0, 0 or more than 0, by exact value. */
export function compareNumbers(left: number | RawNumber, right: number | RawNumber): number {
  if (typeof left === "number" && typeof right === "number") return left < right ? -1 : left > right ? 1 : 0;
  const a = decimalOf(numberText(left));
  const b = decimalOf(numberText(right));
  if (a.sign !== b.sign) return a.sign - b.sign;
  return a.sign * compareSizes(a, b);
}

/** `sign * 0.digits * 10^point`; digits neither begin nor end with a zero, and are empty for zero. */
export interface Decimal {
  readonly sign: -1 | 0 | 1;
  readonly digits: string;
  readonly point: bigint;
}

export function decimalOf(text: string): Decimal {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const unsigned = mantissa.replace("-", "");
  const [whole = "", fraction = ""] = unsigned.split(".");
  const all = whole + fraction;
  const digits = all.replace(/^0+/, "");
  const point = BigInt(whole.length - (all.length - digits.length)) + BigInt(exponent.replace("+", ""));
  const significant = withoutTrailingZeros(digits);
  if (significant === "") return { sign: 0, digits: "", point: 0n };
  return { sign: mantissa.startsWith("-") ? -1 : 1, digits: significant, point };
}

function compareSizes(a: Decimal, b: Decimal): number {
  if (a.point !== b.point) return a.point < b.point ? -1 : 1;
  // Digit strings without a leading zero compare as fractions do: "12" < "123" < "13".
  return a.digits < b.digits ? -1 : a.digits > b.digits ? 1 : 0;
}

/** Whether a double has the value of a JSON number's text. */
export function isExact(text: string, value: number): boolean {
  // Fifteen significant digits always survive a double; an exponent may leave its range.
  if (text.length < 16 && !/[eE]/.test(text)) return true;
  if (String(value) === text) return true;
  if (!Number.isFinite(value)) return false;
  const a = decimalOf(text);
  const b = decimalOf(String(value));
  return a.sign === b.sign && a.point === b.point && a.digits === b.digits;
}

/** As a loop: `/0+$/` takes quadratic time on long runs of zeros that do not stand at the end. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 48) end--;
  return digits.slice(0, end);
}
