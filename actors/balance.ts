import type { Progress } from "./ledger.ts";

/** A place where records were lost or counted twice. */
export interface Imbalance {
  /** What was compared with what. */
  readonly between: string;
  readonly expected: number;
  readonly counted: number;
  /** First and last message of the run that was settled there, in the log's stream. */
  readonly sequences: Progress["sequences"];
}

/** A destination's consumer: named so that none can be called `steps`. */
export const sinkName = (destination: string): string => `sink-${destination}`;

/**
 * Compares what the parts of an ended run counted, each for itself (invariant 8): what the source read with what the
 * steps settled, what they settled with what became of it, and what they passed on with what the destinations settled.
 */
export function imbalances(
  ledger: { consumer(name: string): { readonly progress: Progress } },
  read: number,
  destinations: readonly { readonly id: string }[],
): Imbalance[] {
  const found: Imbalance[] = [];
  const compare = (between: string, expected: number, counted: number, { sequences }: Progress) => {
    if (expected !== counted) found.push({ between, expected, counted, sequences });
  };
  const steps = ledger.consumer("steps").progress;
  compare("source and steps", read, steps.records, steps);
  compare("steps and what became of their records", steps.records, steps.accounted, steps);
  if (destinations.length < 2) return found;
  for (const { id } of destinations) {
    const sink = ledger.consumer(sinkName(id)).progress;
    compare(`steps and destination ${id}`, steps.sent[id] ?? 0, sink.records, sink);
    compare(`destination ${id} and what became of its records`, sink.records, sink.accounted, sink);
  }
  return found;
}
