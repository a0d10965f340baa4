import type { ErrorCode, JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedIntegration } from "../config/index.ts";
import { SluiceError } from "../errors/index.ts";
import { MappingFailure } from "../mapping/index.ts";
import { compileStep } from "./compile-step.ts";
import { type Flow, union } from "./flow.ts";
import { type StepContext, type StepOutput, StepRefusal, type StepServices } from "./step.ts";

/** A record that a step refused. */
export interface StepFailure {
  readonly origin: number;
  readonly step: string;
  /** Index of the mapping rule, or null. */
  readonly rule: number | null;
  readonly code: ErrorCode;
  readonly message: string;
  /** The record as it entered the step. */
  readonly state: JsonObject;
}

export interface PipelineResult {
  /** What reaches each destination, by its id. */
  readonly outputs: ReadonlyMap<string, Flow>;
  readonly failures: readonly StepFailure[];
}

/** A step says `on_error: stop`: the run fails and the record stays in the log. */
export class StopError extends SluiceError {
  readonly failure: StepFailure;

  constructor(failure: StepFailure) {
    super(failure.code, `step ${failure.step}: ${failure.message}`);
    this.failure = failure;
  }
}

export type Pipeline = (source: Flow, context: StepContext) => Promise<PipelineResult>;

const nothing: Flow = { origins: [], values: [] };

/** Compiles an integration's steps: one pass a batch, each step over the whole batch, in dependency order. */
export function compilePipeline(integration: ResolvedIntegration, services: StepServices): Pipeline {
  const steps = integration.steps.map((step) => ({ step, run: compileStep(step, services) }));
  const { destinations } = integration;
  return async (source, context) => {
    const outputs = new Map<string, StepOutput>([["source", source]]);
    const failures: StepFailure[] = [];
    for (const { step, run } of steps) {
      const input = inputOf(step, outputs);
      const fail = (index: number, error: unknown) => {
        const failure = stepFailure(step.id, input, index, error);
        if (step.onError === "stop") throw new StopError(failure);
        if (step.onError === "dead_letter") failures.push(failure);
      };
      const output = run(input, fail, context);
      // Steps without scripts cost no turn of the event loop.
      outputs.set(step.id, output instanceof Promise ? await output : output);
    }
    return {
      outputs: new Map(destinations.map((destination) => [destination.id, inputOf(destination, outputs)])),
      failures,
    };
  };
}

/** What feeds a step or destination: all that its needs give, of a route only what it sends there. */
function inputOf(
  { id, needs }: { id: string; needs: readonly string[] },
  outputs: ReadonlyMap<string, StepOutput>,
): Flow {
  return union(
    needs.map((need) => {
      const output = outputs.get(need) as StepOutput;
      return output instanceof Map ? (output.get(id) ?? nothing) : (output as Flow);
    }),
  );
}

function stepFailure(step: string, input: Flow, index: number, error: unknown): StepFailure {
  if (!(error instanceof MappingFailure) && !(error instanceof StepRefusal)) throw error;
  const { code, message, rule } = error;
  return {
    origin: input.origins[index] as number,
    step,
    rule,
    code,
    message,
    state: input.values[index] as JsonObject,
  };
}
