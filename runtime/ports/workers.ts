import type { ErrorCode } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import type { StepCounts } from "./ledger.ts";

/** A batch on its way to a worker thread. */
export interface StepsTask {
  /** `count` JSON texts in UTF-8 with LF between them. Copied. */
  readonly body: Uint8Array;
  readonly count: number;
  /** Indexes of the records that go through the steps. */
  readonly origins: readonly number[];
}

/** A record that a step refused, as StepFailure. */
export interface RefusedRecord {
  readonly origin: number;
  readonly step: string;
  readonly rule: number | null;
  readonly code: ErrorCode;
  readonly message: string;
  readonly errors: readonly FieldError[];
  /** The record as it entered the step, as JSON text. */
  readonly state: string;
}

/** What comes of a batch, in the order in which it came. */
export type StepsEvent =
  | {
      readonly type: "delivered";
      readonly destination: string;
      readonly origins: readonly number[];
      readonly part: string | undefined;
      /** Records as JSON texts with LF between them. */
      readonly text: string;
    }
  | { readonly type: "failed"; readonly failure: RefusedRecord; readonly drop: boolean }
  /** By `on_error: stop`; the last event. */
  | { readonly type: "stopped"; readonly failure: RefusedRecord };

export interface StepsResult {
  readonly events: readonly StepsEvent[];
  /** What each step counted; failures are among the events. */
  readonly steps: ReadonlyMap<string, StepCounts>;
  /** CPU time of the steps alone, in µs. */
  readonly cpuMicros: number;
}

/** The steps of one integration, on worker threads. */
export interface WorkerSteps {
  /** Undefined: no thread does it, or sooner than the caller itself. Never rejects. */
  run(task: StepsTask): Promise<StepsResult | undefined>;
  close(): void;
}

/** Threads beside the main one. */
export interface WorkerPool {
  /** `steps`: those of an integration that `isPure` (runtime/pipeline), with its destinations, as JSON text. */
  open(steps: string): WorkerSteps;
  close(): Promise<void>;
}
