import { type Backoff, backoffMs } from "./backoff.ts";

/**
 * - `resume`: go on with the next message, state kept. `restart`: stop the children, make the actor anew, go on.
 * - `stop`: for good. `escalate`: the failure is the supervisor's own.
 */
export type Directive = "resume" | "restart" | "stop" | "escalate";

/** One for one: a child's failure concerns that child alone. */
export interface SupervisorStrategy {
  readonly decide: (error: unknown, path: string) => Directive;
  readonly backoff: Backoff;
  /** A child that ran this long since its last start begins the backoff anew. */
  readonly healthyMs: number;
  /** More restarts than this within the window, or a restart that gets stuck, is `exhausted`. */
  readonly budget: { readonly restarts: number; readonly withinMs: number };
  readonly exhausted: "escalate" | "stop";
}

const defaults: SupervisorStrategy = {
  decide: () => "restart",
  backoff: { initialMs: 100, maxMs: 30_000, multiplier: 2, jitter: 0.5 },
  healthyMs: 60_000,
  budget: { restarts: 10, withinMs: 60_000 },
  exhausted: "escalate",
};

export function oneForOne(options: Partial<SupervisorStrategy> = {}): SupervisorStrategy {
  return { ...defaults, ...options };
}

/** What a supervisor remembers of a child. */
export interface FailureHistory {
  /** Restarts in a row, without a healthy time between. */
  readonly attempt: number;
  /** Instants of the restarts that still count against the budget. */
  readonly restarts: readonly number[];
}

export const noFailures: FailureHistory = { attempt: 0, restarts: [] };

export interface Failure {
  readonly path: string;
  readonly error: unknown;
  /** It failed before it had started: there is nothing to resume. */
  readonly starting: boolean;
  readonly startedAt: number;
  readonly now: number;
  /** Chance for the jitter: gives 0 to 1. */
  readonly random: () => number;
}

export interface Verdict {
  readonly directive: Directive;
  /** Wait before a restart. */
  readonly delayMs: number;
  readonly history: FailureHistory;
}

/** Pure: what becomes of a child that failed. A decider that throws escalates. */
export function judge(strategy: SupervisorStrategy, history: FailureHistory, failure: Failure): Verdict {
  const directive = decide(strategy, failure);
  if (directive !== "restart") return { directive, delayMs: 0, history };
  const { now } = failure;
  const restarts = [...history.restarts.filter((at) => now - at < strategy.budget.withinMs), now];
  if (restarts.length > strategy.budget.restarts) return { directive: strategy.exhausted, delayMs: 0, history };
  const attempt = now - failure.startedAt >= strategy.healthyMs ? 1 : history.attempt + 1;
  return {
    directive,
    delayMs: backoffMs(strategy.backoff, attempt, failure.random),
    history: { attempt, restarts },
  };
}

function decide(strategy: SupervisorStrategy, failure: Failure): Directive {
  try {
    const directive = strategy.decide(failure.error, failure.path);
    return directive === "resume" && failure.starting ? "restart" : directive;
  } catch {
    return "escalate";
  }
}
