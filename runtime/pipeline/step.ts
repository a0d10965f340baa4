import type { ErrorCode, JsonObject } from "../../connectors/sdk/index.ts";
import type { Validator } from "../ports/connectors.ts";
import type { Sandbox } from "../ports/sandbox.ts";
import type { Flow } from "./flow.ts";

/** Why a step refused a record. Thrown; no Error, since a stack says nothing here and would cost more than the record. */
export class StepRefusal {
  readonly code: ErrorCode;
  readonly message: string;
  /** Index of the mapping rule, or null. */
  readonly rule: number | null;

  constructor(message: string, code: ErrorCode = "VALIDATION_ERROR", rule: number | null = null) {
    this.code = code;
    this.message = message;
    this.rule = rule;
  }
}

/** What a step gives: one flow for all that follow it, or one for each that a route names. */
export type StepOutput = Flow | ReadonlyMap<string, Flow>;

/** What a step is told of the batch that it works on. */
export interface StepContext {
  /** Keeps the scripts of integrations apart. */
  readonly scope: string;
  /** What scripts see as `meta`, of the source record at `origin`. */
  meta(origin: number, child: string): JsonObject;
  readonly signal: AbortSignal;
}

/** A compiled step, over a whole batch. What it refuses goes to `fail` (place in the input, MappingFailure or StepRefusal). */
export type Step = (
  input: Flow,
  fail: (index: number, error: unknown) => void,
  context: StepContext,
) => StepOutput | Promise<StepOutput>;

/** What steps are compiled with. */
export interface StepServices {
  readonly validator: Validator;
  readonly sandbox: Sandbox;
}
