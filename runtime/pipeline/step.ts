import type { Correlation, ErrorCode, Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { Attempt } from "../delivery/index.ts";
import type { FieldError } from "../errors/index.ts";
import type { Clock } from "../ports/clock.ts";
import type { Validator } from "../ports/connectors.ts";
import type { StepCounts } from "../ports/ledger.ts";
import type { Sandbox } from "../ports/sandbox.ts";
import type { Flow } from "./flow.ts";

/** Why a step refused a record. Thrown; no Error, since a stack says nothing here and would cost more than the record. */
export class StepRefusal {
  readonly code: ErrorCode;
  readonly message: string;
  /** Index of the mapping rule, or null. */
  readonly rule: number | null;
  /** Of a look-up that was tried. */
  readonly attempts: readonly Attempt[];
  /** All that is wrong, each with its field path; empty where the message says it all. */
  readonly errors: readonly FieldError[];

  constructor(
    message: string,
    code: ErrorCode = "VALIDATION_ERROR",
    rule: number | null = null,
    attempts: readonly Attempt[] = [],
    errors: readonly FieldError[] = [],
  ) {
    this.code = code;
    this.message = message;
    this.rule = rule;
    this.attempts = attempts;
    this.errors = errors;
  }
}

/** What a look-up gave; null: nothing was found. */
export type Answer = Json | StepRefusal;

/** What an `enrich` step asks. */
export interface LookUps {
  /** An answer for each record, in order; without a promise where all are known. Rejects only when the run stops. */
  ask(
    records: readonly JsonObject[],
    correlation?: (index: number) => Correlation | undefined,
  ): readonly Answer[] | Promise<readonly Answer[]>;
}

/** What a step gives: one flow for all that follow it, or one for each that a route names. */
export type StepOutput = Flow | ReadonlyMap<string, Flow>;

/** What a step that makes many records of few gives, one after another: the next when those that follow took the last. */
export interface Slices {
  readonly slices: Iterable<Flow>;
}

/** What a step is told of the batch that it works on. */
export interface StepContext {
  /** Keeps the scripts of integrations apart. */
  readonly scope: string;
  /** When the batch was read, in ms: the time that windows go by, the same however often it is processed. */
  readonly now: number;
  recordId(origin: number, child: string): string;
  /** What scripts see as `meta`, of the source record at `origin`. */
  meta(origin: number, child: string): JsonObject;
  /** The request that set the source record at `origin` going, in the span of the steps. Left out: nothing is known. */
  readonly correlation?: (origin: number) => Correlation | undefined;
  /** These went into an aggregate. */
  absorbed(origins: readonly number[]): void;
  readonly signal: AbortSignal;
}

/**
 * A compiled step, over a whole batch. What it refuses goes to `fail` (place in the input, MappingFailure or StepRefusal);
 * what it leaves out, makes more of or keeps it counts itself.
 */
export type Step = (
  input: Flow,
  fail: (index: number, error: unknown) => void,
  context: StepContext,
  counts: StepCounts,
) => StepOutput | Slices | Promise<StepOutput | Slices>;

/** What steps are compiled with. */
export interface StepServices {
  readonly validator: Validator;
  readonly sandbox: Sandbox;
  readonly clock: Clock;
  /** By the ids of the `enrich` steps. */
  readonly lookUps: ReadonlyMap<string, LookUps>;
}
