import { expect, test } from "vitest";
import { noDestinationLedger, noLedger, noStepCounts } from "../runtime/ports/ledger.ts";
import { LedgerMeter } from "./ledger-meter.ts";

test("what was counted is told once: not what was there before a crash, nor what was told", () => {
  const ledger = noLedger();
  ledger.steps.keep = { ...noStepCounts(), in: 10, out: 9, filtered: 1, to: { a: 9 } };
  const told: unknown[] = [];
  const meter = new LedgerMeter("shop", { ledgerRecords: (...one) => void told.push(one) }, ledger);
  meter.tell(ledger);
  expect(told).toEqual([]);
  ledger.steps.keep.in = 12;
  ledger.steps.keep.out = 11;
  ledger.destinations.a = { ...noDestinationLedger(), published: 2, pending: 2 };
  meter.tell(ledger);
  meter.tell(ledger);
  ledger.destinations.a = { ...noDestinationLedger(), published: 2, confirmed: 2 };
  meter.tell(ledger);
  expect(told).toEqual([
    ["shop", { step: "keep" }, "in", 2],
    ["shop", { step: "keep" }, "out", 2],
    ["shop", { destination: "a" }, "published", 2],
    ["shop", { destination: "a" }, "confirmed", 2],
  ]);
});
