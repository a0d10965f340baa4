import type { JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedStep } from "../config/index.ts";
import { compileCondition } from "./condition.ts";
import { type Flow, FlowBuilder } from "./flow.ts";
import type { Step, StepServices } from "./step.ts";

/** Each record goes to the first route that takes it, else where `otherwise` says, else nowhere. */
export function compileRoute(
  { routes, otherwise }: Extract<ResolvedStep, { type: "route" }>,
  services: StepServices,
): Step {
  const compiled = routes.map(({ to, where }) => ({ to, condition: compileCondition(where, services) }));
  return async (input, fail, context) => {
    const failed = new Set<number>();
    const refuse = (place: number, error: unknown) => {
      failed.add(place);
      fail(place, error);
    };
    const targets: (string | null)[] = input.values.map(() => otherwise);
    let left: readonly number[] = [...input.values.keys()];
    for (const { to, condition } of compiled) {
      const taken = new Set(await condition(input, left, refuse, context));
      for (const place of taken) targets[place] = to;
      left = left.filter((place) => !taken.has(place) && !failed.has(place));
    }
    const flows = new Map<string, FlowBuilder>();
    for (const [place, target] of targets.entries()) {
      if (target === null || failed.has(place)) continue;
      const flow = flows.get(target) ?? new FlowBuilder();
      flow.add(input, place, input.values[place] as JsonObject);
      flows.set(target, flow);
    }
    return new Map<string, Flow>(Array.from(flows, ([target, flow]) => [target, flow.build()]));
  };
}
