import type { JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedStep } from "../config/index.ts";
import { compileMapping, compilePredicate } from "../mapping/index.ts";
import { type Flow, FlowBuilder } from "./flow.ts";
import { compileSplit } from "./split.ts";
import { type Step, StepRefusal, type StepServices } from "./step.ts";
import { compileTransform } from "./transform.ts";

export function compileStep(step: ResolvedStep, services: StepServices): Step {
  switch (step.type) {
    case "filter": {
      const where = compilePredicate(step.where);
      return (input, fail) => each(input, fail, (value) => (where.test(value) ? value : undefined));
    }
    case "map": {
      const mapping = compileMapping(step.mapping);
      return (input, fail) => each(input, fail, (value) => mapping.apply(value));
    }
    case "validate": {
      const validate = services.validator.compile(step.schema);
      return (input, fail) =>
        each(input, fail, (value) => {
          const errors = validate(value);
          if (errors.length === 0) return value;
          throw new StepRefusal(errors.map(({ path, message }) => `${path || "the record"} ${message}`).join("; "));
        });
    }
    case "split":
      return compileSplit(step);
    case "route":
      return compileRoute(step);
    case "transform":
      return compileTransform(step, services);
  }
}

/** Each record goes to the first route that takes it, else where `otherwise` says, else nowhere. */
function compileRoute({ routes, otherwise }: Extract<ResolvedStep, { type: "route" }>): Step {
  const compiled = routes.map(({ to, where }) => ({ to, where: compilePredicate(where) }));
  const targets = [...new Set([...routes.map(({ to }) => to), ...(otherwise === null ? [] : [otherwise])])];
  return (input, fail) => {
    const flows = new Map(targets.map((target) => [target, new FlowBuilder()]));
    for (const [index, value] of input.values.entries()) {
      try {
        const target = compiled.find(({ where }) => where.test(value))?.to ?? otherwise;
        if (target !== null) flows.get(target)?.add(input, index, value);
      } catch (error) {
        fail(index, error);
      }
    }
    return new Map(Array.from(flows, ([target, flow]) => [target, flow.build()]));
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
