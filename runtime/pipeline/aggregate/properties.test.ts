import fc from "fast-check";
import { expect, it, vi } from "vitest";
import type { JsonObject } from "../../../connectors/sdk/index.ts";
import { parseJson } from "../../record/index.ts";
import { Aggregate, type AggregateStep, type ClosedWindow, type StoredGroup } from "./index.ts";

// Many runs on a machine that may be busy: a limit for what hangs, not a measure of speed.
vi.setConfig({ testTimeout: 120_000 });

const functions = ["sum", "avg", "min", "max", "first", "last", "collect"] as const;

const step = (count: number | null, durationMs: number | null, emit: boolean): AggregateStep => ({
  id: "s",
  type: "aggregate",
  needs: ["source"],
  onError: "dead_letter",
  rateLimit: null,
  concurrency: 1,
  key: ["k.a", "__proto__"],
  window: { count, durationMs },
  measures: [
    { name: "n", function: "count", path: null },
    ...functions.map((of) => ({ name: of, function: of, path: "v" })),
  ],
  emit: emit ? [] : null,
});

const value = fc.constantFrom(
  ..."0.1 0.2 -19.99 3 1e400 -1e-400 9007199254740993 0.30000000000000004 123456789.123456789 1e21".split(" "),
  ...'"b" "\ufffd" "😀" null [1] {"b":1e400,"a":2}'.split(" "),
);
/** Numbers for the most part, so that few records fail. */
const field = fc.oneof(
  { weight: 8, arbitrary: value },
  { weight: 8, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map((v) => JSON.stringify(v)) },
  { weight: 8, arbitrary: fc.integer({ min: -1_000_000, max: 1_000_000 }).map((cents) => String(cents / 100)) },
);
const record = fc
  .tuple(fc.constantFrom("1", "1.0", '"x"', "null", "9007199254740993", "9007199254740993.0"), fc.option(field))
  .map(([key, v]) => `{"k":{"a":${key}},"__proto__":{"z":1}${v === null ? "" : `,"v":${v}`}}`);

/** When a record comes, in ms after the one before; mostly in the same batch. */
const input = fc.array(fc.tuple(record, fc.constantFrom(0, 0, 0, 5, 40)), { maxLength: 60 });
const window = fc.tuple(fc.option(fc.integer({ min: 1, max: 5 })), fc.option(fc.constantFrom(20, 50)), fc.boolean());

interface Output {
  readonly closed: readonly ClosedWindow[];
  readonly failed: readonly string[];
}

const run = (
  input: readonly [string, number][],
  options: AggregateStep,
  restartAt: (index: number) => boolean,
): Output => {
  let aggregate = new Aggregate(options);
  const stored = new Map<string, StoredGroup>();
  const closed: ClosedWindow[] = [];
  const failed: string[] = [];
  let now = 0;
  let batch: { values: JsonObject[]; base: number } = { values: [], base: 0 };
  const commit = () => {
    const { values, base } = batch;
    const fail = (i: number, { message }: { message: string }) => failed.push(`${base + i} ${message}`);
    closed.push(...aggregate.add(values, (i) => `r${base + i}`, now, fail));
  };
  for (const [index, [text, after]] of input.entries()) {
    const restart = restartAt(index);
    if (after > 0 || restart) {
      commit();
      batch = { values: [], base: index };
    }
    now += after;
    if (restart) {
      for (const group of aggregate.changes()) {
        if (group.state === null) expect(stored.delete(group.key)).toBe(true);
        // As a store gives it back: another object, whose members may stand in another order.
        else stored.set(group.key, JSON.parse(JSON.stringify(group)));
      }
      aggregate = new Aggregate(options);
      expect(aggregate.restore([...stored.values()].reverse())).toEqual([]);
    }
    batch.values.push(parseJson(text) as JsonObject);
  }
  commit();
  closed.push(...aggregate.flush(now + 1));
  return { closed, failed };
};

it("batches cut anywhere, with a restart from what was stored at each cut, give the same windows", () => {
  fc.assert(
    fc.property(input, window, fc.infiniteStream(fc.boolean()), (input, [count, duration, emit], cuts) => {
      const options = step(count, duration, emit);
      const decided = input.map(() => cuts.next().value as boolean);
      const whole = run(input, options, () => false);
      const cut = run(input, options, (index) => decided[index] as boolean);
      expect(JSON.stringify(cut)).toBe(JSON.stringify(whole));
      const ids = whole.closed.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      const counted = whole.closed.reduce((sum, { value }) => sum + (value.count as number), 0);
      expect(counted + whole.failed.length).toBe(input.length);
    }),
    { numRuns: 1500 },
  );
});

it("what is due next is the window that opened first, whichever others close before", () => {
  const options = { ...step(2, 100, false), measures: [], key: ["k"] };
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat({ max: 12 }), fc.nat({ max: 150 })), { maxLength: 80 }), (input) => {
      const aggregate = new Aggregate(options);
      let open: { k: number; start: number; count: number }[] = [];
      for (const [k, now] of input) {
        // Time jumps back and forth: what is open by a plain list is what the aggregate has.
        open = open.filter(({ start }) => start + 100 > now);
        const known = open.find((each) => each.k === k);
        if (known === undefined) open.push({ k, start: now, count: 1 });
        else open = open.filter((each) => each !== known);
        aggregate.add(
          [{ k }],
          () => `${k}`,
          now,
          () => {},
        );
        const starts = open.map(({ start }) => start);
        expect(aggregate.nextDue).toBe(starts.length === 0 ? undefined : Math.min(...starts) + 100);
      }
      expect(aggregate.flush(0)).toHaveLength(open.length);
    }),
    { numRuns: 1000 },
  );
});
