import type { Correlation, ErrorCode, Json, JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../../runtime/errors/index.ts";
import type { ConnectorEvent } from "../../runtime/ports/connector-events.ts";
import type { Ledger } from "../../runtime/ports/ledger.ts";
import type { TypeDescription } from "../../runtime/ports/plugins.ts";
import type { JobKind, JobStatus, ReplayOptions, Resolution } from "../../runtime/ports/replays.ts";
import type {
  Attempt,
  DestinationCounts,
  Drift,
  HealthStatus,
  Losses,
  OpenCircuits,
  RunError,
  RunSeries,
  RunStatus,
  RunTrigger,
} from "../../runtime/ports/store.ts";
import {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  pgSchema,
  primaryKey,
  sql,
  text,
  timestamp,
  unique,
  uuid,
} from "./drizzle.ts";
import { bytea, json, jsonb } from "./json-column.ts";

/** All that sluice keeps stands in one schema, so that a database may be shared with others. */
export const sluice = pgSchema("sluice");

const time = (name: string) => timestamp(name, { withTimezone: true });
const count = (name: string) => bigint(name, { mode: "number" }).notNull().default(0);

export const connectors = sluice.table(
  "connectors",
  {
    id: uuid("id").primaryKey(),
    name: text("name").notNull(),
    type: text("type").notNull(),
    config: json("config").$type<JsonObject>().notNull(),
    sealed: bytea("sealed"),
    owner: text("owner"),
    version: integer("version").notNull().default(1),
    createdAt: time("created_at").notNull().defaultNow(),
    updatedAt: time("updated_at").notNull().defaultNow(),
  },
  (t) => [unique("connectors_name").on(t.name)],
);

/** What connector types have yet to be told of their connectors: added with the change itself, gone once it is told. */
export const connectorEvents = sluice.table(
  "connector_events",
  {
    id: bigserial("id", { mode: "number" }).primaryKey(),
    /** Of one that may be gone. */
    connectorId: uuid("connector_id").notNull(),
    event: text("event").$type<ConnectorEvent["event"]>().notNull(),
    type: text("type").notNull(),
    config: json("config").$type<JsonObject>().notNull(),
    sealed: bytea("sealed"),
    previousConfig: json("previous_config").$type<JsonObject>(),
    previousSealed: bytea("previous_sealed"),
    createdAt: time("created_at").notNull().defaultNow(),
    dueAt: time("due_at").notNull().defaultNow(),
    attempts: integer("attempts").notNull().default(0),
  },
  (t) => [index("connector_events_by_connector").on(t.connectorId, t.id)],
);

/** Programs that serve connector types. A version of a type has one of them. */
export const plugins = sluice.table(
  "plugins",
  {
    id: uuid("id").primaryKey(),
    name: text("name").notNull(),
    spec: json("spec").$type<JsonObject>().notNull(),
    sealed: bytea("sealed"),
    /** As it said last; `type` and `typeVersion` say the same. */
    serves: json("serves").$type<TypeDescription>(),
    type: text("type"),
    typeVersion: text("type_version"),
    version: integer("version").notNull().default(1),
    createdAt: time("created_at").notNull().defaultNow(),
    updatedAt: time("updated_at").notNull().defaultNow(),
  },
  (t) => [unique("plugins_name").on(t.name), unique("plugins_type").on(t.type, t.typeVersion)],
);

export const integrations = sluice.table(
  "integrations",
  {
    id: uuid("id").primaryKey(),
    name: text("name").notNull(),
    spec: json("spec").$type<JsonObject>().notNull(),
    enabled: boolean("enabled").notNull(),
    version: integer("version").notNull().default(1),
    owner: text("owner"),
    createdAt: time("created_at").notNull().defaultNow(),
    updatedAt: time("updated_at").notNull().defaultNow(),
    /** As its owner said last. */
    health: text("health").$type<HealthStatus>().notNull().default("ok"),
    healthReason: text("health_reason"),
    circuits: json("circuits").$type<OpenCircuits>().notNull().default({}),
    /** Until they are seen. */
    losses: json("losses").$type<Losses>(),
    lossesSeen: bigint("losses_seen", { mode: "number" }),
  },
  (t) => [unique("integrations_name").on(t.name)],
);

const integrationId = () =>
  uuid("integration_id")
    .notNull()
    .references(() => integrations.id, { onDelete: "cascade" });

/** Every version of an integration, the current one included. */
export const integrationVersions = sluice.table(
  "integration_versions",
  {
    integrationId: integrationId(),
    version: integer("version").notNull(),
    name: text("name").notNull(),
    spec: json("spec").$type<JsonObject>().notNull(),
    enabled: boolean("enabled").notNull(),
    updatedAt: time("updated_at").notNull(),
    /** Who made it; null: nobody asked, or it is older than this column. */
    changedBy: text("changed_by"),
  },
  (t) => [primaryKey({ columns: [t.integrationId, t.version] })],
);

/** Partitioned by day of the UUIDv7 id (migration 0001). Outlives its integration until retention drops the day. */
export const pipelineRuns = sluice.table(
  "pipeline_runs",
  {
    id: uuid("id").primaryKey(),
    integrationId: uuid("integration_id").notNull(),
    integrationVersion: integer("integration_version").notNull(),
    trigger: text("trigger").$type<RunTrigger>().notNull(),
    status: text("status").$type<RunStatus>().notNull(),
    startedAt: time("started_at").notNull().defaultNow(),
    finishedAt: time("finished_at"),
    recordsIn: count("records_in"),
    recordsOut: count("records_out"),
    recordsFiltered: count("records_filtered"),
    recordsFailed: count("records_failed"),
    byDestination: json("by_destination").$type<Record<string, DestinationCounts>>().notNull().default({}),
    /** By step and destination; null before the first commit. */
    ledger: json("ledger").$type<Ledger>(),
    error: json("error").$type<RunError>(),
    waiting: text("waiting"),
    /** Counters over time. */
    series: json("series").$type<RunSeries>(),
    /** The job whose dead letters it replays; null: it reads the sources. */
    jobId: uuid("job_id"),
    /** The request that it was asked for with; null: it began by itself. */
    correlation: json("correlation").$type<Correlation>(),
    cancelRequestedAt: time("cancel_requested_at"),
  },
  (t) => [
    index("pipeline_runs_by_integration").on(t.integrationId, t.id),
    index("pipeline_runs_by_status").on(t.integrationId, t.status, t.id),
    index("pipeline_runs_running").on(t.integrationId, t.id).where(sql`status = 'running'`),
  ],
);

/** Partitioned like pipeline_runs. `raw` is the truth; `payload` is its JSON, where jsonb takes it. */
export const deadLetterRecords = sluice.table(
  "dead_letter_records",
  {
    id: uuid("id").primaryKey(),
    runId: uuid("run_id").notNull(),
    integrationId: uuid("integration_id").notNull(),
    integrationVersion: integer("integration_version").notNull(),
    recordId: text("record_id").notNull(),
    step: text("step"),
    destination: text("destination"),
    rule: integer("rule"),
    code: text("code").$type<ErrorCode>().notNull(),
    message: text("message").notNull(),
    payload: jsonb("payload").$type<Json>(),
    raw: bytea("raw").notNull(),
    /** JSON text; not a json column, since what a step left behind need not be what Postgres takes for JSON. */
    state: text("state"),
    positionBase: text("position_base").notNull(),
    positionOrdinal: bigint("position_ordinal", { mode: "number" }).notNull(),
    attempts: json("attempts").$type<readonly Attempt[]>().notNull(),
    errors: json("errors").$type<readonly FieldError[]>().notNull().default([]),
    firstFailedAt: time("first_failed_at").notNull(),
    lastAttemptedAt: time("last_attempted_at").notNull(),
    fingerprint: text("fingerprint").notNull(),
    traceId: text("trace_id"),
    /** The request that set the record going; null: none. */
    correlation: json("correlation").$type<Correlation>(),
    /** Which of the records that steps made of one it is; the empty text for the record itself. */
    child: text("child").notNull().default(""),
    /** What the record was read from, as a batch's header says it; null for a window's result. */
    source: text("source"),
    /** JSON text that a replay takes in the place of the original. */
    corrected: text("corrected"),
    correctedAt: time("corrected_at"),
    correctedBy: text("corrected_by"),
    resolved: boolean("resolved").notNull().default(false),
    resolution: text("resolution").$type<Resolution>(),
    resolutionReason: text("resolution_reason"),
    resolvedAt: time("resolved_at"),
    resolvedBy: text("resolved_by"),
    resolvedRunId: uuid("resolved_run_id"),
    /** Where `raw` and `payload`, or `state`, are, in dead_letter_originals; null: here. */
    rawOf: uuid("raw_of"),
    stateOf: uuid("state_of"),
    version: integer("version").notNull().default(1),
  },
  (t) => [
    index("dead_letter_records_by_integration").on(t.integrationId, t.id),
    index("dead_letter_records_by_record").on(t.integrationId, t.recordId),
    index("dead_letter_records_by_fingerprint").on(t.integrationId, t.fingerprint, t.id).where(sql`not resolved`),
    index("dead_letter_records_unresolved").on(t.integrationId, t.id).where(sql`not resolved`),
    index("dead_letter_records_by_run").on(t.runId),
  ],
);

/** What dead letters that were committed together share. Partitioned like them (migration 0013), by the id of the first. */
export const deadLetterOriginals = sluice.table("dead_letter_originals", {
  id: uuid("id").primaryKey(),
  raw: bytea("raw"),
  payload: jsonb("payload").$type<Json>(),
  state: text("state"),
});

/** Work in the background that is asked for by the API. */
export const jobs = sluice.table(
  "jobs",
  {
    id: uuid("id").primaryKey(),
    integrationId: integrationId(),
    kind: text("kind").$type<JobKind>().notNull(),
    status: text("status").$type<JobStatus>().notNull(),
    options: json("options").$type<ReplayOptions>().notNull(),
    error: json("error").$type<RunError>(),
    /** The name of the token that it was asked for with. */
    createdBy: text("created_by"),
    /** The request that it was asked for with; null: it began by itself. */
    correlation: json("correlation").$type<Correlation>(),
    createdAt: time("created_at").notNull().defaultNow(),
    finishedAt: time("finished_at"),
  },
  (t) => [index("jobs_by_integration").on(t.integrationId, t.id)],
);

export type ReplayState = "open" | "passed" | "failed" | "left";

/**
 * A dead letter in a job that replays it, and what became of it: at most one job has it open, by a lock on opening. Without a foreign key,
 * which would be looked up for each of a hundred thousand.
 */
export const deadLetterReplays = sluice.table(
  "dead_letter_replays",
  {
    jobId: uuid("job_id").notNull(),
    deadLetterId: uuid("dead_letter_id").notNull(),
    /** The integration's version that it is replayed under. */
    version: integer("version").notNull(),
    state: text("state").$type<ReplayState>().notNull().default("open"),
    /** The run that settled it. */
    runId: uuid("run_id"),
    /** The failure that was entered, once, however often its flush is repeated: others are dead letters of their own. */
    failureId: uuid("failure_id"),
  },
  (t) => [
    primaryKey({ columns: [t.jobId, t.deadLetterId] }),
    // Of no column that changes: with room in its page, a row that is settled needs no new entry in any index.
    index("dead_letter_replays_by_dead_letter").on(t.deadLetterId),
  ],
);

/** The epoch of the latest owner that committed (invariant 5): its row is what concurrent commits wait for. */
export const checkpointOwners = sluice.table("checkpoint_owners", {
  integrationId: integrationId().primaryKey(),
  epoch: bigint("epoch", { mode: "number" }).notNull(),
  /** How many there were: a store that is restored from an earlier state counts fewer. */
  commits: count("commits"),
  /** Which logs they were made beside (LogIdentity). */
  ingestLog: bigint("ingest_log", { mode: "number" }),
  deliverLog: bigint("deliver_log", { mode: "number" }),
  /** How far these reached (LogEnds). */
  ingestEnd: bigint("ingest_end", { mode: "number" }),
  deliverEnd: bigint("deliver_end", { mode: "number" }),
});

/** Those that were deleted: an integration that the store never heard of may be one that it forgot. */
export const removedIntegrations = sluice.table("removed_integrations", {
  id: uuid("id").primaryKey(),
  removedAt: time("removed_at").notNull().defaultNow(),
});

export const checkpoints = sluice.table(
  "checkpoints",
  {
    integrationId: integrationId(),
    consumer: text("consumer").notNull(),
    settled: json("settled").$type<readonly number[]>().notNull(),
    state: json("state").$type<Json>(),
    progress: json("progress").$type<Json>(),
  },
  (t) => [primaryKey({ columns: [t.integrationId, t.consumer] })],
);

/** Copies of the cursors in the ingest log, one a source. */
export const sourceCursors = sluice.table(
  "source_cursors",
  {
    integrationId: integrationId(),
    source: text("source").notNull().default(""),
    cursor: json("cursor").$type<Json>(),
    updatedAt: time("updated_at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.integrationId, t.source] })],
);

/** Open windows of steps `aggregate`, committed with what they took (invariant 2). */
export const aggregateGroups = sluice.table(
  "aggregate_groups",
  {
    integrationId: integrationId(),
    step: text("step").notNull(),
    /** SHA-256 of the key: it has no limit of its own. */
    keyHash: bytea("key_hash").notNull(),
    key: text("key").notNull(),
    state: json("state").$type<Json>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.integrationId, t.step, t.keyHash] })],
);

/** Records that failed for a passing reason and wait for their next try. The id is that of the dead letter each may become. */
export const scheduledRetries = sluice.table(
  "scheduled_retries",
  {
    id: uuid("id").primaryKey(),
    integrationId: integrationId(),
    runId: uuid("run_id").notNull(),
    destination: text("destination").notNull(),
    dueAt: time("due_at").notNull(),
    /** The dead letter, without `raw`. */
    letter: json("letter").notNull(),
    raw: bytea("raw").notNull(),
    /** Where `raw` is, in dead_letter_originals; null: here. */
    rawOf: uuid("raw_of"),
    outId: text("out_id").notNull(),
    ingestedAt: bigint("ingested_at", { mode: "number" }).notNull(),
    fullRead: boolean("full_read").notNull(),
  },
  (t) => [index("scheduled_retries_due").on(t.integrationId, t.destination, t.dueAt)],
);

/**
 * Idempotency keys a destination has confirmed, as SHA-256. A row for each record: no reference to the integration, whose
 * check costs a third of the insert, and by age an index of a few pages.
 */
export const processedEvents = sluice.table(
  "processed_events",
  {
    integrationId: uuid("integration_id").notNull(),
    destination: text("destination").notNull(),
    key: bytea("key").notNull(),
    seenAt: time("seen_at").notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.integrationId, t.destination, t.key] }),
    index("processed_events_by_age").using("brin", t.seenAt).with({ autosummarize: true }),
  ],
);

export type FireOutcome = "started" | "queued" | "skipped";

/** One row an instant: what makes a schedule fire once, whatever the number of nodes. */
export const scheduledFires = sluice.table(
  "scheduled_fires",
  {
    integrationId: integrationId(),
    instant: time("instant").notNull(),
    integrationVersion: integer("integration_version").notNull(),
    outcome: text("outcome").$type<FireOutcome>().notNull(),
    runId: uuid("run_id"),
  },
  (t) => [
    primaryKey({ columns: [t.integrationId, t.instant] }),
    index("scheduled_fires_queued").on(t.integrationId, t.instant).where(sql`outcome = 'queued'`),
  ],
);

/** Batches larger than a log message. */
export const claims = sluice.table(
  "claims",
  {
    id: uuid("id").primaryKey(),
    integrationId: integrationId(),
    bytes: bytea("bytes").notNull(),
    createdAt: time("created_at").notNull().defaultNow(),
  },
  (t) => [index("claims_by_age").on(t.createdAt)],
);

/** Versions of a source stream's schema, as an integration knows it. */
export const sourceSchemas = sluice.table(
  "source_schemas",
  {
    integrationId: integrationId(),
    connector: text("connector").notNull(),
    stream: text("stream").notNull(),
    version: integer("version").notNull(),
    schema: json("schema").$type<JsonSchema>().notNull(),
    seenAt: time("seen_at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.integrationId, t.connector, t.stream, t.version] })],
);

/** What a run met that its stream's schema did not know: a row a fact, however many records have it. */
export const schemaDrift = sluice.table(
  "schema_drift",
  {
    integrationId: integrationId(),
    runId: uuid("run_id").notNull(),
    /** SHA-256 of connector, stream and drift: a path may be longer than an index entry. */
    fact: bytea("fact").notNull(),
    connector: text("connector").notNull(),
    stream: text("stream").notNull(),
    version: integer("version").notNull(),
    /** JSON, since fields may have names that Postgres does not take for text. */
    drift: json("drift").$type<Drift>().notNull(),
    seenAt: time("seen_at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.runId, t.fact] }), index("schema_drift_by_age").on(t.seenAt)],
);

/** What has been used of the rate limit of a destination. Shared by all nodes; a change names the revision it is made of. */
export const rateLimits = sluice.table(
  "rate_limits",
  {
    integrationId: integrationId(),
    destination: text("destination").notNull(),
    revision: bigint("revision", { mode: "number" }).notNull(),
    state: json("state").$type<Json>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.integrationId, t.destination] })],
);

/** Batches and records that were in hand before, while they go through the steps: what ends a process stays here. */
export const suspects = sluice.table(
  "suspects",
  {
    integrationId: integrationId(),
    mark: text("mark").notNull(),
    /** How often it was taken in hand, and not let go. */
    times: integer("times").notNull(),
    /** What a process left behind that died between a commit and its note is asked for by nobody. */
    takenAt: time("taken_at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.integrationId, t.mark] })],
);

export const apiKeys = sluice.table(
  "api_keys",
  {
    id: uuid("id").primaryKey(),
    hash: bytea("hash").notNull(),
    name: text("name").notNull(),
    prefix: text("prefix").notNull(),
    role: text("role").notNull(),
    scopes: text("scopes").array(),
    owner: text("owner"),
    rateLimit: integer("rate_limit"),
    createdAt: time("created_at").notNull().defaultNow(),
    createdBy: text("created_by"),
    expiresAt: time("expires_at"),
    lastUsedAt: time("last_used_at"),
    revokedAt: time("revoked_at"),
  },
  (t) => [unique("api_keys_hash").on(t.hash)],
);

/** Requests of the API that are made once, and what was answered. */
export const idempotencyKeys = sluice.table(
  "idempotency_keys",
  {
    caller: text("caller").notNull(),
    key: text("key").notNull(),
    fingerprint: bytea("fingerprint").notNull(),
    begunAt: time("begun_at").notNull().defaultNow(),
    /** Null while it is under way. */
    status: integer("status"),
    headers: json("headers"),
    body: json("body"),
  },
  (t) => [primaryKey({ columns: [t.caller, t.key] })],
);

/** Partitioned by the month of its ids (migration 0031). */
export const auditLog = sluice.table(
  "audit_log",
  {
    id: uuid("id").primaryKey(),
    at: time("at").notNull().defaultNow(),
    actor: text("actor").notNull(),
    actorId: text("actor_id"),
    owner: text("owner"),
    requestId: text("request_id"),
    action: text("action").notNull(),
    resourceId: uuid("resource_id"),
    resourceName: text("resource_name"),
    before: json("before").$type<Json>(),
    after: json("after").$type<Json>(),
  },
  (t) => [index("audit_log_resource").on(t.resourceId, t.id)],
);
