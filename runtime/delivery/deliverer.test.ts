import { expect, test } from "vitest";
import type { OutRecord, WriteBatch } from "../../connectors/sdk/index.ts";
import { realClock } from "../ports/clock.ts";
import { VirtualClock } from "../ports/virtual-clock.ts";
import { Deliverer, type Parcel } from "./deliverer.ts";

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

/** Takes one write after another, each when it is let go. Its state is the id of the last record that it has. */
function inOrder(refused: readonly string[] = []) {
  const writes: string[][] = [];
  const going: (() => void)[] = [];
  const deliverer = new Deliverer({
    destination: {
      concurrency: 1,
      async write({ records }: WriteBatch) {
        const ids = records.map(({ id }) => id);
        writes.push(ids);
        await new Promise<void>((go) => going.push(go));
        const failed = ids.flatMap((id, index) =>
          refused.includes(id) ? [{ index, code: "VALIDATION_ERROR" as const, message: "no" }] : [],
        );
        return { state: { last: ids.at(-1) as string }, failed };
      },
    },
    batch: { records: 500, bytes: 100_000, lingerMs: 0 },
    retry: { maxAttempts: 1, initialMs: 1, maxMs: 1, multiplier: 1, jitter: 0 },
    ordered: true,
    clock: realClock,
    signal: new AbortController().signal,
    waiting: () => {},
  });
  const submit = (id: string, more: Pick<Parcel, "cutFrom" | "failing"> = {}) =>
    deliverer.submit({ records: [{ value: { id }, text: `{"id":"${id}"}`, id }], bytes: 10, ...more });
  const letGo = async () => {
    await expect.poll(() => going.length).toBe(1);
    going.splice(0)[0]?.();
  };
  return { submit, writes, letGo };
}

test("one write at a time: pieces of a message share it with no other, and no state is behind some of it when another is settled", async () => {
  const { submit, writes, letGo } = inOrder();
  const [z, b] = [{}, {}];
  const all = [
    submit("first"),
    submit("z1", { cutFrom: z }),
    submit("z2", { cutFrom: z }),
    submit("b1", { cutFrom: b }),
    submit("c"),
    submit("d"),
  ];
  for (let n = 0; n < 4; n++) await letGo();
  expect((await Promise.all(all)).map(({ state }) => state)).toEqual(
    ["first", "z2", "z2", "b1", "d", "d"].map((last) => ({ last })),
  );
  expect(writes).toEqual([["first"], ["z1", "z2"], ["b1"], ["c", "d"]]);
});

test("parcels of one write are told their results in one turn, whatever the failure of one has to wait for", async () => {
  const { submit, writes, letGo } = inOrder(["b"]);
  const original = Promise.withResolvers<void>();
  let asked = 0;
  const failing = () => {
    asked++;
    return original.promise;
  };
  const told: string[] = [];
  const all = ["first", "a", "b"].map(async (id) => {
    await submit(id, { failing });
    told.push(id);
  });
  await letGo();
  await letGo();
  await expect.poll(() => asked).toBe(1);
  expect([writes, told]).toEqual([[["first"], ["a", "b"]], ["first"]]);
  let turns = 0;
  const count = () => {
    turns++;
  };
  original.promise.then(() => setImmediate(count));
  original.resolve();
  await Promise.all(all);
  expect([told, turns]).toEqual([["first", "a", "b"], 0]);
});

test("what lingers for others is written in time although the machine's clock is set back", async () => {
  const time = new VirtualClock(10_000_000);
  let back = 0;
  const writes: number[] = [];
  const deliverer = new Deliverer({
    destination: {
      concurrency: 1,
      async write({ records }: WriteBatch) {
        writes.push(records.length);
        return {};
      },
    },
    batch: { records: 500, bytes: 100_000, lingerMs: 100 },
    retry: { maxAttempts: 1, initialMs: 1, maxMs: 1, multiplier: 1, jitter: 0 },
    clock: { now: () => time.now() - back, after: time.after.bind(time), sleep: time.sleep, random: time.random },
    signal: new AbortController().signal,
    waiting: () => {},
  });
  const submit = () => void deliverer.submit({ records: recordsOf(1), bytes: 10 });
  submit();
  await time.advance(50);
  back = 3_600_000;
  await time.advance(50);
  expect(writes).toEqual([1]);
  // Set back just before the timer was to be set.
  submit();
  back = 7_200_000;
  submit();
  await time.advance(100);
  expect(writes).toEqual([1, 2]);
});
