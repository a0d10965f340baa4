import { expect, test } from "vitest";
import { imbalances } from "./balance.ts";
import type { Progress } from "./ledger.ts";

const progress = (records: number, more: Partial<Progress> = {}): Progress => ({
  runId: "r",
  batches: 1,
  records,
  accounted: records,
  sent: {},
  sequences: [3, 9],
  done: true,
  ...more,
});
const ledger = (consumers: Record<string, Progress>) => ({
  consumer: (name: string) => ({ progress: consumers[name] ?? progress(0) }),
});
const two = [{ id: "a" }, { id: "b" }];

test("what is read, settled, passed on and delivered balances", () => {
  const balanced = {
    steps: progress(100, { sent: { a: 90, b: 40 } }),
    "sink-a": progress(90),
    "sink-b": progress(40),
  };
  expect(imbalances(ledger(balanced), 100, two)).toEqual([]);
  expect(imbalances(ledger({ steps: progress(100, { sent: { a: 90 } }) }), 100, [{ id: "a" }])).toEqual([]);
  // A destination that everything was filtered from.
  expect(imbalances(ledger({ steps: progress(5, { sent: { a: 5 } }), "sink-a": progress(5) }), 5, two)).toEqual([]);
});

test("a record that is lost or counted twice is told with its place and its range in the log", () => {
  const consumers = {
    steps: progress(99, { accounted: 98, sent: { a: 90, b: 40 } }),
    "sink-a": progress(91, { sequences: [4, 12] }),
    "sink-b": progress(40, { accounted: 39 }),
  };
  expect(imbalances(ledger(consumers), 100, two)).toEqual([
    { between: "source and steps", expected: 100, counted: 99, sequences: [3, 9] },
    { between: "steps and what became of their records", expected: 99, counted: 98, sequences: [3, 9] },
    { between: "steps and destination a", expected: 90, counted: 91, sequences: [4, 12] },
    { between: "destination b and what became of its records", expected: 40, counted: 39, sequences: [3, 9] },
  ]);
});
