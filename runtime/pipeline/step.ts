import type { ErrorCode } from "../../connectors/sdk/index.ts";
import type { Validator } from "../ports/connectors.ts";
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

/** A compiled step, over a whole batch. What it refuses goes to `fail` (place in the input, MappingFailure or StepRefusal). */
export type Step = (input: Flow, fail: (index: number, error: unknown) => void) => StepOutput;

/** What steps are compiled with. */
export interface StepServices {
  readonly validator: Validator;
}
