import type { Json } from "../../connectors/sdk/index.ts";
import { compilePredicate } from "../mapping/index.ts";
import type { Flow } from "./flow.ts";
import { type StepContext, StepRefusal, type StepServices } from "./step.ts";

/**
 * Of some places of a flow those for which a predicate holds, in order; what it fails for is told and is none of them.
 * `missed` is called for each that it does not hold for.
 */
export type Condition = (
  input: Flow,
  places: readonly number[],
  fail: (index: number, error: unknown) => void,
  context: StepContext,
  missed?: () => void,
) => readonly number[] | Promise<readonly number[]>;

/** A predicate over a batch: a script for all places in one call of the sandbox. */
export function compileCondition(where: Json, { sandbox }: StepServices): Condition {
  const { script, test } = compilePredicate(where);
  if (script !== undefined) {
    return async (input, places, fail, { scope, meta, signal }, missed) => {
      if (places.length === 0) return places;
      const calls = places.map((place) => ({
        record: input.values[place] as Flow["values"][number],
        meta: meta(input.origins[place] as number, input.children?.[place] ?? ""),
      }));
      const results = await sandbox.run(scope, script, calls, signal);
      return places.filter((place, i) => {
        const result = results[i] as (typeof results)[number];
        if (!result.ok) fail(place, new StepRefusal(result.message, result.code));
        else if (result.value !== true) missed?.();
        return result.ok && result.value === true;
      });
    };
  }
  return (input, places, fail, _context, missed) =>
    places.filter((place) => {
      try {
        const holds = test(input.values[place] as Flow["values"][number]);
        if (!holds) missed?.();
        return holds;
      } catch (error) {
        fail(place, error);
        return false;
      }
    });
}
