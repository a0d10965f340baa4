import type { Correlation, Json } from "../../connectors/sdk/index.ts";
import type { Entry } from "../replay/index.ts";

/** By its id, or by a value that stands in it, at whatever depth. */
export type WantedRecord = { readonly recordId: string } | { readonly key: string };

export interface SearchBounds {
  /** When it was appended, in milliseconds since the epoch. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** So many are enough. */
  readonly limit: number;
  /** Past so many messages of the log, or so much time, the search ends. */
  readonly messages: number;
  readonly ms: number;
  readonly signal?: AbortSignal | undefined;
}

/** A record as it stands in the ingest log, and how far it has come. */
export interface FoundRecord {
  readonly recordId: string;
  /** Of its message. */
  readonly sequence: number;
  /** Milliseconds since the epoch: when its batch was read or received, and when it was in the log. */
  readonly ingestedAt: number;
  readonly loggedAt: number;
  readonly runId: string;
  readonly integrationVersion: number;
  readonly stream: string;
  readonly position: { readonly base: string; readonly ordinal: number };
  /** W3C `traceparent` of its batch. */
  readonly traceparent: string | undefined;
  readonly correlation: Correlation | undefined;
  /** What scripts see of it, besides what every record has. */
  readonly meta: { readonly headers?: Json };
  /** The bytes that were read; null: the store has lost them. */
  readonly raw: Uint8Array | null;
  /** Why it is no record. */
  readonly failure: string | undefined;
  /** It is read again by the next run, whatever became of this one. */
  readonly fullRead: boolean;
  /** It was replayed: of which dead letter, and where it entered. */
  readonly replay: { readonly jobId: string; readonly deadLetterId: string; readonly entry: Entry } | undefined;
  /** The steps are through with it. */
  readonly throughSteps: boolean;
  /** By destination that is fed from a log of its own: it is through with what it had of it. */
  readonly throughDestinations: Readonly<Record<string, boolean>>;
}

export interface RecordSearch {
  /** In the ingest log, whoever owns it, the newest first. Throws RetryLaterError while too many search. */
  find(
    integrationId: string,
    wanted: WantedRecord,
    bounds: SearchBounds,
  ): Promise<{
    readonly items: readonly FoundRecord[];
    readonly searched: {
      readonly messages: number;
      /** How far back it was looked; null: at nothing. */
      readonly oldest: number | null;
      /** Why it was not looked further; null: all of the range was looked at, or enough was found. */
      readonly cut: "messages" | "time" | null;
    };
  }>;
}
