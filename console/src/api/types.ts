/*
 * What the API answers (docs/api.md, /openapi.json), as far as pages read it.
 */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}
/** RFC 3339 in UTC, with milliseconds. */
export type Time = string;

export type Scope =
  | "connectors:read"
  | "connectors:test"
  | "connectors:write"
  | "integrations:read"
  | "integrations:operate"
  | "integrations:write"
  | "runs:read"
  | "runs:write"
  | "dead-letters:read"
  | "dead-letters:write"
  | "keys:read"
  | "keys:write"
  | "audit:read"
  | "platform:read"
  | "platform:write";

export type Role = "viewer" | "operator" | "editor" | "admin";

export interface Me {
  readonly name: string;
  /** Null: known by its scopes alone. */
  readonly role: Role | null;
  readonly scopes: readonly Scope[];
  /** A team; null: sees everything. */
  readonly owner: string | null;
  readonly expires_at: Time | null;
  /** Where traces are shown: a URL with {trace_id}; null or left out: nowhere. */
  readonly trace_url?: string | null;
}

export type Health = "ok" | "waiting" | "degraded" | "stopped";
export type RunStatus = "running" | "success" | "partial" | "failed" | "cancelled";
export type TriggerType = "manual" | "schedule" | "webhook" | "event";

export interface Circuit {
  readonly state: "closed" | "open" | "half_open";
  readonly since: Time | null;
  readonly reason: string | null;
  readonly failure_ratio: number | null;
}

/** Records in each of the last seconds, at most 60, oldest first. */
export interface Samples {
  readonly interval_seconds: number;
  readonly in: readonly number[];
  readonly out: readonly number[];
  readonly failed: readonly number[];
}

export interface Latency {
  readonly p50_seconds: number;
  readonly p99_seconds: number;
}

export interface Live {
  /** Null: no node owns it at the moment. */
  readonly at: Time | null;
  readonly records_in_per_second: number;
  readonly records_out_per_second: number;
  readonly records_failed_per_second: number;
  /** Records in the logs that are not settled. */
  readonly lag: number;
  /** Of the last minute, 0 to 1. */
  readonly error_ratio: number;
  /** Unresolved ones; null: not known yet. */
  readonly dead_letters: number | null;
  readonly freshness_seconds: number | null;
  readonly latency: Latency | null;
  /** By destination's id and `step ID`. */
  readonly circuits: Readonly<Record<string, Circuit>>;
  readonly run_id: string | null;
  readonly waiting: string | null;
}

export interface GraphNode {
  /** `source:0`, `log:ingest`, `step:ID`, `log:DESTINATION`, `destination:ID`. */
  readonly id: string;
  readonly kind: "source" | "log" | "step" | "destination";
  readonly name: string;
  readonly type: string;
  readonly in_per_second: number;
  readonly out_per_second: number;
  readonly filtered_per_second: number;
  readonly failed_per_second: number;
  readonly latency?: Latency | null;
  readonly circuit?: Circuit;
}

export interface GraphEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly per_second: number;
  /** What the receiver still takes; null: it has no credit of its own. */
  readonly credit: { readonly available: number; readonly limit: number; readonly unit: "batches" | "bytes" } | null;
  readonly queue: { readonly records: number; readonly bytes: number | null } | null;
  readonly blocked: boolean;
}

/** Nodes and edges in the order of the flow. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly bottleneck: { readonly edge: string; readonly reason: string } | null;
}

export interface LiveDetail extends Live {
  readonly integration_id: string;
  readonly samples: Samples;
  readonly graph: Graph;
}

export interface OverviewItem {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly version: number;
  readonly owner: string | null;
  readonly updated_at: Time;
  readonly status: "enabled" | "disabled";
  readonly health: Health;
  readonly health_reason: string | null;
  readonly trigger: TriggerType;
  readonly next_fire_at: Time | null;
  readonly last_run: {
    readonly id: string;
    readonly status: RunStatus;
    readonly started_at: Time;
    readonly finished_at: Time | null;
    readonly records_failed: number;
  } | null;
  readonly live: Live & { readonly samples: Samples };
}

/** Of everything that one may see. */
export interface OverviewTotals {
  readonly integrations: number;
  readonly enabled: number;
  readonly by_health: Readonly<Record<Health, number>>;
  readonly circuits_open: number;
  readonly with_dead_letters: number;
}

/** As configured: contract of the configuration file. */
export interface IntegrationBody {
  readonly name: string;
  readonly source?: JsonObject;
  readonly sources?: readonly JsonObject[];
  readonly destination?: JsonObject;
  readonly destinations?: readonly JsonObject[];
  readonly trigger?: JsonObject & { readonly type: TriggerType };
  readonly mapping_spec?: readonly JsonObject[];
  readonly pipeline_spec?: JsonObject;
  readonly delivery?: JsonObject;
  readonly schema?: JsonObject;
  readonly metadata?: { readonly description?: string; readonly owner?: string };
  readonly enabled?: boolean;
}

export interface Integration extends IntegrationBody {
  readonly id: string;
  readonly enabled: boolean;
  readonly version: number;
  readonly status: "enabled" | "disabled";
  readonly health: Health;
  readonly health_reason: string | null;
  readonly circuits: Readonly<Record<string, Circuit>>;
  readonly durability: Durability;
  readonly owner?: string | null;
  readonly created_at: Time;
  readonly updated_at: Time;
  readonly next_fire_at: Time | null;
}

export interface Durability {
  /** synced: fsynced on one server; replicated: on most of `copies`; server: as the NATS that is used is configured. */
  readonly tier: "synced" | "replicated" | "server";
  readonly copies: number;
}

export interface IntegrationVersion {
  readonly version: number;
  readonly created_at: Time;
  readonly created_by: string | null;
  readonly name: string;
  readonly enabled: boolean;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly path?: string;
}

export interface Run {
  readonly id: string;
  readonly integration_id: string;
  readonly integration_version: number;
  readonly trigger: TriggerType | "invoke";
  readonly status: RunStatus;
  readonly started_at: Time;
  readonly finished_at: Time | null;
  readonly records_in: number;
  readonly records_out: number;
  readonly records_filtered: number;
  readonly records_failed: number;
  readonly by_destination: Readonly<Record<string, { readonly out: number; readonly failed: number }>>;
  readonly error: Failure | null;
  readonly waiting: string | null;
  readonly job_id?: string;
  readonly request: {
    readonly id?: string;
    readonly trace_id?: string;
    readonly actor?: string;
    readonly owner?: string;
  } | null;
}

export interface Ledger {
  readonly balanced: boolean;
  readonly imbalances: readonly {
    readonly step?: string;
    readonly destination?: string;
    readonly between: string;
    readonly expected: number;
    readonly counted: number;
    readonly consumer: string;
    readonly sequences: readonly [number, number] | null;
  }[];
  /** "source" among them. */
  readonly steps: Readonly<
    Record<
      string,
      {
        readonly in: number;
        readonly expanded: number;
        readonly out: number;
        readonly filtered: number;
        readonly absorbed: number;
        readonly dropped: number;
        readonly failed: number;
        readonly to?: Readonly<Record<string, number>>;
      }
    >
  >;
  readonly destinations: Readonly<
    Record<
      string,
      {
        readonly published: number;
        readonly inherited: number;
        readonly confirmed: number;
        readonly failed: number;
        readonly pending: number;
        readonly deferred: number;
      }
    >
  >;
}

export interface RunDetail extends Run {
  readonly circuits: Readonly<Record<string, Circuit>> | null;
  readonly ledger: Ledger | null;
  readonly drift: readonly {
    readonly kind: "new_field" | "changed_type" | "missing_field";
    readonly path: string;
    readonly expected: string | null;
    readonly found: string | null;
    readonly connector: string;
    readonly stream: string;
    readonly version: number;
    readonly seen_at: Time;
  }[];
}

/** Counters as they grew, oldest first; the last point is now, or the end. */
export interface Series {
  readonly run_id: string;
  readonly interval_seconds: number;
  readonly points: readonly {
    readonly at: Time;
    readonly records_in: number;
    readonly records_out: number;
    readonly records_filtered: number;
    readonly records_failed: number;
  }[];
}

export interface DeadLetter {
  readonly id: string;
  readonly run_id: string;
  readonly integration_id: string;
  readonly integration_version: number;
  readonly record_id: string;
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
  readonly code: string;
  readonly message: string;
  readonly position: { readonly base: string; readonly ordinal: number };
  readonly attempt_count: number;
  readonly attempts: readonly { readonly at: Time; readonly code: string; readonly message: string }[];
  readonly errors: readonly { readonly path: string; readonly message: string }[];
  readonly first_failed_at: Time;
  readonly last_attempted_at: Time;
  readonly fingerprint: string;
  readonly trace_id: string | null;
  readonly request: {
    readonly id?: string;
    readonly trace_id?: string;
    readonly actor?: string;
    readonly owner?: string;
  } | null;
  readonly corrected_at: Time | null;
  readonly corrected_by: string | null;
  readonly resolved: boolean;
  readonly resolution: "replayed" | "discarded" | null;
  readonly resolution_reason: string | null;
  readonly resolved_at: Time | null;
  readonly resolved_by: string | null;
  readonly resolved_run_id: string | null;
  readonly version: number;
}

export interface DeadLetterDetail extends DeadLetter {
  readonly payload: Json;
  readonly raw: string;
  readonly state: Json;
  readonly corrected: JsonObject | null;
}

export interface DeadLetterGroup {
  readonly fingerprint: string;
  readonly count: number;
  readonly first_failed_at: Time;
  readonly last_attempted_at: Time;
  /** Of the integration, under which the first and the last of them failed. */
  readonly first_version: number;
  readonly last_version: number;
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
  readonly code: string;
  readonly message: string;
  readonly example_id: string;
}

export interface Job {
  readonly id: string;
  readonly integration_id: string;
  readonly kind: "replay";
  readonly status: "running" | "paused" | "success" | "partial" | "failed" | "cancelled";
  readonly options: {
    readonly from?: "head" | "step" | null;
    readonly version?: "current" | "original";
    readonly rate?: number | null;
  };
  readonly progress: {
    readonly done: number;
    readonly total: number;
    readonly passed: number;
    readonly failed: number;
  };
  readonly error: Failure | null;
  readonly created_at: Time;
  readonly created_by: string | null;
  readonly finished_at: Time | null;
}

export interface DryRun {
  readonly version: number;
  readonly total: number;
  readonly checked: number;
  readonly passed: number;
  readonly failed: number;
  readonly untried: number;
  readonly failures: readonly {
    readonly code: string;
    readonly message: string;
    readonly step: string | null;
    readonly count: number;
    readonly example: string;
  }[];
}

export interface ConnectorType {
  readonly type: string;
  readonly version: string;
  /** The newest first. */
  readonly versions: readonly string[];
  /** The plugin that serves it; null: it is built in. */
  readonly plugin: string | null;
  readonly title: string;
  readonly description: string;
  /** JSON Schema of a connector's config. */
  readonly config: JsonObject | boolean;
  readonly capabilities: JsonObject;
}

export interface Connector {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  /** Secrets read as ***. */
  readonly config: JsonObject;
  readonly owner: string | null;
  readonly created_at: Time;
  readonly updated_at: Time;
  readonly version: number;
}

export interface ConnectorTest {
  readonly status: "ok" | "failed";
  readonly latency_ms: number;
  readonly sample_record: Json;
  readonly error?: Failure;
}

export interface Stream {
  readonly name: string;
  readonly schema: JsonObject | boolean;
  readonly key: readonly string[] | null;
  readonly cursor_fields: readonly string[] | null;
}

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly role: Role;
  /** What of the role it may; null: all. */
  readonly scopes: readonly string[] | null;
  readonly owner: string | null;
  /** Requests a minute on a node; 0: as many as it likes; null: as many as everybody. */
  readonly rate_limit: number | null;
  readonly created_by: string | null;
  readonly created_at: Time;
  readonly expires_at: Time | null;
  readonly last_used_at: Time | null;
  readonly revoked_at: Time | null;
}

export interface AuditEntry {
  readonly id: string;
  readonly at: Time;
  readonly actor: string;
  readonly actor_id: string | null;
  readonly owner: string | null;
  readonly request_id: string | null;
  readonly action: string;
  readonly resource_id: string | null;
  readonly resource_name: string | null;
  readonly before: Json;
  readonly after: Json;
}

interface Reached {
  readonly connected: boolean;
  readonly reason: string | null;
}

/** A node that does not answer is silent: its figures are null. */
export interface Node {
  readonly id: string;
  readonly version: string;
  readonly state: "ready" | "not_ready" | "draining" | "silent";
  readonly reasons: readonly string[];
  readonly started_at: Time | null;
  readonly uptime_seconds: number | null;
  readonly integrations: number | null;
  readonly runs: number | null;
  readonly memory: {
    readonly rss_bytes: number;
    readonly heap_used_bytes: number;
    readonly heap_limit_bytes: number;
  } | null;
  readonly event_loop_lag: { readonly p50_ms: number; readonly p99_ms: number } | null;
  readonly records_in_per_second: number | null;
  readonly records_out_per_second: number | null;
  readonly nats: Reached | null;
  readonly postgres: Reached | null;
  readonly durability: Durability | null;
}

export type IntegrationEvent =
  | { readonly id: string; readonly removed: true }
  | {
      readonly id: string;
      readonly removed?: false;
      readonly name: string;
      readonly enabled: boolean;
      readonly status: "enabled" | "disabled";
      readonly version: number;
      readonly health: Health;
      readonly health_reason: string | null;
      readonly live: Live & { readonly samples?: Samples; readonly graph?: Graph };
    };

/** By the name of the server-sent event. */
export interface Events {
  readonly hello: { readonly node: string; readonly beat_seconds: number };
  readonly ready: object;
  readonly integration: IntegrationEvent;
  readonly run: Run;
  readonly dead_letters: { readonly integration_id: string; readonly depth: number };
  readonly job: Job;
  readonly node: Node;
}

export type OutcomeStatus =
  | "delivered"
  | "waiting"
  | "retrying"
  | "dead_lettered"
  | "replayed"
  | "discarded"
  | "dropped"
  | "unknown";

/** How many records there were between two steps, and the first of them. */
export interface ShownRecords {
  readonly count: number;
  readonly records: readonly { readonly child: string; readonly to?: string; readonly record: JsonObject }[];
}

export interface FollowedStep {
  readonly step: string;
  readonly type: string;
  readonly in: ShownRecords;
  readonly out: ShownRecords;
  readonly failures: readonly {
    readonly child: string;
    readonly rule: number | null;
    readonly code: string;
    readonly message: string;
    readonly errors?: readonly { readonly path: string; readonly message: string }[];
    readonly on_error: "dead_letter" | "drop" | "stop";
  }[];
}

export interface FollowedOutcome {
  readonly destination: string;
  readonly connector: string;
  readonly stream: string;
  readonly mode: string;
  readonly status: OutcomeStatus;
  readonly in: ShownRecords | null;
  readonly attempts: readonly { readonly at: Time; readonly code: string; readonly message: string }[];
  readonly next_attempt_at: Time | null;
  readonly delivered_by: Time | null;
  readonly dead_letter_ids: readonly string[];
}

export interface FollowedEvent {
  readonly at: Time;
  readonly type:
    | "received"
    | "logged"
    | "attempt_failed"
    | "next_attempt"
    | "dead_lettered"
    | "corrected"
    | "replayed"
    | "discarded"
    | "delivered";
  readonly step: string | null;
  readonly destination: string | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly dead_letter_id: string | null;
}

/** One time that a record came, and what became of it. */
export interface FollowedRecord {
  readonly record_id: string;
  /** Null: the log does not have it any more. */
  readonly sequence: number | null;
  readonly stream: string | null;
  readonly ingested_at: Time | null;
  readonly run_id: string;
  readonly integration_version: number;
  readonly position: { readonly base: string; readonly ordinal: number };
  readonly trace_id: string | null;
  readonly replay: { readonly job_id: string; readonly dead_letter_id: string } | null;
  readonly record: Json;
  readonly failure: string | null;
  readonly status: OutcomeStatus | "filtered" | "aggregated";
  readonly steps: readonly FollowedStep[] | null;
  readonly steps_reason: string | null;
  readonly repeatable: boolean;
  readonly destinations: readonly FollowedOutcome[];
  readonly events: readonly FollowedEvent[];
}

export interface Followed {
  readonly items: readonly FollowedRecord[];
  readonly searched: {
    readonly by: "record_id" | "key" | "dead_letter";
    readonly messages: number;
    readonly since: Time | null;
    readonly complete: boolean;
    readonly cut: "messages" | "time" | null;
  };
}

/** What steps make of a record: nothing was written. */
export interface PreviewedRecord {
  readonly record_id: string;
  readonly position: { readonly base: string; readonly ordinal: number };
  /** Null: it could not be read. */
  readonly record: JsonObject | null;
  readonly status: "delivered" | "aggregated" | "filtered" | "failed";
  /** Why it got to no step. */
  readonly failure: Failure | null;
  readonly steps: readonly FollowedStep[];
  readonly destinations: readonly {
    readonly destination: string;
    readonly connector: string;
    readonly stream: string;
    readonly mode: string;
    readonly in: ShownRecords;
  }[];
}

export interface Preview {
  readonly records: readonly PreviewedRecord[];
  /** Some of it is counted and not shown. */
  readonly truncated: boolean;
}
