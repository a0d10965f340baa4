/** Room on the disk for what sources read. */
export interface Space {
  /** Why sources pause, or null. */
  readonly reason: string | null;
  /** Resolves when there is room (again); rejects with the signal's reason when it aborts. */
  available(signal: AbortSignal): Promise<void>;
}
