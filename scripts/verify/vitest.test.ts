import { expect, test } from "vitest";
import { outcome, type Report, withSecond } from "./vitest.ts";

const file = (name: string, ...statuses: string[]): Report["testResults"][number] => ({
  name,
  status: statuses.includes("failed") ? "failed" : "passed",
  assertionResults: statuses.map((status, i) => ({ status, fullName: `${name} ${i}` })),
});

test("tests are counted by what became of them, and what ended otherwise than well has a failure at least", () => {
  const report = { testResults: [file("a", "passed", "failed", "skipped"), file("b", "passed", "pending", "todo")] };
  expect(outcome(1, report)).toEqual({ passed: 2, failed: 1, skipped: 3 });
  expect(outcome(0, { testResults: [file("a", "passed")] })).toEqual({ passed: 1, failed: 0, skipped: 0 });
  expect(outcome(1, { testResults: [file("a", "passed")] })).toEqual({ passed: 1, failed: 1, skipped: 0 });
});

test("of a file that was run once more its second results count, whatever they are", () => {
  const first = { testResults: [file("a", "passed", "passed"), file("b", "failed", "passed"), file("c", "failed")] };
  const second = { testResults: [file("b", "passed", "failed"), file("c", "passed")] };
  expect(outcome(1, withSecond(first, second))).toEqual({ passed: 4, failed: 1, skipped: 0 });
});
