import type { ErrorCode } from "../../connectors/sdk/index.ts";

/** Which records somebody listens to. */
export interface TapFilter {
  /** Only what this step gives; `source`: what was read. Null: all points, unless there is a destination. */
  readonly step: string | null;
  /** Only what this destination was given. */
  readonly destination: string | null;
  /** A predicate over the record; null: all. */
  readonly where: string | null;
}

/** What a listener tells all nodes, again and again: who owns the integration sends records until it falls silent. */
export interface TapInterest extends TapFilter {
  readonly id: string;
  readonly integrationId: string;
  /** Its team. */
  readonly owner: string | null;
  /** It is over. */
  readonly ended?: true;
}

/** A record at one point of its way. */
export interface TappedRecord {
  readonly point: "source" | "step" | "destination";
  /** The step or destination; `source` for what was read. */
  readonly at: string;
  readonly recordId: string;
  /** Where a route sends it. */
  readonly to?: string;
  /** JSON, without secrets; null: it is too large to be shown. */
  readonly text: string | null;
  /** Length of its JSON, in characters. */
  readonly size: number;
  /** Why the destination has not taken it; `retryInMs`: it is tried again. */
  readonly failure?: { readonly code: ErrorCode; readonly message: string; readonly retryInMs?: number };
}

/** What an owner sends to a listener. */
export interface Tapped {
  readonly records: readonly TappedRecord[];
  /** Records that were there besides, beyond what a listener is sent. */
  readonly skipped: number;
}

/** Subjects between nodes: interests, and what is sent to one listener. */
export const tapInterests = "taps";
export const tapped = (id: string): string => `tapped.${id}`;

/** An interest that is not renewed is over after so long. */
export const tapLeaseMs = 6_000;
