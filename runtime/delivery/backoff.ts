/** Waits between tries. Times in milliseconds; `jitter` is the share of a wait that is random, 0 to 1. */
export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly initialMs: number;
  readonly maxMs: number;
  readonly multiplier: number;
  readonly jitter: number;
}

/** The wait before try `attempt + 1`, `attempt` counted from 1. `random` gives 0 to 1. */
export function backoffMs(policy: RetryPolicy, attempt: number, random: () => number): number {
  const wait = Math.min(policy.maxMs, policy.initialMs * policy.multiplier ** (attempt - 1));
  return wait * (1 - policy.jitter + 2 * policy.jitter * random());
}
