import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedStep } from "../config/index.ts";
import { compileCondition } from "./condition.ts";
import { compileEnrich } from "./enrich.ts";
import { type Flow, FlowBuilder } from "./flow.ts";
import { compileMap } from "./map.ts";
import { compileRoute } from "./route.ts";
import { compileSplit } from "./split.ts";
import { type Step, StepRefusal, type StepServices } from "./step.ts";
import { compileTransform } from "./transform.ts";

/** Every step but `aggregate`, which keeps what it is given. */
export function compileStep(step: Exclude<ResolvedStep, { type: "aggregate" }>, services: StepServices): Step {
  switch (step.type) {
    case "filter":
      return compileFilter(step.where, services);
    case "map":
      return compileMap(step.mapping, services);
    case "validate": {
      const validate = services.validator.compile(step.schema);
      return (input, fail) =>
        each(input, fail, (value) => {
          const errors = validate(value);
          if (errors.length === 0) return value;
          const message = errors.map(({ path, message }) => `${path || "the record"} ${message}`).join("; ");
          throw new StepRefusal(message, "VALIDATION_ERROR", null, [], errors);
        });
    }
    case "enrich":
      return compileEnrich(step, services);
    case "split":
      return compileSplit(step);
    case "route":
      return compileRoute(step, services);
    case "transform":
      return compileTransform(step, services);
  }
}

function compileFilter(where: Json, services: StepServices): Step {
  const condition = compileCondition(where, services);
  const keep = (input: Flow, places: readonly number[]): Flow => {
    if (places.length === input.values.length) return input;
    const output = new FlowBuilder();
    for (const place of places) output.add(input, place, input.values[place] as JsonObject);
    return output.build();
  };
  return (input, fail, context, counts) => {
    const missed = () => counts.filtered++;
    const places = condition(input, [...input.values.keys()], fail, context, missed);
    return places instanceof Promise ? places.then((kept) => keep(input, kept)) : keep(input, places);
  };
}

/** Applies `change` to each record; undefined leaves it out, a throw fails it alone. */
function each(
  input: Flow,
  fail: (index: number, error: unknown) => void,
  change: (value: JsonObject) => JsonObject | undefined,
): Flow {
  const output = new FlowBuilder();
  for (let index = 0; index < input.values.length; index++) {
    try {
      const value = change(input.values[index] as JsonObject);
      if (value !== undefined) output.add(input, index, value);
    } catch (error) {
      fail(index, error);
    }
  }
  return output.build();
}
