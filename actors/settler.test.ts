import { expect, test } from "vitest";
import type { LogMessage } from "../runtime/ports/log.ts";
import type { CheckpointStore, Committed, Settlement } from "../runtime/ports/store.ts";
import { UnwritableError } from "../runtime/ports/store.ts";
import { VirtualClock } from "../runtime/ports/virtual-clock.ts";
import { type Outcome, RunLedger } from "./ledger.ts";
import { Settler } from "./settler.ts";

const counts = { in: 0, out: 0, filtered: 0, failed: 0, byDestination: {} };
const outcome = (count: number): Outcome => ({
  count: (total) => {
    total.in += count;
  },
  deadLetters: [],
  accounted: count,
});

function world(clock = new VirtualClock()) {
  const commits: (readonly Settlement[])[] = [];
  const acked: number[] = [];
  let answer: () => Promise<Committed> = async () => ({ stale: [] });
  const store: Pick<CheckpointStore, "commit"> = {
    commit: (settlements) => {
      commits.push(structuredClone(settlements));
      return answer();
    },
  };
  const settler = new Settler(store, clock);
  settler.start();
  const ledgerOf = (integrationId: string, stale = (_error: unknown) => {}) => {
    const ledger = new RunLedger({ id: `run of ${integrationId}`, integrationId, counts }, 1, []);
    settler.add(ledger, stale);
    return ledger;
  };
  const message = (sequence: number, runId: string): LogMessage =>
    ({
      header: { kind: "records", runId, count: 2 },
      sequence,
      ack: async () => void acked.push(sequence),
      working: () => {},
    }) as unknown as LogMessage;
  return {
    clock,
    commits,
    acked,
    settler,
    ledgerOf,
    message,
    answer: (next: typeof answer) => {
      answer = next;
    },
  };
}

test("a message is acknowledged after the commit that holds it, and not before (invariants 2 and 3)", async () => {
  const { clock, commits, acked, ledgerOf, message, answer } = world();
  let commit = () => {};
  answer(
    () =>
      new Promise((resolve) => {
        commit = () => resolve({ stale: [] });
      }),
  );
  const ledger = ledgerOf("a");
  ledger.settle("steps", message(7, ledger.runId), outcome(2));
  const flushed = ledger.flushed();
  await clock.advance(10);
  ledger.settle("steps", message(8, ledger.runId), outcome(2));
  await clock.advance(1000);
  expect(acked).toEqual([]);
  expect(commits[0]?.[0]).toMatchObject({ run: { counts: { in: 2 } }, checkpoints: [{ settled: [7, 7] }] });
  commit();
  await flushed;
  expect(acked).toEqual([7]);
  await clock.advance(200);
  expect(commits[1]?.[0]).toMatchObject({ run: { counts: { in: 4 } }, checkpoints: [{ settled: [7, 8] }] });
  commit();
  await clock.advance(1);
  expect(acked).toEqual([7, 8]);
});

test("many runs settle in one commit", async () => {
  const { clock, commits, ledgerOf, message } = world();
  const ledgers = ["a", "b", "c"].map((id) => ledgerOf(id));
  for (const ledger of ledgers) ledger.settle("steps", message(1, ledger.runId), outcome(2));
  await clock.advance(1);
  expect(commits.map((settlements) => settlements.length)).toEqual([3]);
});

test("while the store is away nothing is acknowledged, the reason is told, and then the same is committed once more", async () => {
  const { clock, commits, acked, settler, ledgerOf, message, answer } = world();
  answer(() => Promise.reject(new Error("gone")));
  const ledger = ledgerOf("a");
  ledger.settle("steps", message(1, ledger.runId), outcome(2));
  await clock.advance(5000);
  expect(settler.reason).toBe("the store is away");
  expect(acked).toEqual([]);
  answer(async () => ({ stale: [] }));
  await clock.advance(500);
  expect(acked).toEqual([1]);
  expect(settler.reason).toBeNull();
  expect(commits.at(-1)).toEqual(commits[0]);
});

test("nothing waits for the store once what could not be committed was given up", async () => {
  const { clock, settler, ledgerOf, message, answer } = world();
  answer(() => Promise.reject(new Error("gone")));
  const ledger = ledgerOf("a");
  ledgerOf("b");
  ledger.settle("steps", message(1, ledger.runId), outcome(2));
  await clock.advance(5000);
  expect(settler.reason).toBe("the store is away");
  settler.remove(ledger);
  await clock.advance(1000);
  expect(settler.reason).toBeNull();
});

test("a stale owner's messages are never acknowledged, and whoever waits for its ledger is told (invariant 5)", async () => {
  const { clock, acked, ledgerOf, message, answer } = world();
  answer(async () => ({ stale: ["a"] }));
  const told: unknown[] = [];
  const ledger = ledgerOf("a", (error) => told.push(error));
  const other = ledgerOf("b");
  ledger.settle("steps", message(1, ledger.runId), outcome(2));
  other.settle("steps", message(2, other.runId), outcome(2));
  const flushed = expect(ledger.flushed()).rejects.toThrow("later owner");
  await clock.advance(10);
  await flushed;
  expect(told).toHaveLength(1);
  expect(acked).toEqual([2]);
  await expect(ledger.flushed()).rejects.toThrow("later owner");
});

test("what the store can never write ends its own run alone: the others' messages are acknowledged", async () => {
  const { clock, acked, settler, ledgerOf, message, answer } = world();
  answer(async () => ({ stale: [], unwritable: [{ integrationId: "a", reason: "no such value" }] }));
  const told: unknown[] = [];
  const ledger = ledgerOf("a", (error) => told.push(error));
  const other = ledgerOf("b");
  ledger.settle("steps", message(1, ledger.runId), outcome(2));
  other.settle("steps", message(2, other.runId), outcome(2));
  const flushed = expect(ledger.flushed()).rejects.toThrow("cannot be written: no such value");
  await clock.advance(10);
  await flushed;
  expect(told).toEqual([expect.any(UnwritableError)]);
  expect(acked).toEqual([2]);
  expect(settler.reason).toBeNull();
});

/** Time goes on while no timer runs. */
class StandingClock extends VirtualClock {
  stoodMs = 0;

  override now(): number {
    return super.now() + this.stoodMs;
  }
}

test("a process that stood still asks with its next commit whether it is the owner yet, and once (invariant 5)", async () => {
  const clock = new StandingClock();
  const { settler, ledgerOf, commits, answer } = world(clock);
  const ledger = ledgerOf("a");
  const owned = () => ledger.owned(settler.wokeAt(clock.now()));
  await clock.advance(60_000);
  expect(owned()).toBeUndefined();
  clock.stoodMs += 5_000;
  const asked = owned();
  expect([asked, owned()]).toEqual([expect.any(Promise), expect.any(Promise)]);
  await clock.advance(10);
  await asked;
  expect(commits).toHaveLength(1);
  expect(owned()).toBeUndefined();
  // A timer is the first to notice.
  clock.stoodMs += 5_000;
  await clock.advance(1_000);
  answer(async () => ({ stale: ["a"] }));
  const refused = expect(owned()).rejects.toThrow("later owner");
  await clock.advance(200);
  await refused;
});

test("a stop commits what there is, and later waits are refused", async () => {
  const { clock, acked, settler, ledgerOf, message } = world();
  const ledger = ledgerOf("a");
  ledger.settle("steps", message(1, ledger.runId), outcome(2));
  await clock.advance(1);
  ledger.settle("steps", message(2, ledger.runId), outcome(2));
  await settler.stop();
  expect(acked).toEqual([1, 2]);
  await expect(ledger.flushed()).rejects.toThrow("the node stops");
});

test("a body is not kept until its commit", async () => {
  const { ledgerOf, message, answer } = world();
  answer(() => new Promise(() => {}));
  const ledger = ledgerOf("a");
  ledger.settle("steps", Object.assign(message(1, ledger.runId), { body: new Uint8Array(100_000) }), outcome(2));
  expect(JSON.stringify(ledger.snapshot().messages)).not.toContain("body");
});
