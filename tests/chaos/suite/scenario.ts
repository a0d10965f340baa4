import type { Stage } from "./stage.ts";

/** One way of breaking things, and what is left of a run after it. */
export interface Scenario {
  /** In kebab-case, unique in the suite. */
  readonly name: string;
  /** One sentence, for the table. */
  readonly what: string;
  /** Throws where something else than lost and duplicated records is wrong: a run's counts, its status. */
  readonly run: (stage: Stage) => Promise<Account>;
}

/** Of all records that a scenario sent. */
export interface Account {
  readonly records: number;
  /** How often something was broken. */
  readonly faults: number;
  /** Missing at a destination. */
  readonly lost: number;
  /** At a destination more than once. */
  readonly duplicated: number;
  /** Duplicates allowed at most by the promise of those destinations. */
  readonly allowed: number;
  /** What else was measured, such as the time of a failover. */
  readonly notes?: string;
}

/** Of several loads; without their notes. */
export function sumOf(accounts: readonly Account[]): Account {
  const total = (field: "records" | "faults" | "lost" | "duplicated" | "allowed") =>
    accounts.reduce((all, account) => all + account[field], 0);
  return {
    records: total("records"),
    faults: total("faults"),
    lost: total("lost"),
    duplicated: total("duplicated"),
    allowed: total("allowed"),
  };
}
