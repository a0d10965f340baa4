import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { compileMapping, MappingFailure } from "../mapping/index.ts";
import { FlowBuilder } from "./flow.ts";
import type { Step, StepServices } from "./step.ts";

/** Makes a new record of each, by rules; their scripts run for a whole batch at once. */
export function compileMap(rules: readonly Json[], { sandbox }: Pick<StepServices, "sandbox">): Step {
  const mapping = compileMapping(rules);
  if (mapping.scripted) {
    return async (input, fail, { scope, meta, signal }) => {
      const output = new FlowBuilder();
      const results = await mapping.applyAll(
        input.values,
        (index) => meta(input.origins[index] as number, input.children?.[index] ?? ""),
        (script, calls) => sandbox.run(scope, script, calls, signal),
      );
      for (const [index, result] of results.entries()) {
        if (result instanceof MappingFailure) fail(index, result);
        else output.add(input, index, result);
      }
      return output.build();
    };
  }
  return (input, fail) => {
    const output = new FlowBuilder();
    for (let index = 0; index < input.values.length; index++) {
      try {
        output.add(input, index, mapping.apply(input.values[index] as JsonObject));
      } catch (error) {
        fail(index, error);
      }
    }
    return output.build();
  };
}
