import type { Json } from "../../connectors/sdk/index.ts";
import { type Decimal, decimalOf, numberOf, numberText, type RawNumber } from "./number.ts";

/** Digits before or after the point beyond which a number is not added up: `1e999999999` would take a gigabyte. */
export const maxSumDigits = 10_000;

/** Whether a sum takes the number: see `maxSumDigits`. Doubles always. */
export function isSummable(value: number | RawNumber): boolean {
  if (typeof value === "number") return true;
  const { digits, point } = decimalOf(value.rawJSON);
  return point <= maxSumDigits && BigInt(digits.length) - point <= maxSumDigits;
}

/** Significant digits of a mean that is not finite, or longer: those of IEEE 754's decimal128. */
const meanDigits = 34;
/** Decimals up to which doubles are added up as integers; more would leave too few digits before the point. */
const maxFastDecimals = 8;
const powers = Array.from({ length: maxFastDecimals + 1 }, (_, decimals) => 10 ** decimals);

/** A sum of numbers that keeps every digit: 0.1 and 0.2 are 0.3. Takes what `isSummable` does. */
export class ExactSum {
  /** The sum is `#coefficient / 10^#scale + #units / 10^#decimals`; the second is doubles' fast path, a safe integer. */
  #coefficient = 0n;
  #scale = 0;
  #units = 0;
  #decimals = 0;

  add(value: number | RawNumber): void {
    if (typeof value === "number") {
      const power = powers[this.#decimals] as number;
      const units = Math.round(value * power);
      // Any decimal of 15 digits survives a double: when these units give the double, they are the decimal it stands for.
      if (units / power === value && Math.abs(units) < 1e15) {
        const sum = this.#units + units;
        if (Number.isSafeInteger(sum)) {
          this.#units = sum;
          return;
        }
      }
    }
    this.#addDecimal(decimalOf(numberText(value)));
  }

  /** The sum as JSON: a double, or raw where that would lose digits. */
  get total(): Json {
    this.#settle();
    return numberOfScaled(this.#coefficient, this.#scale);
  }

  /** The sum divided by `count`, above 0: exact where 34 significant digits hold it, else rounded half to even. */
  mean(count: number): Json {
    this.#settle();
    const size = this.#coefficient < 0n ? -this.#coefficient : this.#coefficient;
    if (size === 0n) return 0;
    const divisor = BigInt(count);
    // The quotient has 34 digits with this shift, or one too many.
    let shift = meanDigits - String(size).length + String(divisor).length;
    if (divide(size, divisor, shift).quotient >= 10n ** BigInt(meanDigits)) shift--;
    const { quotient, twiceRest } = divide(size, divisor, shift);
    const up = twiceRest > 0 || (twiceRest === 0 && quotient % 2n === 1n);
    const rounded = quotient + (up ? 1n : 0n);
    return numberOfScaled(this.#coefficient < 0n ? -rounded : rounded, this.#scale + shift);
  }

  /** The sum as a JSON number's text, to be read by `parseSum`. */
  get text(): string {
    const { total } = this;
    return numberText(total as unknown as number | RawNumber);
  }

  #addDecimal({ sign, digits, point }: Decimal): void {
    this.#settle();
    const decimals = Math.max(0, digits.length - Number(point));
    const units = BigInt(sign) * BigInt(digits.padEnd(Number(point), "0"));
    this.#addScaled(units, decimals);
    if (decimals <= maxFastDecimals) this.#decimals = Math.max(this.#decimals, decimals);
  }

  #settle(): void {
    if (this.#units === 0) return;
    this.#addScaled(BigInt(this.#units), this.#decimals);
    this.#units = 0;
  }

  #addScaled(units: bigint, scale: number): void {
    if (scale > this.#scale) {
      this.#coefficient *= 10n ** BigInt(scale - this.#scale);
      this.#scale = scale;
    }
    this.#coefficient += units * 10n ** BigInt(this.#scale - scale);
  }
}

/** A sum that begins with what the text of another was. */
export function parseSum(text: string): ExactSum {
  const sum = new ExactSum();
  sum.add(numberOf(text) as unknown as number | RawNumber);
  return sum;
}

/** The text of a number that is the same for every spelling of its value. */
export function canonicalNumber(value: number | RawNumber): string {
  if (typeof value === "number") return JSON.stringify(value);
  return JSON.stringify(numberOf(decimalText(decimalOf(value.rawJSON))));
}

/** Of `size * 10^shift / divisor` the whole part, and how twice the rest compares with the divisor. */
function divide(size: bigint, divisor: bigint, shift: number): { quotient: bigint; twiceRest: number } {
  const dividend = shift > 0 ? size * 10n ** BigInt(shift) : size;
  const by = shift < 0 ? divisor * 10n ** BigInt(-shift) : divisor;
  const twice = (dividend % by) * 2n;
  return { quotient: dividend / by, twiceRest: twice < by ? -1 : twice > by ? 1 : 0 };
}

function numberOfScaled(coefficient: bigint, scale: number): Json {
  return numberOf(decimalText(decimalOf(`${coefficient}e${-scale}`)));
}

/** Plain digits, or an exponent where those would be mostly zeros. */
function decimalText({ sign, digits, point }: Decimal): string {
  if (sign === 0) return "0";
  const minus = sign < 0 ? "-" : "";
  const length = BigInt(digits.length);
  if (point > length + 20n || point < -5n) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${minus}${digits[0]}${fraction}e${point - 1n}`;
  }
  const whole = Number(point);
  if (point >= length) return minus + digits.padEnd(whole, "0");
  return whole > 0
    ? `${minus}${digits.slice(0, whole)}.${digits.slice(whole)}`
    : `${minus}0.${"0".repeat(-whole)}${digits}`;
}
