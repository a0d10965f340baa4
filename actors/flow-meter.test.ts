import { expect, test } from "vitest";
import { type Ledger, noDestinationLedger, noLedger, noStepCounts } from "../runtime/ports/ledger.ts";
import { FlowMeter } from "./flow-meter.ts";

const ledgerOf = (read: number, confirmed: number, failed: number): Ledger => ({
  steps: { source: { ...noStepCounts(), in: read, out: read }, pick: { ...noStepCounts(), in: read, to: { a: read } } },
  destinations: { a: { ...noDestinationLedger(), published: read, confirmed, failed } },
});

test("rates are the mean of the last five seconds, and samples are what each second had", () => {
  const meter = new FlowMeter();
  let ledger = noLedger();
  meter.begin(() => ({ ledger, read: new Map() }));
  for (const read of [100, 300, 600]) {
    ledger = ledgerOf(read, read / 2, 10);
    meter.sample();
  }
  const { of, ...rates } = meter.rates();
  expect(rates).toEqual({ in: 200, out: 100, failed: 3.3 });
  expect([of("step pick to a"), of("destination a in"), of("nothing")]).toEqual([200, 200, 0]);
  expect(meter.samples).toEqual({ interval_seconds: 1, in: [100, 200, 300], out: [50, 100, 150], failed: [10, 0, 0] });
  expect(meter.errorRatio).toBeCloseTo(10 / 310);
  for (let second = 0; second < 70; second++) meter.sample();
  expect(meter.rates()).toMatchObject({ in: 0, out: 0, failed: 0 });
  expect(meter.samples.in).toHaveLength(60);
  expect(meter.errorRatio).toBe(0);
});

test("what a run had counted before it came here is not told, and what it counts last is", () => {
  const meter = new FlowMeter();
  let ledger = ledgerOf(1_000, 900, 0);
  meter.begin(() => ({ ledger, read: new Map() }));
  meter.sample();
  ledger = ledgerOf(1_010, 1_010, 0);
  meter.end();
  meter.begin(() => ({ ledger: ledgerOf(7, 7, 0), read: new Map() }));
  meter.sample();
  expect(meter.samples).toMatchObject({ in: [0, 10], out: [0, 110] });
});
