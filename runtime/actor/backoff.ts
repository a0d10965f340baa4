export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly multiplier: number;
  /** Share of a delay that is left to chance, 0 to 1: it lies between `1 - jitter` and `1 + jitter` of the full one. */
  readonly jitter: number;
}

/** Delay in milliseconds before try `attempt + 1`, `attempt` counted from 1. `random` gives 0 to 1. */
export function backoffMs(backoff: Backoff, attempt: number, random: () => number): number {
  const full = Math.min(backoff.maxMs, backoff.initialMs * backoff.multiplier ** (attempt - 1));
  return full * (1 - backoff.jitter + 2 * backoff.jitter * random());
}
