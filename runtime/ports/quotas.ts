import type { Json } from "../../connectors/sdk/index.ts";

/** Whose calls are counted. */
export interface QuotaKey {
  readonly integrationId: string;
  /** The destination's id; `step ID` for the look-ups of a step. */
  readonly destination: string;
}

export interface QuotaRow {
  /** Null where there is none yet. */
  readonly state: Json | null;
  readonly revision: number;
  /** The store's own time, in milliseconds since the epoch: nodes need not agree on theirs. */
  readonly now: number;
}

/** What has been used of the rate limits, shared by all nodes. Whoever changes a state names the revision it is made of. */
export interface QuotaStore {
  read(key: QuotaKey): Promise<QuotaRow>;
  /** Null where another was first, or the integration is gone. */
  write(key: QuotaKey, state: Json, revision: number): Promise<Omit<QuotaRow, "state"> | null>;
}
