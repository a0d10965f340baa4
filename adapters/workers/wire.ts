import type { StepsResult, StepsTask } from "../../runtime/ports/workers.ts";

/** To a thread. Steps have numbers, which are given once. */
export type Request =
  | { readonly type: "open"; readonly steps: number; readonly text: string }
  | { readonly type: "close"; readonly steps: number }
  | { readonly type: "run"; readonly id: number; readonly steps: number; readonly task: StepsTask };

/** From a thread. Undefined: it cannot be done there. */
export interface Answer {
  readonly id: number;
  readonly result: StepsResult | undefined;
}
