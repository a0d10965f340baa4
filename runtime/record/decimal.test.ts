import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalNumber, ExactSum, isSummable, parseJson, parseSum, type RawNumber } from "./index.ts";

const number = (text: string) => parseJson(text) as unknown as number | RawNumber;

function sumOf(texts: readonly string[]): ExactSum {
  const sum = new ExactSum();
  for (const text of texts) sum.add(number(text));
  return sum;
}

describe("a sum keeps every digit", () => {
  it.each([
    [["0.1", "0.2"], "0.3"],
    [["0.1", "0.2", "-0.3"], "0"],
    [["-0", "-0"], "0"],
    [["1.005", "2.5", "1000000"], "1000003.505"],
    [["9007199254740991", "1", "1"], "9007199254740993"],
    [["9007199254740993", "-9007199254740992"], "1"],
    [["12345678901234567890.123456789", "0.000000001"], "12345678901234567890.12345679"],
    [["1e300", "1"], `1${"0".repeat(299)}1`],
    [["1e400", "1e400"], "2e400"],
    [["1e400", "-1e400", "5e-324"], "5e-324"],
    [["1e-400", "1e-400"], "2e-400"],
    [["1e21", "0.5"], "1000000000000000000000.5"],
    [["999999999999999.9", "0.1"], "1000000000000000"],
    [["0.000000001", "19.99"], "19.990000001"],
  ])("%j is %s", (texts, expected) => {
    const { total, text } = sumOf(texts);
    expect(canonicalNumber(total as unknown as number)).toBe(canonicalNumber(number(expected)));
    expect(canonicalNumber(number(text))).toBe(canonicalNumber(number(expected)));
  });

  it("a sum that a double holds is one", () => {
    expect(sumOf(["0.1", "0.2"]).total).toBe(0.3);
    expect(sumOf(["9007199254740993", "1"]).total).toBe(9007199254740994);
    expect(JSON.stringify(sumOf(["9007199254740993", "9007199254740993", "1"]).total)).toBe("18014398509481987");
  });

  it("a number of more than 10,000 digits is none for a sum", () => {
    const summable = ["1e9999", "-1e-10000", `0.${"1".repeat(10_000)}`, "5e-324"].map((text) =>
      isSummable(number(text)),
    );
    expect(summable).toEqual([true, true, true, true]);
    const beyond = ["1e10000", "1e-10001", "1e999999999999", `1${"0".repeat(10_000)}1`, `0.${"1".repeat(10_001)}`];
    expect(beyond.map((text) => isSummable(number(text)))).toEqual([false, false, false, false, false]);
  });
});

describe("a mean is exact within 34 digits, and rounded half to even beyond", () => {
  it.each([
    [["0.1", "0.2"], "0.15"],
    [["1", "2", "3", "4"], "2.5"],
    [["0", "0"], "0"],
    [["-1", "-1", "-1.5"], "-1.166666666666666666666666666666667"],
    [["1", "0", "0"], `0.${"3".repeat(34)}`],
    [["2", "0", "0"], `0.${"6".repeat(33)}7`],
    [["1e33", "1"], `5${"0".repeat(32)}.5`],
    [["1e34", "1"], `5${"0".repeat(33)}`],
    [["3e34", "1"], `15${"0".repeat(33)}`],
    [["1e34", "3"], `5${"0".repeat(32)}2`],
    [["1e400", "0"], "5e399"],
    [["1e-400", "0"], "5e-401"],
    [[`0.${"9".repeat(40)}`], "1"],
    [["1234567890123456789012345678901234567"], "1234567890123456789012345678901235e3"],
  ])("of %j: %s", (texts, expected) => {
    const mean = sumOf(texts).mean(texts.length);
    expect(canonicalNumber(mean as unknown as number)).toBe(canonicalNumber(number(expected)));
  });
});

/** Decimal texts with few and many digits, near and beyond the fast path's limits. */
const decimalText = fc
  .tuple(
    fc.boolean(),
    fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.bigInt({ min: 0n, max: 100_000n })),
    fc.nat({ max: 24 }),
  )
  .map(([minus, units, decimals]) => {
    const digits = String(units).padStart(decimals + 1, "0");
    const fraction = decimals === 0 ? "" : `.${digits.slice(-decimals)}`;
    return `${minus ? "-" : ""}${digits.slice(0, digits.length - decimals)}${fraction}`;
  });

describe("against whole numbers", () => {
  const decimals = 24;
  const units = (text: string) => {
    const [whole = "", fraction = ""] = text.replace("-", "").split(".");
    return (text.startsWith("-") ? -1n : 1n) * BigInt(whole + fraction.padEnd(decimals, "0"));
  };

  it("a sum is that of a reference, in one go or carried on from its text", () => {
    fc.assert(
      fc.property(fc.array(decimalText, { maxLength: 30 }), fc.nat(), (texts, cut) => {
        const expected = canonicalNumber(number(`${texts.reduce((sum, text) => sum + units(text), 0n)}e-${decimals}`));
        const at = cut % (texts.length + 1);
        const carried = parseSum(sumOf(texts.slice(0, at)).text);
        for (const text of texts.slice(at)) carried.add(number(text));
        expect(canonicalNumber(sumOf(texts).total as unknown as number)).toBe(expected);
        expect(canonicalNumber(carried.total as unknown as number)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it("a mean is off by half a unit of its 34th digit at most", () => {
    fc.assert(
      fc.property(fc.array(decimalText, { minLength: 1, maxLength: 20 }), (texts) => {
        const total = texts.reduce((sum, text) => sum + units(text), 0n);
        const mean = JSON.stringify(sumOf(texts).mean(texts.length));
        const digits = mean.replace(/e.*$/i, "").replace(/[-.]/g, "").replace(/^0+/, "").replace(/0+$/, "");
        expect(digits.length).toBeLessThanOrEqual(34);
        const product = sumOf(texts.map(() => mean));
        const difference = sumOf([product.text, `${-total}e-${decimals}`]).total;
        const relative = Math.abs(Number(JSON.stringify(difference))) / (texts.length * Math.abs(Number(mean)) || 1);
        expect(relative).toBeLessThanOrEqual(5e-34 * (1 + 1e-9));
      }),
      { numRuns: 1000 },
    );
  });

  it("a mean that is finite is exact", () => {
    fc.assert(
      fc.property(decimalText, decimalText, fc.integer({ min: 1, max: 50 }), (text, other, half) => {
        const spread = [
          sumOf([text, other]).text,
          sumOf([text, other.startsWith("-") ? other.slice(1) : `-${other}`]).text,
        ];
        const mean = sumOf(Array.from({ length: half }, () => spread).flat()).mean(2 * half);
        expect(canonicalNumber(mean as unknown as number)).toBe(canonicalNumber(number(text)));
      }),
      { numRuns: 1000 },
    );
  });
});

it("equal numbers have one canonical text, however they are spelt", () => {
  const texts = ["9007199254740993", "9007199254740993.0", "9.007199254740993e15", "90071992547409930e-1"];
  expect(new Set(texts.map((text) => canonicalNumber(number(text))))).toEqual(new Set(["9007199254740993"]));
  expect(["1e400", "10e399", "0.1E+401"].map((text) => canonicalNumber(number(text)))).toEqual(
    new Array(3).fill("1e400"),
  );
  expect(canonicalNumber(JSON.rawJSON("1000000000000000000000"))).toBe(canonicalNumber(1e21));
  expect(canonicalNumber(-0)).toBe("0");
});
