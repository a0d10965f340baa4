import { noStepCounts, type StepCounts } from "../ports/ledger.ts";
import type { Flow } from "./flow.ts";
import type { Slices, Step, StepContext, StepOutput } from "./step.ts";
import { addStepCounts } from "./step-tally.ts";

export interface Attempt {
  readonly fail: Parameters<Step>[1];
  readonly context: StepContext;
  readonly counts: StepCounts;
}

/**
 * Runs a step that can be run again. Where it crashes, without saying of a record that it is at fault, each half is run by
 * itself, until the record stands alone that crashes it (invariant 6).
 */
export function attempt(run: Step, input: Flow, { fail, context, counts }: Attempt): ReturnType<Step> {
  return runOrHalve(input, 0);

  /** `from`: where the input stands in the whole. */
  function runOrHalve(input: Flow, from: number): ReturnType<Step> {
    // Of a try that crashes, nothing counts.
    const own = noStepCounts();
    const failures: [index: number, error: unknown][] = [];
    const done = <T>(output: T): T => {
      addStepCounts(counts, own);
      for (const [index, error] of failures) fail(from + index, error);
      return output;
    };
    const halve = (error: unknown): ReturnType<Step> => {
      context.signal.throwIfAborted();
      const { length } = input.values;
      if (length > 1) {
        const middle = length >> 1;
        const first = runOrHalve(slice(input, 0, middle), from);
        const second = runOrHalve(slice(input, middle, length), from + middle);
        if (first instanceof Promise || second instanceof Promise) return Promise.all([first, second]).then(joined);
        return joined([first, second]);
      }
      fail(from, error);
      return nothing;
    };
    let output: ReturnType<Step>;
    try {
      output = run(input, (index, error) => void failures.push([index, error]), context, own);
    } catch (error) {
      return halve(error);
    }
    return output instanceof Promise ? output.then(done, halve) : done(output);
  }
}

const nothing: Flow = { origins: [], values: [] };

function slice({ origins, values, children, part }: Flow, from: number, to: number): Flow {
  return {
    origins: origins.slice(from, to),
    values: values.slice(from, to),
    children: children?.slice(from, to),
    part,
  };
}

function joined([first, second]: readonly (StepOutput | Slices)[]): StepOutput | Slices {
  const parts = [first, second].filter((output) => output !== undefined);
  if (parts.some((output) => "slices" in output)) {
    return { slices: parts.flatMap((output) => ("slices" in output ? [...output.slices] : [output as Flow])) };
  }
  const [a, b] = [first as StepOutput, second as StepOutput];
  if (a === nothing) return b;
  if (b === nothing) return a;
  if (!(a instanceof Map) || !(b instanceof Map)) return concatenated(a as Flow, b as Flow);
  const all = new Map<string, Flow>(a);
  for (const [target, flow] of b) {
    const before = all.get(target);
    all.set(target, before ? concatenated(before, flow) : flow);
  }
  return all;
}

function concatenated(a: Flow, b: Flow): Flow {
  const childrenOf = ({ children, values }: Flow) => children ?? values.map(() => "");
  return {
    origins: [...a.origins, ...b.origins],
    values: [...a.values, ...b.values],
    children: a.children || b.children ? [...childrenOf(a), ...childrenOf(b)] : undefined,
    part: a.part,
  };
}
