import { expect, test } from "vitest";
import type { OutRecord, WriteBatch } from "../../connectors/sdk/index.ts";
import { realClock } from "../ports/clock.ts";
import { Deliverer } from "./deliverer.ts";

const recordsOf = (count: number): OutRecord[] =>
  Array.from({ length: count }, (_, n) => ({ value: { n }, text: `{"n":${n}}`, id: String(n) }));

/** Sizes of the writes that records of `bytes` bytes in all, handed in as one parcel, are delivered in. */
async function writesOf(count: number, bytes: number, batch: { records: number; bytes: number }) {
  const writes: number[] = [];
  const deliverer = new Deliverer({
    destination: {
      concurrency: 4,
      async write({ records }: WriteBatch) {
        writes.push(records.length);
        const failed = records.flatMap(({ id }, index) =>
          id === "7" ? [{ index, code: "VALIDATION_ERROR" as const, message: "no" }] : [],
        );
        return { state: { last: records.at(-1)!.id }, failed };
      },
    },
    batch: { ...batch, lingerMs: 0 },
    retry: { maxAttempts: 1, initialMs: 1, maxMs: 1, multiplier: 1, jitter: 0 },
    clock: realClock,
    signal: new AbortController().signal,
    waiting: () => {},
  });
  return { ...(await deliverer.submit({ records: recordsOf(count), bytes })), writes };
}

test.each([
  [10, 100, { records: 500, bytes: 100_000 }, [10]],
  [10, 100, { records: 10, bytes: 100_000 }, [10]],
  [10, 100, { records: 4, bytes: 100_000 }, [4, 4, 2]],
  [10, 100, { records: 1, bytes: 100_000 }, Array(10).fill(1)],
  [10, 100, { records: 500, bytes: 20 }, [2, 2, 2, 2, 2]],
  [10, 120, { records: 500, bytes: 100 }, [10]],
  [1, 5_000, { records: 500, bytes: 100 }, [1]],
])("%i records of %i bytes are written in batches of %j", async (count, bytes, batch, writes) => {
  expect((await writesOf(count, bytes, batch)).writes).toEqual(writes);
});

test("a parcel that is written in parts says which of its records failed, and gives the last state", async () => {
  const { undelivered, state } = await writesOf(10, 100, { records: 3, bytes: 100_000 });
  expect(undelivered).toMatchObject([{ index: 7, code: "VALIDATION_ERROR" }]);
  expect(state).toEqual({ last: "9" });
});
