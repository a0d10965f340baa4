import { expect, test } from "vitest";
import type { LogMessage } from "../runtime/ports/log.ts";
import type { NewDeadLetter } from "../runtime/ports/store.ts";
import { RunLedger } from "./ledger.ts";
import { isForgotten, isSettled } from "./settled-keys.ts";

const run = { id: "run", integrationId: "i", counts: { in: 0, out: 0, filtered: 0, failed: 0, byDestination: {} } };

const piece = (ingestSequence: number, part: string, parts?: number): LogMessage => ({
  header: {
    kind: "records",
    runId: "run",
    integrationVersion: 1,
    stream: "s",
    source: "s",
    count: 1,
    cursor: null,
    position: { base: "b", offset: 1 },
    ingestedAt: 0,
    totals: { batches: 1, records: 1 },
    ingestSequence,
    part,
    ...(parts !== undefined && { parts }),
  },
  body: new Uint8Array(),
  sequence: ingestSequence * 10,
  deliveries: 1,
  bytes: 0,
  ack: async () => {},
  working: () => {},
});

function ledgerOf(pieces: readonly LogMessage[]): RunLedger {
  const ledger = new RunLedger(run, 1, []);
  for (const message of pieces) ledger.settle("sink", message, { count: () => {}, deadLetters: [], accounted: 1 });
  return ledger;
}

const stored = (ledger: RunLedger) =>
  ledger.snapshot().settlement.checkpoints[0]?.progress as unknown as { readonly parts?: readonly unknown[] };

test("of a message that was cut up each part is known, and once all are settled, the message", () => {
  const open = ledgerOf([piece(7, ""), piece(7, "each.1")]);
  const reborn = new RunLedger(run, 2, open.snapshot().settlement.checkpoints);
  expect([piece(7, "each.1"), piece(7, "each.2")].map((one) => isSettled(reborn.consumer("sink"), one))).toEqual([
    true,
    false,
  ]);
  const whole = ledgerOf([piece(7, "each.2", 3), piece(7, "each.1"), piece(7, "")]);
  expect(stored(whole).parts).toBeUndefined();
  expect(isSettled(whole.consumer("sink"), piece(7, "each.1"))).toBe(true);
});

test("what a thousand dead letters of one record share counts once for what may wait for a commit, and the message of each try by itself", () => {
  const raw = Buffer.alloc(1_000);
  const attempts = [{ at: "", code: "TIMEOUT", message: "0123456789" }];
  const letter = { raw, state: "x".repeat(500), attempts } as unknown as NewDeadLetter;
  const deadLetters = Array.from({ length: 1_000 }, (_, n) => ({ ...letter, child: String(n) }));
  const ledger = new RunLedger(run, 1, []);
  const settled = () => ledger.settle("sink", piece(1, ""), { count: () => {}, deadLetters, accounted: 1 });
  settled();
  expect(ledger.unsettled.deadLetterBytes).toBe(11_500);
  const first = ledger.snapshot();
  settled();
  expect(ledger.unsettled.deadLetterBytes).toBe(23_000);
  ledger.committed(first, 0);
  expect(ledger.unsettled.deadLetterBytes).toBe(11_500);
  ledger.committed(ledger.snapshot(), 0);
  expect(ledger.unsettled.deadLetterBytes).toBe(0);
});

test("messages whose last part never comes do not pile up", () => {
  const ledger = ledgerOf(Array.from({ length: 1000 }, (_, n) => piece(n + 1, "each.1")));
  expect(stored(ledger).parts?.length).toBeLessThanOrEqual(64);
  expect(isSettled(ledger.consumer("sink"), piece(1000, "each.1"))).toBe(true);
});

test("where versions of a message were in the log is known after a restart, in little room", () => {
  const version = (n: number) => ({ ...piece(n, `#${n}`), sequence: 1_795_000_000_000_000 + 2 * n });
  const all = Array.from({ length: 3_000 }, (_, n) => version(n));
  const ledger = ledgerOf(all);
  expect(JSON.stringify(stored(ledger)).length).toBeLessThan(10_000);
  const reborn = new RunLedger(run, 2, ledger.snapshot().settlement.checkpoints).consumer("sink");
  for (const [n, message] of all.entries()) expect(isSettled(reborn, message)).toBe(n >= 3_000 - 1_024);
  expect(isForgotten(reborn, version(0))).toBe(true);
  expect(isForgotten(reborn, version(2_500))).toBe(false);
  // The same in another place is another one, unless it is among the latest messages.
  expect(isSettled(reborn, { ...version(2_000), sequence: 1 })).toBe(false);
  expect(isSettled(reborn, { ...version(2_999), sequence: 1 })).toBe(true);
});
