import { describe, expect, test } from "vitest";
import type { OutRecord, WriteBatch, WriteResult } from "../../connectors/sdk/index.ts";
import { realClock } from "../ports/clock.ts";
import { Lanes, type Order } from "./lanes.ts";

/** `id` is a key's letter and a number: `a1`. */
const recordsOf = (...ids: string[]): OutRecord[] => ids.map((id) => ({ value: { id }, text: `{"id":"${id}"}`, id }));

const byLetter: Order = { key: ({ id }) => id.slice(0, 1) };

function lanesOf(order: Order, write: (batch: WriteBatch) => WriteResult | Promise<WriteResult>) {
  const writes: string[][] = [];
  let under = 0;
  let most = 0;
  const lanes = new Lanes(order, {
    destination: {
      concurrency: 4,
      async write(batch) {
        writes.push(batch.records.map(({ id }) => id));
        most = Math.max(most, ++under);
        try {
          return await write(batch);
        } finally {
          under--;
        }
      },
    },
    batch: { records: 3, bytes: 100_000, lingerMs: 0 },
    retry: { maxAttempts: 3, initialMs: 1, maxMs: 1, multiplier: 1, jitter: 0 },
    clock: realClock,
    signal: new AbortController().signal,
    waiting: () => {},
  });
  const submit = (...ids: string[]) => lanes.submit({ records: recordsOf(...ids), bytes: 10 * ids.length });
  return { submit, writes, most: () => most };
}

const later = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

describe("in strict order", () => {
  test("one batch is written after another", async () => {
    const { submit, writes, most } = lanesOf("strict", async () => {
      await later();
      return {};
    });
    await Promise.all([submit("a1", "b1"), submit("a2", "b2"), submit("c1"), submit("a3", "a4", "a5", "a6")]);
    expect(writes.flat()).toEqual(["a1", "b1", "a2", "b2", "c1", "a3", "a4", "a5", "a6"]);
    expect(most()).toBe(1);
  });

  test("a record that is tried again is written again with all behind it, save those that were given up", async () => {
    let first = true;
    const { submit, writes } = lanesOf("strict", ({ ordered }) => {
      expect(ordered).toBe(true);
      if (!first) return {};
      first = false;
      return {
        failed: [
          { index: 2, code: "VALIDATION_ERROR", message: "no" },
          { index: 1, code: "UNAVAILABLE", message: "not now" },
        ],
      };
    });
    const [one, two] = await Promise.all([submit("a1", "a2", "a3"), submit("a4")]);
    expect(writes).toEqual([["a1", "a2", "a3"], ["a2"], ["a4"]]);
    expect(one.undelivered).toMatchObject([{ index: 2, code: "VALIDATION_ERROR" }]);
    expect(two.undelivered).toEqual([]);
  });

  test("a record that is given up after its tries lets the next one go", async () => {
    const { submit, writes } = lanesOf("strict", ({ records }) => {
      if (records[0]?.id === "a1") return { failed: [{ index: 0, code: "UNAVAILABLE", message: "not now" }] };
      return {};
    });
    const [one, two] = await Promise.all([submit("a1", "a2"), submit("a3")]);
    expect(one.undelivered).toMatchObject([{ index: 0, attempts: [{}, {}, {}] }]);
    expect(two.undelivered).toEqual([]);
    expect(writes).toEqual([["a1", "a2"], ["a1", "a2"], ["a1", "a2"], ["a2"], ["a3"]]);
  });
});

describe("in the order of keys", () => {
  test("records of one key follow each other, and others go past what is tried again", async () => {
    let held = true;
    const confirmed: string[] = [];
    const { submit } = lanesOf(byLetter, async ({ records }) => {
      await later();
      if (held && records.some(({ id }) => id.startsWith("a"))) throw new Error("not now");
      confirmed.push(...records.map(({ id }) => id));
      held &&= !confirmed.includes("b3");
      return {};
    });
    await Promise.all([submit("a1", "b1"), submit("b2", "a2"), submit("b3", "a3")]);
    expect(confirmed.filter((id) => id.startsWith("b"))).toEqual(["b1", "b2", "b3"]);
    expect(confirmed.filter((id) => id.startsWith("a"))).toEqual(["a1", "a2", "a3"]);
    expect(confirmed.indexOf("b3")).toBeLessThan(confirmed.indexOf("a1"));
  });

  test("what was given up is told by its place in the parcel", async () => {
    const { submit } = lanesOf(byLetter, ({ records }) => ({
      failed: records.flatMap(({ id }, index) =>
        id.endsWith("9") ? [{ index, code: "VALIDATION_ERROR" as const, message: id }] : [],
      ),
      state: "kept",
    }));
    const { undelivered, state } = await submit("a1", "b9", "c1", "a9", "d9", "b1");
    expect(undelivered.map(({ index, message }) => [index, message])).toEqual([
      [1, "b9"],
      [3, "a9"],
      [4, "d9"],
    ]);
    expect(state).toBe("kept");
  });
});

test("without an order as many batches are under way as the destination takes", async () => {
  const { submit, most } = lanesOf("none", async ({ ordered }) => {
    expect(ordered).toBe(false);
    await later();
    return {};
  });
  await Promise.all(["a1", "a2", "a3", "a4", "a5"].map((id) => submit(id, id, id)));
  expect(most()).toBe(4);
});
