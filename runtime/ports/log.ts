import type { Correlation, Cursor, ErrorCode, ReadBatch, ReadFailure } from "../../connectors/sdk/index.ts";
import { StaleOwnerError } from "../errors/index.ts";
import type { Entry } from "../replay/index.ts";

export { StaleOwnerError } from "../errors/index.ts";

/** The log is gone, or ends before what it had confirmed: its server lost data, or was put back to an earlier state. */
export class LogLostError extends StaleOwnerError {
  override readonly name: string = "LogLostError";
}

/** Where a source stands in a run. */
export interface SourcePosition {
  readonly cursor: Cursor;
  /** Appended in the run. */
  readonly batches: number;
  readonly records: number;
  readonly ended: boolean;
  /** Why it stopped before its end. */
  readonly error?: BatchHeader["error"];
}

/** A batch of dead letters that are replayed. */
export interface ReplayHeader {
  readonly jobId: string;
  readonly entry: Entry;
  /** What they were read from, as `source` of their batches said it; null where that is not known. */
  readonly source: string | null;
  /** One a record. */
  readonly letters: readonly ReplayedLetter[];
}

/** A batch of records that were invoked, each by a caller of its own. */
export interface InvokedHeader {
  /** Indexes in the ingest batch of those that are left out once nobody waits for them (on_timeout=drop). */
  readonly perishable: readonly number[];
}

export interface ReplayedLetter {
  readonly id: string;
  /** Where the record stood in its source. */
  readonly base: string;
  readonly ordinal: number;
  /** What the record's id is made of in place of `base`; left out: the same. */
  readonly idBase?: string;
  /** Which of the records made of one it is; left out: the record itself. */
  readonly child?: string;
}

/** What is known of the requests that a batch was made of. */
export interface HookHeader {
  /** The records' ids, one behind the other, 16 characters each; a record without one has none. */
  readonly ids?: string;
  /** One a record: headers of its request, with names in lower case. */
  readonly headers?: readonly (Readonly<Record<string, string>> | null)[];
}

/** Bytes that the header of a batch may have as JSON, without what there is of each record: a cursor has to fit. */
export const headerBytesMax = 48 * 1024;

/** What travels with a batch in the log, readable without its body. */
export interface BatchHeader {
  /** `end` closes a run on this subject: nothing more of it follows. `tick` says that time has passed, for windows. */
  readonly kind: "records" | "tick" | "end";
  readonly runId: string;
  readonly integrationVersion: number;
  readonly stream: string;
  /** What the cursor belongs to (connector, stream, mode, cursor field): another one does not go on from it. */
  readonly source: string;
  /** Records in the body; 0 for `end`. */
  readonly count: number;
  /** Position after the last record (invariant 1: appended in the same message as the records). */
  readonly cursor: Cursor;
  readonly position: ReadBatch["position"];
  /** Milliseconds since the epoch, when the batch was read. */
  readonly ingestedAt: number;
  /** W3C trace context of this message. */
  readonly traceparent?: string;
  /** The request that set the batch going, */
  readonly correlation?: Correlation;
  /** or where several came together those of each record, by its index in the ingest batch; null: none. */
  readonly correlations?: readonly (Correlation | null)[];
  /** Of records that were sent (trigger webhook); on the ingest log alone. */
  readonly hooks?: HookHeader;
  /** What was appended to this subject in the run, this batch included, counted by the writer (invariant 8). */
  readonly totals: { readonly batches: number; readonly records: number };
  /** Where there are several: where each stands with this message, by what `source` says. */
  readonly sources?: { readonly [source: string]: SourcePosition };
  /** On `end`: why the source stopped before its end, or nothing. */
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly path?: string };
  /** On a deliver log: the ingest message that the records come from. */
  readonly ingestSequence?: number;
  /** On a deliver log, where a step cut the ingest message up: which piece this is (see Flow), */
  readonly part?: string;
  /** and on the last one how many there are. */
  readonly parts?: number;
  /** On a deliver log, for each record its index in the ingest batch, where it is not the identity; -1 for a window's result. */
  readonly origins?: readonly number[];
  /** Beside `origins`: which of the records that a step made of one it is; the empty text for the record itself. */
  readonly children?: readonly string[];
  /** Left out: the records come from a source. */
  readonly replay?: ReplayHeader;
  /** They were invoked: whoever sent them waits for what becomes of them. */
  readonly invoked?: InvokedHeader;
}

export interface LogBatch {
  readonly header: BatchHeader;
  /** JSON texts separated by LF (see ReadBatch.data). */
  readonly body: Uint8Array;
  readonly failures?: readonly ReadFailure[];
}

/** A batch as the log hands it out. Settled once: `ack` when it is safe further on. */
export interface LogMessage extends LogBatch {
  /** Sequence in the log's stream. */
  readonly sequence: number;
  /** Deliveries so far, from 1. */
  readonly deliveries: number;
  readonly bytes: number;
  /**
   * Why its records are not there any more: a batch too large for the log is in the store, which may have lost it. The
   * body is empty, and the header, which counts them, is without what it has for each record.
   */
  readonly gone?: string;
  /** Resolves once the server has confirmed the ack. */
  ack(): Promise<void>;
  /** Tells the server that the batch is still in hand. */
  working(): void;
}

export interface LogStats {
  /** The sequence that the log began with when it was made: one that was made anew has another. */
  readonly born: number;
  /** The latest sequence that was given. */
  readonly last: number;
  /** Bytes and messages kept in the stream, acknowledged ones included. */
  readonly bytes: number;
  readonly messages: number;
  /** By consumer: what waits, not delivered or not acknowledged. */
  readonly consumers: { readonly [name: string]: { pending: number; unacknowledged: number; ackFloor: number } };
}

export interface LoggedHeader {
  readonly sequence: number;
  readonly header: BatchHeader;
}

export interface AppendOptions {
  /** Deduplicates within the server's window; the same batch appended again gives the same id. */
  readonly id: string;
}

/** One durable log: a JetStream stream. Subjects within it are short names such as `r.0` or a destination's id. */
export interface Log {
  /** The latest sequence that was confirmed to this owner; 0 before it owns the log. */
  readonly confirmed: number;
  /**
   * Why the log is not what it was: looked at whenever the server comes back, before anything is appended to it. Nothing
   * can be done with such a log but to close it.
   */
  readonly lost: LogLostError | undefined;
  /** Takes the log over; the epoch fences every append before it. Called while none is under way. Throws LogLostError. */
  own(): Promise<number>;
  /**
   * Resolves when the batch is fsynced. Retries by itself while the server is away, until `signal` aborts. Rejects with
   * StaleOwnerError once there is a later owner, with LogLostError where the log is not what it was.
   */
  append(
    subject: string,
    batch: LogBatch,
    options: AppendOptions,
    signal?: AbortSignal,
  ): Promise<{ sequence: number; duplicate: boolean }>;
  /** The header of the newest batch on a subject, or null. */
  last(subject: string): Promise<BatchHeader | null>;
  /** The header of the first batch behind a sequence on a subject, or null. */
  next(subject: string, sequence: number): Promise<LoggedHeader | null>;
  /** The batch at a sequence, or null where it was purged: for a dead letter's original. */
  get(sequence: number): Promise<LogBatch | null>;
  /**
   * Messages of some subjects in their order, each consumer with its own position. `again`: what was delivered before and
   * not acknowledged comes first, in its order too; else whenever the server gives it up.
   */
  consumer(name: string, subjects: readonly string[], options?: { readonly again: boolean }): Promise<LogConsumer>;
  /** Makes a consumer begin again at a sequence, whatever it had acknowledged. Called while nobody pulls from it. */
  rewind(name: string, subjects: readonly string[], sequence: number): Promise<void>;
  /** Headers of what the log holds of some subjects from a sequence on, in their order, without ordinals and origins. */
  headers(subjects: readonly string[], from: number): AsyncIterable<LoggedHeader>;
  stats(): Promise<LogStats>;
  /** The subjects that hold a batch. */
  subjects(): Promise<readonly string[]>;
  /** The sequence up to which the log holds more than `bytes` (about), or what is older than `ageMs`; 0 where neither. */
  beyond(history: { readonly bytes: number; readonly ageMs: number }): Promise<number>;
  /** Deletes what is at or below `sequence` on `subject`, never the subject's last message. */
  purge(subject: string, sequence: number): Promise<void>;
  close(): Promise<void>;
}

export interface LogConsumer {
  /**
   * Pulls up to `limit` messages and yields them as they come; ends when they have all come, or after a few seconds
   * with fewer. Throws when the server is away past its reconnects. Nothing is pulled but what was asked for.
   */
  pull(limit: number, signal: AbortSignal): AsyncIterable<LogMessage>;
  close(): Promise<void>;
}

/** A batch as it stands in a log. */
export interface HistoricBatch extends LogBatch {
  readonly sequence: number;
  readonly subject: string;
  /** When it was appended, in milliseconds since the epoch. */
  readonly at: number;
  /** Its records are not there any more, as in LogMessage. */
  readonly gone: boolean;
}

/** Reads ingest logs, on any node: whoever owns them, nothing of theirs is changed. */
export interface LogHistory {
  /**
   * The batches of records that an integration's log still has, the newest first, those that were appended from `since`
   * to `until` (milliseconds since the epoch). Rejects while the server is away.
   */
  newestFirst(
    integrationId: string,
    range: { readonly since?: number | undefined; readonly until?: number | undefined },
  ): AsyncIterable<HistoricBatch>;
}

export type LogKind = "ingest" | "deliver";

export interface LogService {
  /**
   * Opens the log of an integration, and makes it where there is none: whether there was one, the store knows. One that is
   * made begins above the sequence `above`, which one before it had, whatever the clock says. Tried until it succeeds, or
   the signal aborts.
   */
  open(integrationId: string, kind: LogKind, above?: number, signal?: AbortSignal): Promise<Log>;
  /** Ids of all integrations that have logs. */
  all(): Promise<readonly string[]>;
  /** Deletes logs of an integration; both unless said otherwise. */
  remove(integrationId: string, kinds?: readonly LogKind[]): Promise<void>;
  /**
   * Looks which large batches of the integration are stored, and resolves with what forgets those of them that no log
   * refers to: what stays behind where a node dies in the middle of an append. Looked for before the logs are owned, and
   * forgotten after: what others had in hand can no longer be appended then, and what a later owner stores is not among
   * them. Both reject while a server is away.
   */
  spareClaims(integrationId: string): Promise<() => Promise<void>>;
  /** Emits when the connection is lost and when it is back, for readiness. */
  readonly status: { readonly connected: boolean; readonly reason: string | undefined };
}
