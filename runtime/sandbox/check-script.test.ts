import { expect, test } from "vitest";
import { checkScript } from "./index.ts";

const expression = (source: string) => checkScript({ kind: "expression", source });
const step = (source: string) => checkScript({ kind: "function", source });

test.for(["1", "record.a // why", "{ a: 1 }", "a, b", "(() => { for (;;); })()", "/[)]/.test(value)", "`)`"])(
  "%s is one expression",
  (source) => {
    expect(expression(source)).toBeUndefined();
  },
);

test.for([
  "",
  " ",
  "1) ; evil(",
  "1] ; evil[",
  "1; 2",
  "let x = 1",
  "return 1",
  "`",
  "/*",
  "-->",
  "await x",
  "a => {",
  "...a",
  ") + (",
])("%j is refused as an expression", (source) => {
  expect(expression(source)).toMatch(/./);
});

test("a refusal has the place", () => {
  expect(expression("record.a +\n  ) b")).toBe("Unexpected token ')' (line 2, column 3)");
});

test("nothing is executed", () => {
  expect(expression("globalThis.executed = true")).toBeUndefined();
  expect(globalThis).not.toHaveProperty("executed");
});

test.for([
  "r => r",
  "(r, m) => ({ a: 1 })",
  "function (r) { return r; }",
  "function name(r) { with (r) { return r; } }",
  "async => 1",
  "(function (r) {})",
  '(a /* => */, b = ")=>") => 1',
  "/* c */ (r) => r // x",
  "({ a }, ...b) => a",
])("%s is one function", (source) => {
  expect(step(source)).toBeUndefined();
});

test.for([
  "1",
  "record",
  "async r => r",
  "async (r) => r",
  "async function () {}",
  "function* (r) {}",
  "function () {}()",
  "(r) => 1, 2",
  "function () {}.x",
  "function () {}\nin\nx",
  "function () {}, x() {}",
  "[x] = y",
  "x = y => z",
  "(a) // => x\n + b",
  "(r => r)(1)",
  "r => r;",
  "function (r) {} function (s) {}",
])("%j is refused as a function", (source) => {
  expect(step(source)).toMatch(/./);
});
