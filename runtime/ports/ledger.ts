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

/** What became of the records for a destination. Invariant 8: published + inherited = confirmed + failed + pending + deferred. */
export interface DestinationLedger {
  /** What the steps handed on. */
  published: number;
  /** What earlier runs that were given up had left in the logs. */
  inherited: number;
  confirmed: number;
  /** In the dead letters. */
  failed: number;
  /** In the deliver log. Below 0 for a moment, where a destination was quicker than the steps were settled. */
  pending: number;
  /** To be tried again later. */
  deferred: number;
}

/** A place where records were lost or counted twice. */
export interface Imbalance {
  /** The step, which may be `source`, or the destination. */
  readonly at: { readonly step: string } | { readonly destination: string };
  /** What was compared with what. */
  readonly between: string;
  readonly expected: number;
  readonly counted: number;
  /** Whose log the sequences are of: `steps` the ingest log's, else the deliver log's. */
  readonly consumer: string;
  /** First and last message settled there since the ledger last balanced, in the log's stream; null: not known. */
  readonly sequences: readonly [first: number, last: number] | null;
}

/** A run's ledger, by step and destination. `source` stands among the steps: what was read is what it took. */
export interface Ledger {
  readonly steps: Record<string, StepCounts>;
  readonly destinations: Record<string, DestinationLedger>;
  /** What did not balance at a checkpoint, or at the end; left out: all did. */
  imbalances?: readonly Imbalance[];
}

export function noStepCounts(): StepCounts {
  return { in: 0, expanded: 0, out: 0, filtered: 0, absorbed: 0, dropped: 0, failed: 0 };
}

export function noDestinationLedger(): DestinationLedger {
  return { published: 0, inherited: 0, confirmed: 0, failed: 0, pending: 0, deferred: 0 };
}

export function noLedger(): Ledger {
  return { steps: {}, destinations: {} };
}
