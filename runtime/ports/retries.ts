import type { NewDeadLetter } from "./dead-letters.ts";

/** A record that failed for a passing reason, and waits for its next try outside the log. */
export interface ScheduledRetry {
  /** The dead letter that it becomes where it is given up; `attempts` are those so far. */
  readonly letter: NewDeadLetter & {
    readonly destination: string;
    readonly state: string;
    /** W3C `traceparent` of the message that it came with. */
    readonly traceparent?: string;
  };
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
  /** The record's id as its destination knows it. */
  readonly outId: string;
  /** Milliseconds since the epoch, when it was read. */
  readonly ingestedAt: number;
  /** The next run reads it again: where this one is given up, it is dropped. */
  readonly fullRead: boolean;
}

/** Reads what commits of settlements have stored (`Settlement.retries`). */
export interface RetryStore {
  /** How many wait for a destination, and when the first is due; `nextDue` null where none does. */
  waiting(
    integrationId: string,
    destination: string,
  ): Promise<{ readonly count: number; readonly nextDue: number | null }>;
  /** Those due by `until`, the earliest first: no more than `records`, nor more than `bytes`, but at least one. */
  due(
    integrationId: string,
    destination: string,
    until: number,
    limit: { readonly records: number; readonly bytes: number },
  ): Promise<readonly ScheduledRetry[]>;
  /** Those for destinations that are not among the given ones, as many as `due` gives. */
  orphaned(
    integrationId: string,
    destinations: readonly string[],
    limit: { readonly records: number; readonly bytes: number },
  ): Promise<readonly ScheduledRetry[]>;
  /** Those of a record, by its id, for whichever destination; without the bytes that were read. */
  ofRecord(integrationId: string, recordId: string): Promise<readonly ScheduledRetry[]>;
  /** Drops what runs before this one left, and it reads again. */
  dropRead(integrationId: string, runId: string): Promise<void>;
}
