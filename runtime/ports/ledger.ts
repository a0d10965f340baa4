/** What a step took and what became of it, in records. Invariant 8: in + expanded = out + filtered + absorbed + dropped + failed. */
export interface StepCounts {
  in: number;
  /** What it made beyond one for each that it took: further children of a record, the results of windows. */
  expanded: number;
  /** What it gave to those that follow, once, however many they are. */
  out: number;
  /** Left out on purpose. */
  filtered: number;
  /** Taken into windows. */
  absorbed: number;
  /** Refused, by `on_error: drop`. */
  dropped: number;
  /** In the dead letters. */
  failed: number;
  /** Of a route: `out` by what follows. */
  to?: Record<string, number>;
}

/** Invariant 8: published = confirmed + failed + pending + deferred. */
export interface DestinationLedger {
  /** What the steps handed on. */
  published: number;
  confirmed: number;
  /** In the dead letters. */
  failed: number;
  /** In the deliver log. Below 0 for a moment, where a destination was quicker than the steps were settled. */
  pending: number;
  /** To be tried again later. */
  deferred: number;
}

/** A run's ledger, by step and destination. `source` stands among the steps: what was read is what it took. */
export interface Ledger {
  readonly steps: Record<string, StepCounts>;
  readonly destinations: Record<string, DestinationLedger>;
}

export function noStepCounts(): StepCounts {
  return { in: 0, expanded: 0, out: 0, filtered: 0, absorbed: 0, dropped: 0, failed: 0 };
}

export function noLedger(): Ledger {
  return { steps: {}, destinations: {} };
}
