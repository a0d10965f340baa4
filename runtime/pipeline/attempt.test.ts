import { expect, test } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { noStepCounts } from "../ports/ledger.ts";
import { attempt } from "./attempt.ts";
import type { Flow } from "./flow.ts";
import { type Step, StepRefusal } from "./step.ts";

const whole = (count: number): Flow => ({
  origins: Array.from({ length: count }, (_, n) => n),
  values: Array.from({ length: count }, (_, n): JsonObject => ({ n })),
  part: "p",
});
const numbersOf = (flow: Flow) => flow.values.map(({ n }) => n);

/** Filters odd numbers, refuses 8, and crashes as a whole at those given. */
function stepOf(poison: readonly number[], given: (flow: Flow) => ReturnType<Step> = (flow) => flow) {
  let runs = 0;
  const step: Step = (input, fail, _context, counts) => {
    runs++;
    const kept: number[] = [];
    for (const [index, { n }] of input.values.entries()) {
      if (poison.includes(n as number)) throw new RangeError("Maximum call stack size exceeded");
      if (n === 8) fail(index, new StepRefusal("no eights"));
      else if ((n as number) % 2 === 1) counts.filtered++;
      else kept.push(index);
    }
    return given({
      origins: kept.map((index) => input.origins[index] as number),
      values: kept.map((index) => input.values[index] as JsonObject),
      part: input.part,
    });
  };
  return { step, runs: () => runs };
}

async function run(step: Step, input: Flow, signal = new AbortController().signal) {
  const failures: [number, unknown][] = [];
  const counts = noStepCounts();
  const context = { signal } as Parameters<Step>[2];
  const output = await attempt(step, input, { fail: (...failure) => failures.push(failure), context, counts });
  return { output: output as Flow, failures, counts };
}

const even = [0, 2, 4, 6, 10, 12, 14];

test.each([
  ["at once", (flow: Flow) => flow],
  ["later", async (flow: Flow) => flow],
])(
  "a record that crashes a step, which gives what it makes %s, is found by halving and fails alone",
  async (_when, given) => {
    const { step, runs } = stepOf([4, 9], given);
    const { output, failures, counts } = await run(step, whole(16));
    expect(numbersOf(output)).toEqual(even.filter((n) => n !== 4));
    expect(output).toMatchObject({ origins: numbersOf(output), part: "p" });
    // What the crashed tries had refused and left out counts once.
    expect(failures.map(([index, error]) => [index, (error as Error).message]).sort((a, b) => +a[0]! - +b[0]!)).toEqual(
      [
        [4, "Maximum call stack size exceeded"],
        [8, "no eights"],
        [9, "Maximum call stack size exceeded"],
      ],
    );
    expect(counts.filtered).toBe(7);
    expect(runs()).toBeLessThan(20);
  },
);

test("where nothing crashes the step runs once", async () => {
  const { step, runs } = stepOf([]);
  const { output, counts } = await run(step, whole(16));
  expect(numbersOf(output)).toEqual(even);
  expect(counts.filtered).toBe(8);
  expect(runs()).toBe(1);
});

test("a route's records go where they would have gone", async () => {
  const { step } = stepOf([5], (flow) => {
    const to = (low: boolean): Flow => {
      const kept = flow.values.flatMap(({ n }, index) => ((n as number) < 7 === low ? [index] : []));
      return {
        origins: kept.map((index) => flow.origins[index] as number),
        values: kept.map((index) => flow.values[index] as JsonObject),
      };
    };
    return new Map([
      ["low", to(true)],
      ["high", to(false)],
    ]);
  });
  const { output, failures } = await run(step, whole(16));
  const flows = output as unknown as ReadonlyMap<string, Flow>;
  expect(numbersOf(flows.get("low") as Flow)).toEqual([0, 2, 4, 6]);
  expect(numbersOf(flows.get("high") as Flow)).toEqual([10, 12, 14]);
  expect(failures).toHaveLength(2);
});

test("what a half makes in slices leaves in slices", async () => {
  const { step } = stepOf([5], (flow) => ({
    slices: flow.values.map((value, index) => ({ origins: [flow.origins[index] as number], values: [value] })),
  }));
  const { output, failures } = await run(step, whole(16));
  const { slices } = output as unknown as { slices: readonly Flow[] };
  expect(slices.flatMap(numbersOf)).toEqual(even);
  expect(failures).toHaveLength(2);
});

test("a stop is no record's fault", async () => {
  const controller = new AbortController();
  const step: Step = async () => {
    controller.abort(new Error("stopped"));
    throw controller.signal.reason;
  };
  await expect(run(step, whole(4), controller.signal)).rejects.toThrow("stopped");
});
