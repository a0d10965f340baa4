import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedStep } from "../config/index.ts";
import type { Script } from "../ports/sandbox.ts";
import { cut, FlowBuilder, sliceRecords } from "./flow.ts";
import { type Step, StepRefusal, type StepServices } from "./step.ts";

/** A user's function, for a whole batch in one call of the sandbox: a record gives one, several or none. */
export function compileTransform(
  { script: source }: Extract<ResolvedStep, { type: "transform" }>,
  { sandbox }: StepServices,
): Step {
  const script: Script = { kind: "function", source };
  return async (input, fail, { scope, meta, signal }, counts) => {
    const output = new FlowBuilder();
    if (input.values.length === 0) return output.build();
    const calls = input.values.map((record, i) => ({
      record,
      meta: meta(input.origins[i] as number, input.children?.[i] ?? ""),
    }));
    const results = await sandbox.run(scope, script, calls, signal);
    for (const [index, result] of results.entries()) {
      if (!result.ok) fail(index, new StepRefusal(result.message, result.code));
      else if (Array.isArray(result.value)) {
        if (result.value.length === 0) counts.filtered++;
        else counts.expanded += result.value.length - 1;
        for (const [n, record] of result.value.entries()) output.addChild(input, index, n, record as JsonObject);
      } else if (result.value !== undefined) output.add(input, index, result.value as Json as JsonObject);
      else counts.filtered++;
    }
    const flow = output.build();
    return output.length <= sliceRecords ? flow : { slices: cut(flow, sliceRecords, "") };
  };
}
