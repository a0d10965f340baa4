import type { Ledger } from "../../api/types.ts";

type Imbalance = Ledger["imbalances"][number];

interface Line<Counts> {
  readonly id: string;
  readonly counts: Counts;
  /** Where records were lost, or counted twice. */
  readonly imbalances: readonly Imbalance[];
}

export interface LedgerLines {
  /** `source` is the first. */
  readonly steps: readonly Line<Ledger["steps"][string]>[];
  readonly destinations: readonly Line<Ledger["destinations"][string]>[];
  /** Those that are of no line shown. */
  readonly others: readonly Imbalance[];
}

/** A ledger line by line, each with what is amiss with it. */
export function ledgerLines({ steps, destinations, imbalances }: Ledger): LedgerLines {
  const isOf = (kind: "step" | "destination", id: string) => (imbalance: Imbalance) => imbalance[kind] === id;
  const stepIds = Object.keys(steps).sort((a, b) => Number(b === "source") - Number(a === "source"));
  return {
    steps: stepIds.map((id) => ({ id, counts: steps[id]!, imbalances: imbalances.filter(isOf("step", id)) })),
    destinations: Object.entries(destinations).map(([id, counts]) => {
      return { id, counts, imbalances: imbalances.filter(isOf("destination", id)) };
    }),
    others: imbalances.filter(({ step, destination }) => {
      return !(step !== undefined && steps[step]) && !(destination !== undefined && destinations[destination]);
    }),
  };
}

/** As a sentence. */
export function imbalanceText({ between, expected, counted, sequences }: Imbalance): string {
  const where = sequences === null ? "" : `, messages ${sequences[0]} to ${sequences[1]} of the log`;
  return `${between}: ${expected} expected, ${counted} counted${where}`;
}
