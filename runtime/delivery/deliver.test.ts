import { expect, test } from "vitest";
import { ConnectorError, type OutRecord, type WriteBatch, type WriteResult } from "../../connectors/sdk/index.ts";
import { VirtualClock } from "../ports/virtual-clock.ts";
import { type DeliverOptions, deliver } from "./deliver.ts";

const retry = { maxAttempts: 3, initialMs: 100, maxMs: 1000, multiplier: 2, jitter: 0 };
const recordsOf = (count: number): OutRecord[] =>
  Array.from({ length: count }, (_, n) => ({ id: String(n), value: n, text: String(n) }));

/** Delivers with virtual time; `write` sees the numbers of the records. */
function delivering(count: number, write: (numbers: number[], call: number) => WriteResult | Promise<WriteResult>) {
  const clock = new VirtualClock(Date.parse("2026-01-01T00:00:00Z"));
  const controller = new AbortController();
  const calls: number[][] = [];
  const waits: (string | null)[] = [];
  const options: DeliverOptions = {
    destination: {
      write: async ({ records }: WriteBatch) => {
        const numbers = records.map(({ value }) => value as number);
        calls.push(numbers);
        return write(numbers, calls.length);
      },
    },
    retry,
    clock,
    signal: controller.signal,
    waiting: (reason) => waits.push(reason),
  };
  const done = deliver(recordsOf(count), options);
  done.catch(() => {});
  return { clock, controller, calls, waits, done };
}

const refused = () => new ConnectorError("VALIDATION_ERROR", "no", { fault: "record" });
const busy = (retryAfterMs?: number) =>
  new ConnectorError("RATE_LIMITED", "busy", {
    fault: "transient",
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
const gone = () => new ConnectorError("UNAUTHORIZED", "revoked", { fault: "destination" });

test("one write is enough where nothing fails, and its state is given back", async () => {
  const { done, calls } = delivering(3, () => ({ state: { bytes: 7 } }));
  expect(await done).toEqual({ undelivered: [], state: { bytes: 7 } });
  expect(calls).toEqual([[0, 1, 2]]);
});

test("a batch that is refused whole is halved until only the records at fault are left (invariant 6)", async () => {
  const bad = new Set([3, 12]);
  const written: number[] = [];
  const { done } = delivering(16, (numbers) => {
    if (numbers.some((n) => bad.has(n))) throw refused();
    written.push(...numbers);
    return {};
  });
  const { undelivered } = await done;
  expect(undelivered.map(({ index, code, attempts }) => [index, code, attempts.length])).toEqual([
    [3, "VALIDATION_ERROR", 1],
    [12, "VALIDATION_ERROR", 1],
  ]);
  expect(written).toEqual(Array.from({ length: 16 }, (_, n) => n).filter((n) => !bad.has(n)));
});

test("records that a write names as failed settle alone: the others are not written again", async () => {
  const { done, calls, clock } = delivering(4, (_numbers, call) =>
    call === 1
      ? {
          failed: [
            { index: 1, code: "VALIDATION_ERROR", message: "no" },
            { index: 2, code: "UNAVAILABLE", message: "later" },
          ],
        }
      : {},
  );
  await clock.advance(100);
  expect((await done).undelivered.map(({ index }) => index)).toEqual([1]);
  expect(calls).toEqual([[0, 1, 2, 3], [2]]);
});

test("what fails for a passing reason is tried again with backoff, and given up with the history of its attempts", async () => {
  const { done, calls, clock } = delivering(2, () => {
    throw busy();
  });
  await clock.advance(99);
  expect(calls).toHaveLength(1);
  await clock.advance(1);
  expect(calls).toHaveLength(2);
  await clock.advance(200);
  const { undelivered } = await done;
  expect(calls).toHaveLength(3);
  expect(undelivered.map(({ index }) => index)).toEqual([0, 1]);
  expect(undelivered[0]?.attempts).toEqual(
    ["00.000", "00.100", "00.300"].map((at) => ({
      at: `2026-01-01T00:00:${at}Z`,
      code: "RATE_LIMITED",
      message: "busy",
    })),
  );
});

test("how long a destination says to wait goes before the backoff", async () => {
  const { done, calls, clock } = delivering(1, (_numbers, call) => {
    if (call === 1) throw busy(5000);
    return {};
  });
  await clock.advance(4999);
  expect(calls).toHaveLength(1);
  await clock.advance(1);
  expect((await done).undelivered).toEqual([]);
});

test("a destination at fault is waited for, however long, counts no attempt, and the wait says why", async () => {
  const { done, calls, clock, waits } = delivering(3, (_numbers, call) => {
    if (call < 40) throw gone();
    return {};
  });
  await clock.advance(10 * 60 * 60 * 1000);
  expect((await done).undelivered).toEqual([]);
  expect(calls).toHaveLength(40);
  expect(waits).toEqual(["revoked", null]);
});

test("what is thrown without a code is a passing failure", async () => {
  const { done, calls, clock } = delivering(1, (_numbers, call) => {
    if (call === 1) throw new TypeError("a defect");
    return {};
  });
  await clock.advance(1000);
  expect((await done).undelivered).toEqual([]);
  expect(calls).toHaveLength(2);
});

test("the state is that of the last write that gave one", async () => {
  const { done } = delivering(2, (numbers) => {
    if (numbers.length === 2) throw refused();
    return numbers[0] === 0 ? { state: 1 } : {};
  });
  expect((await done).state).toBe(1);
});

test("an abort ends a wait at once", async () => {
  const { done, clock, controller } = delivering(1, () => {
    throw gone();
  });
  await clock.advance(1000);
  controller.abort(new Error("enough"));
  await expect(done).rejects.toThrow("enough");
  expect(clock.nextAt).toBeNull();
});

test("what asks for more patience than an hour is tried again after an hour", async () => {
  const { done, clock, calls } = delivering(1, (_, call) => {
    if (call === 1) throw busy(24 * 3600_000);
    return {};
  });
  await clock.advance(3_599_999);
  expect(calls).toHaveLength(1);
  await clock.advance(1);
  expect((await done).undelivered).toEqual([]);
});

test("nothing waits any more once the last record is given up", async () => {
  const { done, clock, waits } = delivering(1, (_, call) => {
    throw call === 1 ? gone() : refused();
  });
  await clock.advance(60_000);
  expect((await done).undelivered).toMatchObject([{ code: "VALIDATION_ERROR" }]);
  expect(waits).toEqual(["revoked", null]);
});
