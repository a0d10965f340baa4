/** What one of an integration's batches is known by, or one of its records. */
export interface SuspectKey {
  readonly integrationId: string;
  readonly mark: string;
}

/** What was in hand when a process died: it may be why. Outlives the process. */
export interface SuspectStore {
  /** Notes that it is taken in hand. How often it was taken before, and never let go. */
  take(key: SuspectKey): Promise<number>;
  letGo(key: SuspectKey): Promise<void>;
}
