import type { Json } from "../../connectors/sdk/index.ts";
import type { ResolvedIntegration, ResolvedStep } from "../config/index.ts";
import type { RefusedRecord, StepsEvent, StepsResult } from "../ports/workers.ts";
import { isObject, parseJson } from "../record/index.ts";
import type { Flow } from "./flow.ts";
import { type Pipeline, type PipelineContext, type StepFailure, StopError } from "./pipeline.ts";
import { StepTally } from "./step-tally.ts";

/**
 * Whether what becomes of a batch follows from its bytes alone, and comes at once: any thread can find it out. A record
 * gives one at each destination at most.
 */
export function isPure({ steps, contract }: Pick<ResolvedIntegration, "steps" | "contract">): boolean {
  // `discard_value` changes records after they are parsed.
  return contract !== "discard_value" && steps.every((step) => step.rateLimit === null && isPureStep(step));
}

/** Whether a batch that goes through the steps again gives what it gave before: look-ups and scripts may answer differently. */
export function isRepeatable({ steps }: Pick<ResolvedIntegration, "steps">): boolean {
  return steps.every((step) => step.type === "split" || step.type === "aggregate" || isPureStep(step));
}

function isPureStep(step: ResolvedStep): boolean {
  switch (step.type) {
    case "validate":
      return true;
    case "filter":
      return !isScript(step.where);
    case "map":
      return !step.mapping.some(hasScript);
    case "route":
      return !step.routes.some(({ where }) => isScript(where));
    default:
      return false;
  }
}

/** A predicate is a text, or a script as an object. */
function isScript(where: Json | undefined): boolean {
  return isObject(where);
}

function hasScript(rule: Json): boolean {
  if (!isObject(rule)) return false;
  const { transform, when, each } = rule;
  return transform !== undefined || isScript(when) || (Array.isArray(each) && each.some(hasScript));
}

/** Takes a batch through pure steps; what comes of it as data that can go to another thread. */
export async function throughPure(pipeline: Pipeline, flow: Flow): Promise<Omit<StepsResult, "cpuMicros">> {
  const events: StepsEvent[] = [];
  const counts = new StepTally();
  const context: PipelineContext = {
    ...unasked,
    counts,
    deliver: (destination, { origins, values, part }) => {
      const text = values.map((value) => JSON.stringify(value)).join("\n");
      events.push({ type: "delivered", destination, origins, part, text });
    },
    failed: (failure, drop) => {
      events.push({ type: "failed", failure: refused(failure), drop });
    },
  };
  try {
    await pipeline.process(flow, context);
  } catch (error) {
    if (!(error instanceof StopError)) throw error;
    events.push({ type: "stopped", failure: refused(error.failure) });
  }
  return { events, steps: counts.steps };
}

/** Pure steps ask for none of this. */
const unasked = {
  scope: "",
  now: 0,
  recordId: notAsked,
  meta: notAsked,
  absorbed: notAsked,
  signal: new AbortController().signal,
};

function notAsked(): never {
  throw new Error("pure steps do not ask for it");
}

function refused({ origin, step, rule, code, message, errors, state }: StepFailure): RefusedRecord {
  return { origin, step, rule, code, message, errors, state: JSON.stringify(state) };
}

/** What `refused` was made of. */
export function stepFailureOf({ state, ...failure }: RefusedRecord): StepFailure {
  return { ...failure, child: "", attempts: [], state: parseJson(state) as StepFailure["state"] };
}
