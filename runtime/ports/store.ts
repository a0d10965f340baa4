import type { Correlation, ErrorCode, Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import type { EndlessTrigger } from "../config/endless.ts";
import { type FieldError, StaleOwnerError } from "../errors/index.ts";
import type { ConnectorEventStore, ConnectorSnapshot } from "./connector-events.ts";
import type { Attempt, NewDeadLetter } from "./dead-letters.ts";
import type { IdempotencyStore } from "./idempotency.ts";
import type { ApiKeyStore, AuditStore, Caller } from "./identity.ts";
import type { Ledger } from "./ledger.ts";
import type { Page, PageOptions } from "./page.ts";
import type { PluginStore } from "./plugins.ts";
import type { QuotaStore } from "./quotas.ts";
import type { DeadLetterFilter, DeadLetterGroup, ReplayOf, ReplayStore, Resolution } from "./replays.ts";
import type { RetryStore, ScheduledRetry } from "./retries.ts";
import type { SuspectStore } from "./suspects.ts";

export type { Attempt, NewDeadLetter } from "./dead-letters.ts";
export type { Page, PageOptions } from "./page.ts";

/** Ids are UUIDv7 in their text form; times are Dates. */
export interface ConnectorRow extends ConnectorSnapshot {
  readonly name: string;
  readonly owner: string | null;
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface IntegrationRow {
  readonly id: string;
  readonly name: string;
  /** The integration as configured (contract section 3), validated, in snake_case, without `name` and `enabled`. */
  readonly spec: JsonObject;
  readonly enabled: boolean;
  readonly version: number;
  readonly owner: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly health: HealthStatus;
  readonly healthReason: string | null;
  /** By destination, and by `step ID` those of look-ups: whose circuit is not closed, as the owner said last. */
  readonly circuits: OpenCircuits;
  /** What logs or store turned out to have lost; null: nothing, or all of it was seen. */
  readonly losses: Losses | null;
  /** `at` of what somebody has seen of it last. */
  readonly lossesSeen: number | null;
}

/** A version as lists show it; its spec is in `version(id, version)`. */
export interface IntegrationVersionRow extends Pick<IntegrationRow, "version" | "name" | "enabled"> {
  readonly createdAt: Date;
  /** Who made it; null where that is not known. */
  readonly changedBy: string | null;
}

export type OpenCircuits = Readonly<Record<string, OpenCircuit>>;

/** Told until somebody says that it was seen. `at`: of the latest, in milliseconds since the epoch. */
export interface Losses {
  readonly at: number;
  /** The latest first. */
  readonly reasons: readonly string[];
}

/** The circuit of a destination, or of a step's look-ups, while it is not closed. Times in milliseconds since the epoch. */
export interface OpenCircuit {
  readonly since: number;
  /** It is half open from then on. */
  readonly until: number;
  /** What the far side said when it opened last, */
  readonly reason: string;
  /** and the share of records that had failed, 0 to 1. */
  readonly failureRatio: number;
}

/** `stopped`: its last run failed. `degraded`: a part of it crashed, and was started again. `waiting`: for what will pass. */
export type HealthStatus = "ok" | "degraded" | "stopped" | "waiting";

/** How an integration does. */
export interface Health {
  readonly status: HealthStatus;
  readonly reason: string | null;
  readonly circuits: OpenCircuits;
  readonly losses: Losses | null;
}

export type RunStatus = "running" | "success" | "partial" | "failed" | "cancelled";
/** `invoke`: it takes records that are invoked while no other run is under way. */
export type RunTrigger = "manual" | "schedule" | "webhook" | "event" | "invoke";

export interface RunError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly path?: string;
}

export interface DestinationCounts {
  out: number;
  failed: number;
}

export interface RunCounts {
  in: number;
  out: number;
  filtered: number;
  failed: number;
  byDestination: Record<string, DestinationCounts>;
  /** By step and destination; left out before the first commit, and of runs of former versions. */
  ledger?: Ledger;
}

/** Counters over time, oldest first: milliseconds since the run's start, records in, out, filtered and failed until then. */
export interface RunSeries {
  /** Points are at least so far apart. */
  readonly intervalMs: number;
  readonly points: readonly (readonly [ms: number, read: number, out: number, filtered: number, failed: number])[];
}

export interface RunRow {
  readonly id: string;
  readonly integrationId: string;
  readonly integrationVersion: number;
  readonly trigger: RunTrigger;
  readonly status: RunStatus;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly counts: RunCounts;
  readonly error: RunError | null;
  /** Why a running run does not move at the moment ("postgres is away"), or null. */
  readonly waiting: string | null;
  /** The job whose dead letters the run replays; left out or null: it reads the sources. */
  readonly jobId?: string | null;
  /** The request that it was asked for with; left out or null: it began by itself. */
  readonly correlation?: Correlation | null;
  /** When somebody asked for its end; left out or null: nobody did. */
  readonly cancelRequestedAt?: Date | null;
}

/** An integration as an overview shows it. */
export interface OverviewRow
  extends Pick<
    IntegrationRow,
    | "id"
    | "name"
    | "spec"
    | "enabled"
    | "version"
    | "owner"
    | "createdAt"
    | "updatedAt"
    | "health"
    | "healthReason"
    | "circuits"
  > {
  /** Unresolved. */
  readonly deadLetters: number;
  readonly lastRun: {
    readonly id: string;
    readonly status: RunStatus;
    readonly startedAt: Date;
    readonly finishedAt: Date | null;
    readonly failed: number;
  } | null;
}

export interface OverviewOptions extends PageOptions {
  /** `attention`: what needs it most first; `dead_letters`: most of them first; what is alike by name. */
  readonly sort: "attention" | "name" | "dead_letters";
  readonly health: HealthStatus | null;
  readonly enabled: boolean | null;
  /** Part of the name, in any case. */
  readonly search: string | null;
  /** Whether there are unresolved dead letters. */
  readonly deadLetters: boolean | null;
}

/** Of all integrations of the caller, whatever the page. Health is of those that are enabled. */
export interface OverviewTotals extends Readonly<Record<HealthStatus, number>> {
  readonly integrations: number;
  readonly enabled: number;
  readonly circuitsOpen: number;
  readonly withDeadLetters: number;
}

export interface OverviewPage extends Page<OverviewRow> {
  readonly totals: OverviewTotals;
}

export interface DeadLetterRow {
  readonly id: string;
  readonly runId: string;
  readonly integrationId: string;
  readonly integrationVersion: number;
  readonly recordId: string;
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
  readonly code: ErrorCode;
  readonly message: string;
  readonly position: { readonly base: string; readonly ordinal: number };
  readonly attempts: readonly Attempt[];
  readonly errors: readonly FieldError[];
  readonly firstFailedAt: Date;
  readonly lastAttemptedAt: Date;
  readonly fingerprint: string;
  readonly traceId: string | null;
  /** The request that set the record going; null: none. */
  readonly correlation: Correlation | null;
  readonly correctedAt: Date | null;
  /** The name of the token that it was corrected with. */
  readonly correctedBy: string | null;
  readonly resolved: boolean;
  readonly resolution: Resolution | null;
  /** Why it was discarded. */
  readonly resolutionReason: string | null;
  readonly resolvedAt: Date | null;
  /** The name of the token that it was discarded with, or its replay asked for. */
  readonly resolvedBy: string | null;
  /** The run that delivered it. */
  readonly resolvedRunId: string | null;
  /** Grows with each correction, and when it is discarded. */
  readonly version: number;
}

export interface DeadLetterDetail extends DeadLetterRow {
  /** `raw` as JSON, or null where it is none (or holds what jsonb refuses). */
  readonly payload: Json | null;
  readonly raw: Uint8Array;
  readonly state: Json | null;
  /** What a replay takes in the place of the payload; null: it was not corrected. */
  readonly corrected: Json | null;
}

/** A group of a step `aggregate`, with its open window. */
export interface StoredGroup {
  readonly step: string;
  /** Canonical JSON text of the key's values. As long as they are: what has a limit takes its hash. */
  readonly key: string;
  /** Null: closed. */
  readonly state: Json | null;
}

/** What a consumer of a log has settled, and the destination's state after it. */
export interface Checkpoint {
  /** `steps`, or a destination's id. */
  readonly consumer: string;
  /** Keys of messages settled, which may come again: first and last of each range in turn. */
  readonly settled: readonly number[];
  /** A destination's own state (bytes written), with the run it belongs to. */
  readonly state: Json | null;
  /** Progress of the current run on this consumer: run id, batches and records settled. */
  readonly progress: Json | null;
}

/**
 * What one flush commits for one integration, in one transaction with all others of the node: invariant 2 and 3 hold
 * because acks are sent only after it. Counters are absolute, so that a flush that is repeated does no harm.
 */
export interface Settlement {
  readonly integrationId: string;
  /** Refused (StaleEpochError) when a later owner has committed. */
  readonly epoch: number;
  readonly run: {
    readonly id: string;
    readonly counts: RunCounts;
    readonly waiting: string | null;
    /** Left out: the same as before. */
    readonly series?: RunSeries;
  } | null;
  readonly checkpoints: readonly Checkpoint[];
  readonly deadLetters: readonly NewDeadLetter[];
  /** Windows that changed. Those that closed are deleted. */
  readonly groups: readonly StoredGroup[];
  /** Idempotency keys that were confirmed, as SHA-256 in hex. */
  readonly processed?: readonly { readonly destination: string; readonly keys: readonly string[] }[];
  /** Dead letters that a replay has settled without a failure. */
  readonly replayed?: readonly ReplayOf[];
  /** The logs that this is committed beside; left out: the same as before. */
  readonly logs?: LogIdentity;
  /** How far the logs reach, as their owner knows; what the store knows already stays, unless `logs` are named. */
  readonly ends?: LogEnds;
  /** Records to be tried again later, or later once more; known by their letters' ids. */
  readonly retries?: readonly ScheduledRetry[];
  /** Ids of those that need no further try. */
  readonly retried?: readonly string[];
}

/** `ConflictError` when a unique name is taken or `version` does not match; `null` or false where nothing was found. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}

/** What was to be changed is of another version by now. */
export class StaleVersionError extends ConflictError {
  constructor(current: number) {
    super(`it was changed meanwhile and is at version ${current}: read it again`);
  }
}

export interface ConnectorStore {
  create(row: Omit<ConnectorRow, "createdAt" | "updatedAt" | "version">): Promise<ConnectorRow>;
  update(
    id: string,
    change: Pick<ConnectorRow, "name" | "type" | "config" | "sealed">,
    version?: number,
  ): Promise<ConnectorRow | null>;
  /** The same secrets sealed anew; false where they were replaced meanwhile. The version stays. */
  reseal(id: string, before: Uint8Array, after: Uint8Array): Promise<boolean>;
  get(id: string): Promise<ConnectorRow | null>;
  byName(name: string): Promise<ConnectorRow | null>;
  list(options: NamedListOptions & { readonly type?: string | null }): Promise<Page<ConnectorRow>>;
  /** The version of each, by its name. */
  versions(): Promise<ReadonlyMap<string, number>>;
  /** ConflictError while an integration refers to it, and where it is of another version. */
  remove(id: string, version?: number): Promise<boolean>;
}

export interface IntegrationStore {
  create(
    row: Omit<
      IntegrationRow,
      "createdAt" | "updatedAt" | "version" | "health" | "healthReason" | "circuits" | "losses" | "lossesSeen"
    >,
  ): Promise<IntegrationRow>;
  /** Keeps the former version in the history. One that was `stopped` is `ok` from now on. */
  update(
    id: string,
    change: Pick<IntegrationRow, "name" | "spec" | "enabled">,
    version?: number,
  ): Promise<IntegrationRow | null>;
  get(id: string): Promise<IntegrationRow | null>;
  byName(name: string): Promise<IntegrationRow | null>;
  /** Those of the texts that are the name or the id of one. */
  existing(texts: readonly string[]): Promise<readonly string[]>;
  /** A version as it was, for runs that began under it. */
  version(id: string, version: number): Promise<IntegrationRow | null>;
  /** All versions that there were, the newest first unless `sort` says otherwise, or `only` that one. */
  versions(
    id: string,
    options: PageOptions & { readonly only?: number; readonly sort?: "-version" | "version" },
  ): Promise<Page<IntegrationVersionRow>>;
  list(
    options: NamedListOptions & { readonly enabled?: boolean | null; readonly health?: HealthStatus | null },
  ): Promise<Page<IntegrationRow>>;
  /** Those of the ids that are there. */
  known(ids: readonly string[]): Promise<readonly string[]>;
  overview(options: OverviewOptions): Promise<OverviewPage>;
  /** All of them, for nodes that share them out. */
  all(): Promise<readonly IntegrationRow[]>;
  /** Those, and their versions, whose spec holds a text: sealed secrets. */
  withText(text: string): Promise<readonly Pick<IntegrationRow, "id" | "name" | "spec">[]>;
  /** In the spec and in all versions of it, none of which is another one by that. False where `before` is not there. */
  reseal(id: string, before: string, after: string): Promise<boolean>;
  /** Nothing where a later owner than that of `epoch` has committed (invariant 5). */
  setHealth(id: string, epoch: number, health: Health): Promise<void>;
  /** Somebody has seen what was lost of it; its owner stops telling. Null where there is no such integration. */
  seeLosses(id: string): Promise<IntegrationRow | null>;
  /** ConflictError where it is of another version. */
  remove(id: string, version?: number): Promise<boolean>;
  /** Those of the ids that were removed, where others are unknown to the store. */
  removed(ids: readonly string[]): Promise<readonly string[]>;
}

/** Newest first unless `sort` says otherwise. */
export interface RunListOptions extends PageOptions {
  readonly status: RunStatus | null;
  readonly trigger?: RunTrigger | null;
  /** Those that began then or later, then or earlier. */
  readonly since?: Date | null;
  readonly until?: Date | null;
  readonly sort?: "-started_at" | "started_at";
}

/** What lists of what has a name are sorted by; left out: `-created_at`. */
export type NamedSort = "-created_at" | "created_at" | "name" | "-name" | "-updated_at" | "updated_at";

export interface NamedListOptions extends PageOptions {
  readonly sort?: NamedSort;
  /** Part of the name, in any case. */
  readonly search?: string | null;
}

export interface RunStore {
  /** Null when `onlyIfIdle` and a run of the integration is running. */
  create(run: {
    readonly id: string;
    readonly integrationId: string;
    readonly integrationVersion: number;
    readonly trigger: RunTrigger;
    readonly onlyIfIdle: boolean;
  }): Promise<RunRow | null>;
  /**
   * Opens the next run of an integration that is read without an end. Null when a run of it is running, or it is gone, disabled
   * or at another version.
   */
  openEvent(run: {
    readonly integrationId: string;
    readonly integrationVersion: number;
    readonly trigger: EndlessTrigger;
    readonly runId: string;
  }): Promise<RunRow | null>;
  get(id: string): Promise<RunRow | null>;
  list(integrationId: string, options: RunListOptions): Promise<Page<RunRow>>;
  /** Null before the first point, and of what is not there. */
  series(id: string): Promise<RunSeries | null>;
  /** Runs with status running, oldest first; of one integration or of all. */
  running(integrationId?: string): Promise<readonly RunRow[]>;
  /** Notes that a run that is running is to end; null where it is none. Its owner ends it. */
  requestCancel(id: string): Promise<RunRow | null>;
  /** Closes a run that is running; false when it was closed already. The counts are kept as given. */
  finish(
    id: string,
    end: { readonly status: RunStatus; readonly error: RunError | null; readonly counts: RunCounts },
  ): Promise<boolean>;
  /** Number of distinct records of the run in the dead letters. */
  failedRecords(id: string): Promise<number>;
  /** By integration, when its latest run that took all over ended (`success` or `partial`); those that have none are left out. */
  lastCompleted(integrationIds: readonly string[]): Promise<ReadonlyMap<string, Date>>;
}

export interface DeadLetterListOptions extends PageOptions {
  readonly resolved: boolean | null;
  readonly filter?: DeadLetterFilter;
  readonly sort?: "-last_attempted_at" | "last_attempted_at" | null;
}

export interface DeadLetterStore {
  get(id: string): Promise<DeadLetterDetail | null>;
  /** The newest first unless `sort` says otherwise. */
  list(integrationId: string, options: DeadLetterListOptions): Promise<Page<DeadLetterRow>>;
  /** Those that are, or are not (where left out), resolved, by fingerprint, the largest group first. */
  groups(
    integrationId: string,
    options: PageOptions & { readonly resolved?: boolean; readonly filter?: DeadLetterFilter },
  ): Promise<Page<DeadLetterGroup>>;
  /** All of a run's, whatever became of them, by fingerprint, the largest group first. */
  errorsOf(runId: string, options: PageOptions): Promise<Page<DeadLetterGroup>>;
  /**
   * Null takes a correction back; `actor` is who says so. False where the dead letter is resolved, being replayed, or of
   * none of the versions.
   */
  correct(id: string, payload: Json | null, actor: string, versions?: readonly number[] | null): Promise<boolean>;
  /** False as for `correct`. */
  discard(id: string, reason: string, actor: string, versions?: readonly number[] | null): Promise<boolean>;
  /** Unresolved, by integration id. */
  depths(): Promise<ReadonlyMap<string, number>>;
}

export interface ScheduleStore {
  /**
   * Claims one fire and opens its run in one transaction, under an advisory lock. Null when it was claimed before, by
   * whatever node, or the integration is gone, disabled or at another version.
   */
  fire(claim: {
    readonly integrationId: string;
    readonly integrationVersion: number;
    readonly instant: Date;
    readonly overlap: "skip" | "queue" | "run";
    readonly runId: string;
  }): Promise<{ readonly run: RunRow | null } | null>;
  /** Instant of the latest fire claimed, by integration id. */
  lastFires(): Promise<ReadonlyMap<string, Date>>;
  /**
   * Opens the run of the oldest fire that `overlap: queue` put off, once no run of the integration is running. Asked
   * when a run ends, and at start. Null when none is queued, or the integration is busy, gone or disabled.
   */
  fireQueued(integrationId: string, runId: string): Promise<RunRow | null>;
}

/** The sequences that an integration's logs began with when they were made: which logs they are. */
export interface LogIdentity {
  readonly ingest: number;
  readonly deliver: number;
}

/** The latest sequences that were confirmed of them: a log that ends before has lost something. */
export type LogEnds = LogIdentity;

/** The latest owner that committed. */
export interface LogOwner {
  readonly epoch: number;
  /** The logs that it committed beside; null where they were not kept yet, as `ends` in a store of a former version. */
  readonly logs: LogIdentity | null;
  readonly ends: LogEnds | null;
}

/**
 * The store has forgotten what it had committed for an integration: it was restored from an earlier state. Its owner
 * begins anew, and finds out what is missing.
 */
export class StoreBehindError extends StaleOwnerError {
  override readonly name = "StoreBehindError";

  constructor(integrationId: string) {
    super(`Postgres has forgotten commits of integration ${integrationId}: it was restored from an earlier state`);
  }
}

/** What an integration has to commit can never be written: its run is failed, and the others go on. */
export class UnwritableError extends StaleOwnerError {
  override readonly name = "UnwritableError";

  constructor(reason: string) {
    super(`what the run has to store cannot be written: ${reason}`);
  }
}

/** Integrations for which a commit wrote nothing. */
export interface Committed {
  /** They have a later owner. */
  readonly stale: readonly string[];
  /** The store no longer knows what this process committed before. */
  readonly behind?: readonly string[];
  /** The store is there, and refuses what it was given. */
  readonly unwritable?: readonly { readonly integrationId: string; readonly reason: string }[];
}

/** Why nothing was committed for an integration; undefined where it was. */
export function refusal({ stale, behind, unwritable }: Committed, integrationId: string): StaleOwnerError | undefined {
  if (behind?.includes(integrationId)) return new StoreBehindError(integrationId);
  if (stale.includes(integrationId)) return new StaleOwnerError(`integration ${integrationId} has a later owner`);
  const refused = unwritable?.find((one) => one.integrationId === integrationId);
  return refused && new UnwritableError(refused.reason);
}

export interface CheckpointStore {
  load(integrationId: string): Promise<readonly Checkpoint[]>;
  /** Null before the first. */
  owner(integrationId: string): Promise<LogOwner | null>;
  /** One transaction for all that it does not refuse. Throws only where the store does not answer. */
  commit(settlements: readonly Settlement[]): Promise<Committed>;
  /** The cursor an incremental source goes on from, saved at the end of a run as a copy of the log's. */
  saveCursor(integrationId: string, source: string, cursor: Json): Promise<void>;
  loadCursor(integrationId: string, source: string): Promise<Json | null>;
  /** Open windows. */
  loadGroups(integrationId: string): Promise<readonly StoredGroup[]>;
  /** Those of the idempotency keys that were committed within the window. */
  processed(
    integrationId: string,
    destination: string,
    keys: readonly string[],
    windowMs: number,
  ): Promise<readonly string[]>;
  /** Forgets the keys that are older than the window. */
  forgetProcessed(integrationId: string, destination: string, windowMs: number): Promise<void>;
}

/** Batches larger than a log message (claim check). */
export interface ClaimStore {
  put(integrationId: string, bytes: Uint8Array): Promise<string>;
  get(id: string): Promise<Uint8Array | null>;
  remove(ids: readonly string[]): Promise<void>;
  /** Of all batches of an integration. */
  ids(integrationId: string): Promise<readonly string[]>;
  /** Bytes of all batches of an integration. */
  bytes(integrationId: string): Promise<number>;
}

/** What of a record differs from its stream's schema. */
export interface Drift {
  readonly kind: "new_field" | "changed_type" | "missing_field";
  /** Field path; `items[*].price` for what elements of an array have. */
  readonly path: string;
  /** JSON types that the schema names, joined by `|`; null where it does not know the field. */
  readonly expected: string | null;
  /** The value's JSON type; null where the field is missing. */
  readonly found: string | null;
}

/** A stream as an integration reads it: one's contract is not moved by another's. */
export interface StreamKey {
  readonly integrationId: string;
  /** Name of the source's connector. */
  readonly connector: string;
  readonly stream: string;
}

export interface SchemaVersion {
  readonly stream: StreamKey;
  /** From 1. */
  readonly version: number;
  /** JSON Schema of a record. */
  readonly schema: JsonSchema;
  readonly seenAt: Date;
}

/** Drift that a run met, told once a run. */
export interface DriftRow extends Drift {
  readonly connector: string;
  readonly stream: string;
  /** The schema's version that it differs from. */
  readonly version: number;
  readonly seenAt: Date;
}

export interface SchemaStore {
  current(stream: StreamKey): Promise<SchemaVersion | null>;
  /** The version that the schema has from now on: that of the current one where they are equal. Null: it is gone. */
  add(stream: StreamKey, schema: JsonSchema): Promise<number | null>;
  /** All versions of all streams of an integration, the latest first. */
  list(integrationId: string): Promise<readonly SchemaVersion[]>;
  /** Facts that the run told before are left out. */
  recordDrift(
    runId: string,
    version: Pick<SchemaVersion, "stream" | "version">,
    drift: readonly Drift[],
  ): Promise<void>;
  /** Oldest first. */
  drift(runId: string): Promise<readonly DriftRow[]>;
}

export interface Store {
  readonly plugins: PluginStore;
  readonly connectors: ConnectorStore;
  readonly connectorEvents: ConnectorEventStore;
  readonly integrations: IntegrationStore;
  readonly runs: RunStore;
  readonly deadLetters: DeadLetterStore;
  readonly replays: ReplayStore;
  readonly retries: RetryStore;
  readonly schedules: ScheduleStore;
  readonly checkpoints: CheckpointStore;
  readonly claims: ClaimStore;
  readonly schemas: SchemaStore;
  readonly quotas: QuotaStore;
  readonly suspects: SuspectStore;
  readonly idempotency: IdempotencyStore;
  readonly apiKeys: ApiKeyStore;
  readonly audit: AuditStore;
  /**
   * The same, on behalf of a caller: of connectors, integrations, runs, dead letters, jobs and keys only those of its
   * team are there, what it makes is its team's, and what it changes is in the audit log, in the same transaction.
   */
  as(caller: Caller): Store;
  /** Runs `work` in one transaction: all of its changes or none (apply). */
  transaction<T>(work: (store: Store) => Promise<T>): Promise<T>;
  /** Answers, or throws with a reason: for readyz. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
