import type { Json } from "../../connectors/sdk/index.ts";
import {
  compareNumbers,
  type Decimal,
  decimalOf,
  isRawNumber,
  numberText,
  type RawNumber,
} from "../../runtime/record/index.ts";

type Num = number | RawNumber;

/** What each keyword asks of a number and its limit, by their exact values. */
export const numberKeywords: Record<string, (value: Num, limit: Num) => boolean> = {
  minimum: (value, limit) => compareNumbers(value, limit) >= 0,
  maximum: (value, limit) => compareNumbers(value, limit) <= 0,
  exclusiveMinimum: (value, limit) => compareNumbers(value, limit) > 0,
  exclusiveMaximum: (value, limit) => compareNumbers(value, limit) < 0,
  multipleOf: isMultiple,
};

/** Whether a value holds a number that no double holds. */
export function holdsRawNumber(value: Json): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsRawNumber);
  if (isRawNumber(value)) return true;
  for (const name in value) if (holdsRawNumber(value[name] as Json)) return true;
  return false;
}

/**
 * A copy with doubles in the place of such numbers, integers for integers and fractions for fractions; `raws` gets the
 * numbers themselves by their JSON Pointers. `keep` leaves those that stand in certain fields.
 */
export function withDoubles(
  value: Json,
  raws: Map<string, RawNumber>,
  keep: (field: string) => boolean = () => false,
  pointer = "",
): Json {
  if (typeof value !== "object" || value === null) return value;
  if (isRawNumber(value)) {
    raws.set(pointer, value);
    return doubleOf(value);
  }
  if (Array.isArray(value)) return value.map((item, index) => withDoubles(item, raws, keep, `${pointer}/${index}`));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      if (isRawNumber(member) && keep(name)) return [name, member];
      const below = `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      return [name, withDoubles(member, raws, keep, below)];
    }),
  );
}

function doubleOf(raw: RawNumber): number {
  const near = Number(raw.rawJSON);
  const { digits, point } = decimalOf(raw.rawJSON);
  if (point >= BigInt(digits.length)) return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, near));
  if (!Number.isInteger(near)) return near;
  // The nearest double of a fraction may be an integer: one with a fraction that is near enough stands for it.
  if (near === 0) return Number.MIN_VALUE;
  return Math.abs(near) < 2 ** 50 ? near * (1 + 2 * Number.EPSILON) : Math.sign(near) * (2 ** 52 - 0.5);
}

function isMultiple(value: Num, of: Num): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(of)) return (value as number) % (of as number) === 0;
  const a = decimalOf(numberText(value));
  const b = decimalOf(numberText(of));
  if (a.sign === 0) return true;
  const shift = exponentOf(a) - exponentOf(b);
  // The digits of a Decimal end with no zero, so that no power of ten divides them.
  if (shift < 0n) return false;
  const divisor = BigInt(b.digits);
  return (BigInt(a.digits) * powerOfTen(shift, divisor)) % divisor === 0n;
}

const exponentOf = ({ digits, point }: Decimal): bigint => point - BigInt(digits.length);

/** 10^exponent, modulo `modulus`: the exponent may be anything that stands in a number. */
function powerOfTen(exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let factor = 10n % modulus;
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * factor) % modulus;
    factor = (factor * factor) % modulus;
  }
  return result;
}
