import fc from "fast-check";
import { expect, test } from "vitest";
import { compileEcma } from "./ecma.ts";

const atom = fc.constantFrom(
  ...["a", "b", "é", "😀", "[ab]", "[^a]", "[a-c\\]]", "\\d", "\\w", "\\s", "\\S", "\\p{L}", "\\P{Ll}", "\\.", "."],
  ...["\\n", "\\u0061", "\\u{1F600}", "\\ud83d\\ude00", "\\x62", "\\0", "\\cA", "\\/", "\\b", "\\B", "[\\w.-]"],
);
const quantifier = fc.constantFrom("", "", "", "*", "+", "?", "{2}", "{0}", "{1,}", "{0,2}", "*?", "+?", "{1,3}?");
const opener = fc.constantFrom("(", "(?:", "(?=", "(?!", "(?<=", "(?<!");

const { pattern: patterns } = fc.letrec<{ pattern: string; branch: string; part: string }>((tie) => ({
  pattern: fc
    .array(tie("branch"), { minLength: 1, maxLength: 3, depthIdentifier: "p" })
    .map((branches) => branches.join("|")),
  branch: fc.array(tie("part"), { maxLength: 4, depthIdentifier: "p" }).map((parts) => parts.join("")),
  part: fc.oneof(
    { depthSize: "small", depthIdentifier: "p" },
    fc.tuple(atom, quantifier).map(([one, q]) => (/^\\[bB]$/.test(one) ? one : one + q)),
    fc.constantFrom("^", "$"),
    fc.tuple(opener, tie("pattern"), quantifier).map(([o, inner, q]) => `${o}${inner})${/[=!]$/.test(o) ? "" : q}`),
  ),
}));
const texts = fc.string({
  unit: fc.constantFrom("a", "b", "c", "é", "1", " ", "😀", "\n", "-", ".", "]", "\ud83d"),
  maxLength: 7,
});

test("a pattern that is taken gives what RegExp gives, for 2,000 random ones, each with some texts", () => {
  let taken = 0;
  fc.assert(
    fc.property(fc.boolean(), patterns, fc.array(texts, { minLength: 1, maxLength: 8 }), (anchored, some, several) => {
      const pattern = anchored ? `^${some}` : some;
      let compiled: ReturnType<typeof compileEcma>;
      try {
        compiled = compileEcma(pattern);
      } catch {
        return;
      }
      taken++;
      const native = new RegExp(pattern, "u");
      for (const text of several) expect([text, compiled.test(text)]).toEqual([text, native.test(text)]);
    }),
    { numRuns: 2_000 },
  );
  expect(taken).toBeGreaterThan(500);
});

test.each([
  ["^(a+)+$", "a"],
  ["^(a|aa)+$", "a"],
  ["(a+)+b", "a"],
  ["^([a-z]+)*1", "a"],
  ["^(?:.*a){12}$", "a"],
  [".*.*.*=", "a"],
  ["\\s+$", " "],
  ["^(?=.*[0-9])(?=(a+)+$)(?!.*(b*)*c).{8,}$", "a"],
  ["^[a-z0-9]+([._-][a-z0-9]+)*@[a-z]+(\\.[a-z]+)+$", "a"],
])("%s takes no long on what it was made for", (pattern, character) => {
  const compiled = compileEcma(pattern);
  const start = process.cpuUsage().user;
  expect(compiled.test(`${character.repeat(50_000)}!`)).toBe(false);
  expect((process.cpuUsage().user - start) / 1000).toBeLessThan(2_000);
});

test("a password's conditions and words' edges are taken", () => {
  const password = compileEcma("^(?=.*[a-z])(?=.*[A-Z])(?=.*\\d)(?!.*\\s).{8,}$");
  expect(["Abcdefg1", "abcdefg1", "Abcdefgh", "Abc defg1", "Abc1"].map((text) => password.test(text))).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
  expect(compileEcma("\\bfoo\\b").test("a foo b")).toBe(true);
  expect(compileEcma("(?<!x)foo").test("xfoo")).toBe(false);
  expect(compileEcma("^(['\"])x\\1$").test("'x'")).toBe(true);
});

test.each(["(\\w+\\b)+x", "^(a+)+\\1$", "(?<=(a+)+)b", "a(?=(b*)*c)", `(${"a".repeat(3_000)})*\\b`])(
  "%.30s, which could take very long, is refused",
  (pattern) => {
    expect(() => compileEcma(pattern)).toThrow("can take very long on some texts");
  },
);

test("what is no regular expression is refused as RegExp does", () => {
  expect(() => compileEcma("(a")).toThrow("Invalid regular expression");
});
