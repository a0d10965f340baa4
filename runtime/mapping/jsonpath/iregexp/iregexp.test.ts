import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { cachedIRegexp, checkIRegexp, compileIRegexp } from "./index.ts";

const fits = (pattern: string, text: string): boolean => compileIRegexp(pattern, true)!.test(text);
const has = (pattern: string, text: string): boolean => compileIRegexp(pattern, false)!.test(text);

/** A pattern as I-Regexp and as ECMAScript writes it. */
type Both = readonly [ours: string, theirs: string];

const same = (...patterns: string[]): Both[] => patterns.map((pattern) => [pattern, pattern]);

const atom: fc.Arbitrary<Both> = fc.constantFrom<Both>(
  ...same("a", "b", "é", "😀", "[ab]", "[^a]", "[a-c\\]]", "[-b]", "[^b-]", "[\\p{Lu}b]", "\\p{L}", "\\P{Ll}", "\\."),
  ...same("[😀-😂]", "\\n", "[^\\n😀]", "\\{"),
  [".", "[^\\n\\r]"],
  ["\\-", "-"],
);
const quantifier = fc.constantFrom("", "", "", "*", "+", "?", "{2}", "{0}", "{1,}", "{0,2}", "{1,3}", "{0,0}");

const { pattern: patterns } = fc.letrec<{ pattern: Both; branch: Both; part: Both }>((tie) => ({
  pattern: fc
    .array(tie("branch"), { minLength: 1, maxLength: 3, depthIdentifier: "p" })
    .map(
      (branches): Both => [branches.map(([ours]) => ours).join("|"), branches.map(([, theirs]) => theirs).join("|")],
    ),
  branch: fc
    .array(tie("part"), { maxLength: 4, depthIdentifier: "p" })
    .map((parts): Both => [parts.map(([ours]) => ours).join(""), parts.map(([, theirs]) => theirs).join("")]),
  part: fc.oneof(
    { depthSize: "small", depthIdentifier: "p" },
    fc.tuple(atom, quantifier).map(([[ours, theirs], q]): Both => [ours + q, theirs + q]),
    fc.constantFrom<Both>(["^", "^"], ["$", "$"]),
    fc.tuple(tie("pattern"), quantifier).map(([[ours, theirs], q]): Both => [`(${ours})${q}`, `(?:${theirs})${q}`]),
  ),
}));
const texts = fc.string({
  unit: fc.constantFrom("a", "b", "c", "é", "A", "😀", "\n", "\r", "-", ".", "]", "{", "\ud83d"),
  maxLength: 7,
});

describe("an I-Regexp", () => {
  test("gives what RegExp gives, for 2,000 random patterns, each with some texts", () => {
    let matched = 0;
    fc.assert(
      fc.property(patterns, fc.array(texts, { minLength: 1, maxLength: 8 }), ([ours, theirs], several) => {
        const whole = compileIRegexp(ours, true);
        const part = compileIRegexp(ours, false);
        const wholeBy = new RegExp(`^(?:${theirs})$`, "u");
        const partBy = new RegExp(theirs, "u");
        for (const text of several) {
          const expected = [wholeBy.test(text), partBy.test(text)];
          if (expected[0]) matched++;
          expect([text, whole?.test(text), part?.test(text)]).toEqual([text, ...expected]);
        }
      }),
      { numRuns: 2_000 },
    );
    expect(matched).toBeGreaterThan(300);
  });

  test.each([
    "(a+)+b",
    "(a|aa)+b",
    "(.*)*x",
    "([a-z]+)*1",
    "(a*)*b",
    "(a|a)*b",
    "((a?){25}){25}b",
    "a*a*a*a*b",
    "(a|aa)+$x",
  ])("%s over 100 kB takes milliseconds, for the whole text and its parts", { retry: 5 }, (pattern) => {
    const text = "a".repeat(100_000);
    const start = process.cpuUsage().user;
    expect([fits(pattern, text), has(pattern, text)]).toEqual([false, false]);
    expect((process.cpuUsage().user - start) / 1000).toBeLessThan(200);
  });

  test("whose table a text fills again and again gives the same", () => {
    let seed = 1;
    const bit = () => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16) & 1;
    const pattern = compileIRegexp("[ab]*a[ab]{15}c?", true)!;
    const search = compileIRegexp("a[ab]{400}c", false)!;
    for (let run = 0; run < 20; run++) {
      const text = Array.from({ length: 3_000 }, () => "ab"[bit()]).join("");
      expect(pattern.test(text)).toBe(text.at(-16) === "a");
      expect(search.test(text)).toBe(false);
      expect(search.test(`${text}c${text}`)).toBe(text.at(-401) === "a");
    }
  });

  test("meets more kinds of characters than its table had room for", () => {
    const letters = Array.from({ length: 600 }, (_, i) => String.fromCodePoint(0x4e00 + i));
    const pattern = compileIRegexp(`(${letters.join("|")})*`, true)!;
    expect([pattern.test(letters.join("")), pattern.test(`${letters.join("")}x`)]).toEqual([true, false]);
  });

  it.each([
    ["x", "", false, false],
    ["", "", true, true],
    ["", "a", false, true],
    ["^$", "", true, true],
    ["a^", "a", false, false],
    ["$a", "a", false, false],
    ["a|^b$", "ab", false, true],
    ["b$", "ab", false, true],
    ["b$", "ab\n", false, false],
    ["\\p{Lu}\\p{Ll}+", "Ärger", true, true],
    [".", "😀", true, true],
    ["..", "😀", false, false],
    [".", "\r", false, false],
    ["[^a]", "\n", true, true],
    ["[^\\p{L}]", "\ud83d", true, true],
  ])("%j against %j: the whole %j, a part %j", (pattern, text, whole, part) => {
    expect([fits(pattern, text), has(pattern, text)]).toEqual([whole, part]);
  });

  it.each([
    "a**",
    "a+?",
    "*a",
    "(*a)",
    "a|*",
    "(a",
    "a)",
    "[",
    "[]",
    "[^]",
    "[a",
    "[z-a]",
    "a{3,2}",
    "a{,2}",
    "a{",
    "}",
    "]",
    "\\d",
    "\\",
    "(?:a)",
    "(?=a)",
    "\\1",
    "\\p{Cs}",
    "\\p{Greek}",
    "\\u0041",
    "^*",
    "$" + "{2}",
    "[a[b]",
    "[a-b-c]",
    "\ud83d",
    "[\\d]",
  ])("%j is none", (pattern) => {
    expect([checkIRegexp(pattern), compileIRegexp(pattern, true)]).toEqual(["is no I-Regexp (RFC 9485)", undefined]);
  });

  it.each([
    "a{2000}",
    "(a{50}){50}",
    "(a?){99999999999999999999}",
    "(){9999}",
    "(".repeat(5000) + ")".repeat(5000),
    "a|".repeat(5001),
  ])("that is too large is said to be: %.20s", (pattern) => {
    expect([checkIRegexp(pattern), compileIRegexp(pattern, false)]).toEqual([
      expect.stringContaining("is too large an I-Regexp"),
      undefined,
    ]);
  });

  test("of a record is kept for the next, and few are", () => {
    expect(cachedIRegexp("a+", true)).toBe(cachedIRegexp("a+", true));
    const first = cachedIRegexp("a+", true);
    for (let i = 0; i < 100; i++) cachedIRegexp(`a{${i}}`, true);
    expect(cachedIRegexp("a+", true)).not.toBe(first);
  });
});
