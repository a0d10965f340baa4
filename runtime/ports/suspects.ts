/** What some of an integration's batches, or of its records, are known by; no two alike. */
export interface SuspectKey {
  readonly integrationId: string;
  readonly marks: readonly string[];
}

/** What was in hand when a process died: it may be why. Outlives the process. */
export interface SuspectStore {
  /** Notes that they are taken in hand. How often each was taken before, and never let go. */
  take(key: SuspectKey): Promise<readonly number[]>;
  letGo(key: SuspectKey): Promise<void>;
  /** Marks that begin so and were never let go; 10,000 at most. */
  left(integrationId: string, prefix: string): Promise<readonly string[]>;
}
