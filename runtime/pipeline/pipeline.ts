import type { ErrorCode, JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedIntegration, ResolvedStep } from "../config/index.ts";
import { SluiceError } from "../errors/index.ts";
import { compileMapping, compilePredicate, MappingFailure } from "../mapping/index.ts";

/** Records between two steps: `origins[i]` is the index of the source record that `values[i]` descends from. */
export interface Flow {
  readonly origins: readonly number[];
  readonly values: readonly JsonObject[];
}

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

export type Pipeline = (source: Flow) => PipelineResult;

type Step = (input: Flow, fail: (index: number, error: unknown) => void) => Flow;

/** Compiles an integration's steps: one pass a batch, each step over the whole batch, in dependency order. */
export function compilePipeline(integration: ResolvedIntegration): Pipeline {
  const steps = integration.steps.map((step) => ({ step, run: compileStep(step) }));
  const { destinations } = integration;
  return (source) => {
    const flows = new Map<string, Flow>([["source", source]]);
    const failures: StepFailure[] = [];
    for (const { step, run } of steps) {
      const input = union(flows, step.needs);
      const fail = (index: number, error: unknown) => {
        const failure = stepFailure(step.id, input, index, error);
        if (step.onError === "stop") throw new StopError(failure);
        if (step.onError === "dead_letter") failures.push(failure);
      };
      flows.set(step.id, run(input, fail));
    }
    return { outputs: new Map(destinations.map(({ id, needs }) => [id, union(flows, needs)])), failures };
  };
}

function union(flows: ReadonlyMap<string, Flow>, needs: readonly string[]): Flow {
  const inputs = needs.map((id) => flows.get(id) as Flow);
  if (inputs.length === 1) return inputs[0] as Flow;
  return { origins: inputs.flatMap(({ origins }) => origins), values: inputs.flatMap(({ values }) => values) };
}

function compileStep(step: ResolvedStep): Step {
  switch (step.type) {
    case "filter": {
      const where = compilePredicate(step.where);
      return (input, fail) => each(input, fail, (value) => (where.test(value) ? value : undefined));
    }
    case "map": {
      const mapping = compileMapping(step.mapping);
      return (input, fail) => each(input, fail, (value) => mapping.apply(value));
    }
  }
}

/** Applies `change` to each record; undefined leaves it out, a throw fails it alone. */
function each(
  input: Flow,
  fail: (index: number, error: unknown) => void,
  change: (value: JsonObject) => JsonObject | undefined,
): Flow {
  const origins: number[] = [];
  const values: JsonObject[] = [];
  for (let i = 0; i < input.values.length; i++) {
    try {
      const value = change(input.values[i] as JsonObject);
      if (value === undefined) continue;
      origins.push(input.origins[i] as number);
      values.push(value);
    } catch (error) {
      fail(i, error);
    }
  }
  return { origins, values };
}

function stepFailure(step: string, input: Flow, index: number, error: unknown): StepFailure {
  if (!(error instanceof MappingFailure)) throw error;
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
