import type { Correlation } from "./correlation.ts";
import type { ErrorCode } from "./errors.ts";
import type { Expressions } from "./expressions.ts";
import type { Json, JsonSchema } from "./json.ts";

/** One definition gives validation, docs, the console's form and the registry entry. Registered explicitly. */
export interface ConnectorType<Config = unknown> {
  /** `[a-z][a-z0-9-]*`, what a configuration names. */
  readonly type: string;
  /** Semantic version of the connector, not of sluice. */
  readonly version: string;
  readonly title: string;
  readonly description: string;
  /** JSON Schema of `config`. Closed (`additionalProperties: false`) at every level; secrets are `writeOnly: true`. */
  readonly config: JsonSchema;
  /** JSON Schema of the name of a stream as integrations give it; left out: any text. */
  readonly stream?: JsonSchema;
  readonly capabilities: Capabilities;
  /** Makes a connector of a validated config with its references resolved. Must not connect yet. */
  create(config: Config, context: ConnectorContext): Connector;
}

export type SourceMode = "full" | "incremental";
export type DestinationMode = "append" | "upsert" | "replace";

export interface Capabilities {
  readonly source?: {
    readonly modes: readonly SourceMode[];
    /** Mode incremental goes by a place of the connector's own, such as a line's number, and needs no cursor field. */
    readonly ownCursor?: boolean;
    /** It can be read without an end, as the trigger `event` asks for. */
    readonly endless?: boolean;
  };
  readonly destination?: { readonly modes: readonly DestinationMode[] };
  readonly lookup?: {
    /**
     * JSON Schema of a request, closed, and free about the type wherever a template may give any. A configuration's
     * request is held against it, save the texts that hold templates.
     */
    readonly request: JsonSchema;
    /** Members of a request that are parts of a URL: what fills the holes of their templates is percent-encoded. */
    readonly escaped?: readonly string[];
    /** As of a destination: it bounds each of its requests by the `timeoutMs` that it is given. */
    readonly timesRequests?: boolean;
  };
  /** It is told when a connector is made, changed and deleted. */
  readonly lifecycle?: boolean;
}

export interface ConnectorContext {
  /** Absolute path of the data folder. */
  readonly dataDir: string;
  /** Folders a connector may touch on this machine, absolute and resolved (`SLUICE_FILE_ROOTS`). */
  readonly fileRoots: readonly string[];
  /** Folders within those that it may not touch: the programs in them are run. Left out: none. */
  readonly closedFolders?: readonly string[];
  /** Stays the same for the connector's life; left out where it is only tried. */
  readonly connectorId?: string;
  /** Addresses that may be reached besides public ones, as CIDRs (`SLUICE_ALLOW_ADDRESSES`); left out: none. */
  readonly allowAddresses?: readonly string[];
  /** Brokers of a Kafka connector that names none, `host:port` each (`SLUICE_KAFKA_BROKERS`). */
  readonly kafkaBrokers?: readonly string[];
  /** Left out by a host that has no mapping language. */
  readonly expressions?: Expressions;
  /**
   * Takes out of a text the secrets of the config. The host does it with all that a connector throws; what is cut
   * passes it before, else the beginning of a secret stays.
   */
  readonly redact?: (text: string) => string;
}

/**
 * A configured instance. May be used by several integrations at once; each opens its own source or destination.
 * `correlation` is of the request that set a call going, where one did.
 */
export interface Connector {
  /** Who is at the far side, as metrics name it: its host, as a rule. Left out: the type's name. */
  readonly provider?: string | undefined;
  /** Throws a ConnectorError that names the setting at fault; returns when the far side answers. */
  check(signal: AbortSignal, correlation?: Correlation): Promise<void>;
  discover(signal: AbortSignal, correlation?: Correlation): Promise<StreamInfo[]>;
  /** Throws at once, without reading, where the stream cannot be read (missing file, missing table). */
  openSource?(options: SourceOptions): Promise<Source>;
  /** Throws at once, without writing, where the stream cannot be written. */
  openDestination?(options: DestinationOptions): Promise<Destination>;
  /**
   * Answers requests, for the `enrich` step. A throw means that none is answered: one that is a record's fault is looked
   * for by asking for fewer, anything else is tried again or waited for. May be called again while calls are under way.
   * `limit` is as of a write. `timeoutMs` bounds a request where the type `timesRequests`; the signal bounds the call of any
   * other.
   */
  lookup?(
    requests: readonly Json[],
    signal: AbortSignal,
    correlation?: Correlation,
    limit?: CallLimit,
    timeoutMs?: number,
  ): Promise<LookupResult>;
  /** Makes what it needs outside (a subscription, a slot). May be called again. */
  created?(signal: AbortSignal): Promise<void>;
  /** Its config was another before: changes what it has outside. */
  updated?(previousConfig: Json, signal: AbortSignal): Promise<void>;
  /** Cleans up what it made outside. May be called again. */
  deleted?(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface LookupResult {
  /** One a request, in order; `null` where nothing was found or the request failed. */
  readonly answers: readonly (Json | null)[];
  /** Requests that failed by themselves, in any order. */
  readonly failed?: readonly LookupFailure[];
  /** As of a write. */
  readonly left?: readonly number[];
}

export interface StreamInfo {
  readonly name: string;
  /** JSON Schema of a record. */
  readonly schema: JsonSchema;
  /** Field paths that identify a record, where known. */
  readonly key?: readonly string[];
  /** Fields without which a destination cannot insert a record, where known: no null and no default stands for them. */
  readonly required?: readonly string[];
  /** Fields that may serve as `cursor_field`. */
  readonly cursorFields?: readonly string[];
}

/** A source's position: opaque to the runtime, stored in the log beside the records that precede it. */
export type Cursor = Json;

export interface SourceOptions {
  readonly stream: string;
  readonly mode: SourceMode;
  /** Field path; given in mode incremental, save where the type has a cursor of its own. */
  readonly cursorField: string | undefined;
  /** Where to go on: the cursor of the last batch that reached the log, or null to begin. */
  readonly from: Cursor | null;
  /** Aim of a batch; a single larger record makes a batch of its own. */
  readonly batch: { readonly records: number; readonly bytes: number };
  /**
   * There is no end: what is new is waited for until the signal aborts. Only asked of a type that says it can
   * (`endless`), and always from the cursor on, in mode incremental.
   */
  readonly endless?: boolean;
  /** The request that set the reading going, with the host's span in `traceparent`. Left out: it began by itself. */
  readonly correlation?: Correlation;
  readonly signal: AbortSignal;
}

export interface Source {
  /**
   * Pull: `next()` is the demand, nothing is read ahead of it save one batch at most. Ends when the stream is read.
   * Called once. A source that gives nothing for long (a minute, unless configured) is taken to hang: its signal aborts,
   * and it is opened anew. One that waits on purpose gives an empty batch every few seconds.
   */
  read(): AsyncIterable<ReadBatch>;
  /**
   * All batches up to the one with this cursor are in the log, as durable as it is: what they were made of may be
   * acknowledged where it came from. Told in order, not for each batch, and not again after a crash: a source that opens
   * with a cursor knows by it. Returns at once.
   */
  stored?(cursor: Cursor): void;
  close(): Promise<void>;
}

/** A record's number in its stream; in decimal digits where a double does not hold it. */
export type Ordinal = number | string;

/** A read batch: as many JSON texts as records, ready for the log without being parsed. */
export interface ReadBatch {
  /** The records' JSON texts in UTF-8, separated by LF, without one at the end. No text holds an LF itself. */
  readonly data: Uint8Array;
  /** Number of texts in `data`; 0 says that there is nothing new, and that the source lives. */
  readonly count: number;
  /** Position after the last record of this batch. */
  readonly cursor: Cursor;
  /**
   * Record i of the batch is identified by `base` and `ordinals?.[i] ?? offset + i`, for example the file's name and
   * the line number (from 1). Stable across re-reads, however batches are cut. Ordinals beyond 2^53 are given as text.
   */
  readonly position: { readonly base: string; readonly offset: number; readonly ordinals?: readonly Ordinal[] };
  /**
   * Records that could not be read, by index in the batch (their text in `data` is `null`): they become dead letters
   * and the others go on.
   */
  readonly failures?: readonly ReadFailure[];
  /**
   * What of the stream is not read as it should be, for as long as it is so: a part that cannot be reached while the rest
   * goes on, a stream that is read anew. A sentence for the run's `waiting`, the integration's health and the log; left
   * out: nothing.
   */
  readonly notice?: string;
}

export interface ReadFailure {
  readonly index: number;
  readonly code: ErrorCode;
  readonly message: string;
  /** The record as it stood in the source, cut off at 64 KiB. */
  readonly raw: Uint8Array;
}

export interface DestinationOptions {
  readonly stream: string;
  readonly mode: DestinationMode;
  /** Field paths; required by mode upsert. */
  readonly key: readonly string[];
  readonly runId: string;
  /** The `state` of the last write that was checkpointed in this run, or null: what was written after it may be undone. */
  readonly state: Json | null;
  /** Patience with a server, in milliseconds; left out: the connector's own. A write as a whole is bounded by its signal. */
  readonly timeout?: {
    /** Until connected. */
    readonly connectMs: number;
    /** For an answer, or the next piece of it. */
    readonly readMs: number;
    /** For a write as a whole: its signal aborts then. For each request, where the destination `timesRequests`. */
    readonly totalMs?: number;
  };
  /** Left out: nothing is written, it is only asked whether it could be. */
  readonly owner?: Owner;
  /**
   * For how long a key is known, in milliseconds, where records are to be written once a key. A destination that keeps
   * the keys itself says so by `dedupes`; for others they are kept elsewhere. Left out: keys are of no interest.
   */
  readonly idempotencyWindowMs?: number;
  /** The request that set the run going, with the host's span in `traceparent`. Left out: it began by itself. */
  readonly correlation?: Correlation;
  readonly signal: AbortSignal;
}

/** Who writes. A destination that can refuses, by StaleOwnerError, what comes of an earlier one from then on. */
export interface Owner {
  readonly integrationId: string;
  readonly destinationId: string;
  /** Higher with each owner; the same one may open again, which ends what it had open before. */
  readonly epoch: number;
}

export interface Destination {
  /** How many `write` calls may be under way at once. 1 keeps the order of batches. */
  readonly concurrency: number;
  /**
   * Each batch has its `keys`, which become known together with the records or not at all. A record whose key is known
   * counts as confirmed and is not written. A record that failed leaves its key to others.
   */
  readonly dedupes?: boolean;
  /**
   * A write may send many requests, and bounds each of them by `timeout.totalMs` itself; what is waited for before one is
   * no part of that. Its signal aborts only where it is to stop.
   */
  readonly timesRequests?: boolean;
  /** What it cannot do as it should, and how to mend it: a sentence each, for the log. */
  readonly warnings?: readonly string[];
  /**
   * Resolves when the records that are listed neither as failed nor as left are durable. A throw means that none is known to be
   * written. Never called again with a record it confirmed, save after a crash (at least once), and behind one that
   * has to keep its order and is tried again.
   */
  write(batch: WriteBatch): Promise<WriteResult>;
  /** The run's last batch is confirmed: publish what was held back (rename the file). May be called again after a crash. */
  complete(): Promise<void>;
  close(): Promise<void>;
}

/** A record on its way to a destination. `text` and `value` are made on first use, from each other. */
export interface OutRecord {
  /** The record's JSON text, compact, without LF. */
  readonly text: string;
  /** The parsed record; not to be changed. */
  readonly value: Json;
  /** Stable across redelivery and re-reads. */
  readonly id: string;
  /** The request that set it going; left out: none did. Many records share one object. */
  readonly correlation?: Correlation | undefined;
}

/** How often a far side may be called (`delivery.rate_limit`). */
export interface CallLimit {
  /** Resolves when one more request may be sent. Rejects when the signal aborts. */
  take(signal: AbortSignal): Promise<void>;
}

export interface WriteBatch {
  readonly records: readonly OutRecord[];
  /** One a record, where the destination `dedupes`: SHA-256 in hex. */
  readonly keys?: readonly string[];
  /**
   * Each record is written after those before it, and none behind one that failed and may be tried again: all behind
   * that one are tried again with it. What writes a batch as a whole need not look.
   */
  readonly ordered?: boolean;
  /**
   * The request that all the records come from; where they come from several, the trace alone. `traceparent` is that of
   * the host's span, where one is exported. Left out: nothing is known.
   */
  readonly correlation?: Correlation | undefined;
  /**
   * Given where calls are limited: the write may send one request, and asks before each further one. What sends one
   * need not look.
   */
  readonly limit?: CallLimit;
  /**
   * Aborts where the write takes too long, or the run stops: it ends then, with an error, or with what is confirmed and
   * what is `left`. One that does not is left behind a second later, and others may begin while it is still under way.
   */
  readonly signal: AbortSignal;
}

export interface WriteResult {
  /** Records that failed, in any order; all that are neither here nor `left` are written. */
  readonly failed?: readonly WriteFailure[];
  /**
   * Indexes of records that the write did not come to, was in when its signal aborted, or could not write by the
   * destination's own fault. That counts as no attempt, and they are written again, no sooner than a `retryAfterMs` of
   * those that failed asks. Never all of a batch: a write that has nothing else to tell throws.
   */
  readonly left?: readonly number[];
  /** Kept with the checkpoint, given back to `openDestination` after a restart. */
  readonly state?: Json;
}

export interface WriteFailure {
  readonly index: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** Of one request. */
export type LookupFailure = WriteFailure;
