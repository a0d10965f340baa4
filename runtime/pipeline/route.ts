import type { JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedStep } from "../config/index.ts";
import { compileCondition } from "./condition.ts";
import { type Flow, FlowBuilder } from "./flow.ts";
import type { Step, StepOutput, StepServices } from "./step.ts";

/** Each record goes to the first route that takes it, else where `otherwise` says, else nowhere. */
export function compileRoute(
  { routes, otherwise }: Extract<ResolvedStep, { type: "route" }>,
  services: StepServices,
): Step {
  const compiled = routes.map(({ to, where }) => ({ to, condition: compileCondition(where, services) }));
  return (input, fail, context, counts) => {
    const failed = new Set<number>();
    const refuse = (place: number, error: unknown) => {
      failed.add(place);
      fail(place, error);
    };
    const targets: (string | null)[] = input.values.map(() => otherwise);
    /** From the n-th route on; without a promise up to the first that asks a script. */
    const from = (n: number, left: readonly number[]): StepOutput | Promise<StepOutput> => {
      const route = compiled[n];
      if (route === undefined) {
        for (const [place, target] of targets.entries()) if (target === null && !failed.has(place)) counts.filtered++;
        return divide(input, targets, failed);
      }
      const next = (places: readonly number[]) => {
        const taken = new Set(places);
        for (const place of taken) targets[place] = route.to;
        return from(
          n + 1,
          left.filter((place) => !taken.has(place) && !failed.has(place)),
        );
      };
      const places = route.condition(input, left, refuse, context);
      return places instanceof Promise ? places.then(next) : next(places);
    };
    return from(0, [...input.values.keys()]);
  };
}

function divide(input: Flow, targets: readonly (string | null)[], failed: ReadonlySet<number>): StepOutput {
  const flows = new Map<string, FlowBuilder>();
  for (const [place, target] of targets.entries()) {
    if (target === null || failed.has(place)) continue;
    const flow = flows.get(target) ?? new FlowBuilder();
    flow.add(input, place, input.values[place] as JsonObject);
    flows.set(target, flow);
  }
  return new Map<string, Flow>(Array.from(flows, ([target, flow]) => [target, flow.build()]));
}
