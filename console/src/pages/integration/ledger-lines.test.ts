import { expect, test } from "vitest";
import type { Ledger } from "../../api/types.ts";
import { imbalanceText, ledgerLines } from "./ledger-lines.ts";

const step = { in: 10, expanded: 0, out: 9, filtered: 0, absorbed: 0, dropped: 0, failed: 0 };
const destination = { published: 9, inherited: 0, confirmed: 9, failed: 0, pending: 0, deferred: 0 };
const missing = { between: "in and out", expected: 10, counted: 9, consumer: "steps", sequences: [3, 5] as const };
const ledger: Ledger = {
  balanced: false,
  imbalances: [
    { step: "map", ...missing },
    { destination: "gone", ...missing, sequences: null },
  ],
  steps: { map: step, source: step },
  destinations: { crm: destination },
};

test("the source comes first, and an imbalance stands at its line", () => {
  const { steps, destinations } = ledgerLines(ledger);
  expect(steps.map(({ id, imbalances }) => [id, imbalances.length])).toEqual([
    ["source", 0],
    ["map", 1],
  ]);
  expect(destinations.map(({ id, imbalances }) => [id, imbalances.length])).toEqual([["crm", 0]]);
});

test("an imbalance of what is not shown is not lost", () => {
  expect(ledgerLines(ledger).others).toEqual([ledger.imbalances[1]]);
});

test("an imbalance says where, and in which messages", () => {
  expect(imbalanceText(ledger.imbalances[0]!)).toBe("in and out: 10 expected, 9 counted, messages 3 to 5 of the log");
  expect(imbalanceText(ledger.imbalances[1]!)).toBe("in and out: 10 expected, 9 counted");
});
