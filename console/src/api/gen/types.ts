// Generated from the definitions by `npm run docs`; not to be edited.

import type { Json, JsonObject } from "../json.ts";

export interface ApiKey {
  /** UUIDv7. */
  readonly id: string;
  readonly name: string;
  /** Its first characters, to know it by. */
  readonly prefix: string;
  readonly role: "viewer" | "operator" | "editor" | "admin";
  /** What of the role it may; null: all. */
  readonly scopes: readonly ("connectors:read" | "connectors:test" | "connectors:write" | "integrations:read" | "integrations:operate" | "integrations:write" | "runs:read" | "runs:write" | "dead-letters:read" | "dead-letters:write" | "keys:read" | "keys:write" | "audit:read" | "platform:read" | "platform:write")[] | null;
  readonly owner: string | null;
  /** Requests a minute on a node; 0: as many as it likes; null: as many as everybody. */
  readonly rate_limit: number | null;
  readonly created_by: string | null;
  readonly created_at: string;
  readonly expires_at: string | null;
  /** To the minute. */
  readonly last_used_at: string | null;
  readonly revoked_at: string | null;
}

export interface AuditEntry {
  /** UUIDv7. */
  readonly id: string;
  readonly at: string;
  /** Name of the key. */
  readonly actor: string;
  /** Id of the key, or of the token's subject; null: not known. */
  readonly actor_id: string | null;
  readonly owner: string | null;
  readonly request_id: string | null;
  /** Such as connector.updated. */
  readonly action: string;
  /** Null: the platform as a whole. */
  readonly resource_id: string | null;
  readonly resource_name: string | null;
  readonly before: Json;
  readonly after: Json;
}

export interface Circuit {
  readonly state: "closed" | "open" | "half_open";
  /** When it was closed last. */
  readonly since: string | null;
  /** What the far side said when it opened. */
  readonly reason: string | null;
  /** Share of records that had failed then, 0 to 1. */
  readonly failure_ratio: number | null;
}

export interface Connector {
  /** UUIDv7. */
  readonly id: string;
  readonly owner: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly version: number;
  /** Unique among connectors. */
  readonly name: string;
  /** Connector type, such as postgres; a version may be pinned: crm@1, crm@1.2, crm@1.2.0. */
  readonly type: string;
  /** Settings of the type, secrets among them. */
  readonly config: JsonObject;
}

/** A configured instance of a connector type. */
export interface ConnectorReplacement {
  /** UUIDv7. */
  readonly id?: string;
  readonly owner?: string | null;
  readonly created_at?: string;
  readonly updated_at?: string;
  readonly version?: number;
  /** Unique among connectors. */
  readonly name: string;
  /** Connector type, such as postgres; a version may be pinned: crm@1, crm@1.2, crm@1.2.0. */
  readonly type: string;
  /** Settings of the type, secrets among them. */
  readonly config?: JsonObject;
}

export interface ConnectorType {
  readonly type: string;
  readonly version: string;
  /** All that there are, the newest first. */
  readonly versions: readonly string[];
  /** The plugin that serves it; null: it is built in. */
  readonly plugin: string | null;
  readonly title: string;
  readonly description: string;
  /** JSON Schema of a connector's config. */
  readonly config: JsonObject | boolean;
  readonly capabilities: JsonObject;
}

export interface DeadLetter {
  /** UUIDv7. */
  readonly id: string;
  /** UUIDv7. */
  readonly run_id: string;
  /** UUIDv7. */
  readonly integration_id: string;
  readonly integration_version: number;
  readonly record_id: string;
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
  readonly code: string;
  readonly message: string;
  /** Where the record stood in its source. */
  readonly position: {
    readonly base: string;
    readonly ordinal: number;
  };
  readonly attempt_count: number;
  readonly attempts: readonly {
    readonly at: string;
    readonly code: string;
    readonly message: string;
  }[];
  /** All that is wrong with the record, where a schema says more than one thing. */
  readonly errors: readonly {
    readonly path: string;
    readonly message: string;
  }[];
  readonly first_failed_at: string;
  readonly last_attempted_at: string;
  readonly fingerprint: string;
  readonly trace_id: string | null;
  /** That set the record going; null: none did. */
  readonly request: {
    /** Its X-Request-ID. */
    readonly id?: string;
    /** Of its traceparent. */
    readonly trace_id?: string;
    /** Who asked: the name of a key, or a token's subject. */
    readonly actor?: string;
    /** The team of who asked. */
    readonly owner?: string;
  } | null;
  readonly corrected_at: string | null;
  /** The name of the token that it was corrected with. */
  readonly corrected_by: string | null;
  readonly resolved: boolean;
  readonly resolution: "replayed" | "discarded" | null;
  /** Why it was discarded. */
  readonly resolution_reason: string | null;
  readonly resolved_at: string | null;
  /** The name of the token that discarded it, or asked for its replay. */
  readonly resolved_by: string | null;
  /** The run that delivered it. */
  readonly resolved_run_id: string | null;
  /** Grows with each correction, and when it is discarded. */
  readonly version: number;
}

export interface DeadLetterDetail {
  /** UUIDv7. */
  readonly id: string;
  /** UUIDv7. */
  readonly run_id: string;
  /** UUIDv7. */
  readonly integration_id: string;
  readonly integration_version: number;
  readonly record_id: string;
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
  readonly code: string;
  readonly message: string;
  /** Where the record stood in its source. */
  readonly position: {
    readonly base: string;
    readonly ordinal: number;
  };
  readonly attempt_count: number;
  readonly attempts: readonly {
    readonly at: string;
    readonly code: string;
    readonly message: string;
  }[];
  /** All that is wrong with the record, where a schema says more than one thing. */
  readonly errors: readonly {
    readonly path: string;
    readonly message: string;
  }[];
  readonly first_failed_at: string;
  readonly last_attempted_at: string;
  readonly fingerprint: string;
  readonly trace_id: string | null;
  /** That set the record going; null: none did. */
  readonly request: {
    /** Its X-Request-ID. */
    readonly id?: string;
    /** Of its traceparent. */
    readonly trace_id?: string;
    /** Who asked: the name of a key, or a token's subject. */
    readonly actor?: string;
    /** The team of who asked. */
    readonly owner?: string;
  } | null;
  readonly corrected_at: string | null;
  /** The name of the token that it was corrected with. */
  readonly corrected_by: string | null;
  readonly resolved: boolean;
  readonly resolution: "replayed" | "discarded" | null;
  /** Why it was discarded. */
  readonly resolution_reason: string | null;
  readonly resolved_at: string | null;
  /** The name of the token that discarded it, or asked for its replay. */
  readonly resolved_by: string | null;
  /** The run that delivered it. */
  readonly resolved_run_id: string | null;
  /** Grows with each correction, and when it is discarded. */
  readonly version: number;
  /** The record as it entered the pipeline; null where it is no JSON. */
  readonly payload: Json;
  /** The same as text; bytes that are no UTF-8 as a data URL in base64. */
  readonly raw: string;
  /** The record before the failing step; null where it never got there. */
  readonly state: Json;
  /** What a replay takes in the place of the payload. */
  readonly corrected: JsonObject | null;
}

export interface DeadLetterGroup {
  readonly fingerprint: string;
  readonly count: number;
  readonly first_failed_at: string;
  readonly last_attempted_at: string;
  /** The oldest version of the integration under which one of them failed. */
  readonly first_version: number;
  /** The newest one. */
  readonly last_version: number;
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
  readonly code: string;
  /** As the example has it. */
  readonly message: string;
  /** The newest of them. */
  readonly example_id: string;
}

/** How records are delivered to every destination. */
export interface Delivery {
  /** What keeps the source's order. */
  readonly ordering?: "none" | "key" | "strict";
  /** Fields whose values keep their order among themselves; required by ordering key. */
  readonly key?: readonly string[];
  /** How much is written at once; whichever comes first. */
  readonly batch?: {
    /** Records. */
    readonly records?: number;
    /** Bytes. */
    readonly bytes?: number;
    /** How long a batch that is not full waits. */
    readonly linger?: string;
  };
  /** Attempts at a record that fails for a passing reason. */
  readonly retry?: {
    /** Attempts in all, the first included. */
    readonly max_attempts?: number;
    /** Wait before the second attempt. */
    readonly initial?: string;
    /** Longest wait. */
    readonly max?: string;
    /** Factor from one wait to the next. */
    readonly multiplier?: number;
    /** Share of a wait that is random. */
    readonly jitter?: number;
  };
  /** Stops writing to a destination that fails; the records wait. */
  readonly circuit_breaker?: {
    /** Share of failed calls that opens the circuit, of at least 10; a call counts by its records. */
    readonly failure_percent?: number;
    /** Time over which calls are counted. */
    readonly window?: string;
    /** How long the circuit stays open. */
    readonly open_for?: string;
    /** Calls that try whether it may close. */
    readonly half_open_requests?: number;
  };
  /** Upper bounds of the calls to a destination, and of the look-ups of each enrich step: of HTTP requests, else of tries to write a batch, or to look up for one; left out: none. */
  readonly rate_limit?: {
    /** Calls in any minute. */
    readonly per_minute?: number;
    /** Calls in any second. */
    readonly burst?: number;
    /** Calls a day, which ends at 00:00 UTC. */
    readonly per_day?: number;
  };
  /** How long a write, a look-up or the next batch of a source may take. */
  readonly timeout?: {
    /** Until connected to a destination; for sources and look-ups their connector says it. */
    readonly connect?: string;
    /** For a destination's answer, or the next piece of it; as above. */
    readonly read?: string;
    /** In all. */
    readonly total?: string;
  };
  /** Records seen before are done without a call. */
  readonly idempotency?: {
    /** What identifies a record; left out: its id. A field path. */
    readonly key?: string;
    /** How long a key is remembered; left out: not at all. */
    readonly window?: string;
  };
  /** Records that could not be delivered. */
  readonly dead_letter?: {
    /** Number of dead letters above which an alert is raised; left out: never. */
    readonly alert_depth?: number;
  };
}

/** Where records go. */
export interface Destination {
  /** Names the destination in counts, logs and dead letters; left out: the connector's name. */
  readonly id?: string;
  /** Name of the connector. */
  readonly connector: string;
  /** The stream: a table, a file's name, a topic. */
  readonly stream: string;
  /** How records are written. */
  readonly mode?: "append" | "upsert" | "replace";
  /** Fields that identify a record; required by mode upsert. */
  readonly key?: readonly string[];
  /** Steps that feed this destination, or `source`; left out: the last step. */
  readonly needs?: readonly string[];
}

export interface DryRun {
  /** The integration's, that they were tried under, unless it was each under its own. */
  readonly version: number;
  readonly total: number;
  /** Less than the total where time ran out. */
  readonly checked: number;
  readonly passed: number;
  readonly failed: number;
  /** Those that enter behind the steps: only their destination can tell. */
  readonly untried: number;
  /** The 20 most frequent; those that differ in values alone are one, with the message of its example. */
  readonly failures: readonly {
    readonly code: string;
    readonly message: string;
    readonly step: string | null;
    readonly count: number;
    /** UUIDv7. */
    readonly example: string;
  }[];
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  /** Of the setting at fault, where there is one. */
  readonly path?: string;
}

export interface Fire {
  readonly at: string;
}

export interface Followed {
  readonly items: readonly {
    readonly record_id: string;
    /** Of its message in the ingest log; null: it is not there any more. */
    readonly sequence: number | null;
    readonly stream: string | null;
    /** When its batch was read or received. */
    readonly ingested_at: string | null;
    /** When it was in the log. */
    readonly logged_at: string | null;
    /** UUIDv7. */
    readonly run_id: string;
    readonly run_status: string | null;
    /** That was in force. */
    readonly integration_version: number;
    /** Where it stood in its source. */
    readonly position: {
      readonly base: string;
      readonly ordinal: number;
    };
    /** That set it going; null: none did. */
    readonly request: {
      /** Its X-Request-ID. */
      readonly id?: string;
      /** Of its traceparent. */
      readonly trace_id?: string;
      /** Who asked: the name of a key, or a token's subject. */
      readonly actor?: string;
      /** The team of who asked. */
      readonly owner?: string;
    } | null;
    readonly trace_id: string | null;
    /** Where the trace is shown (SLUICE_TRACE_URL); null: not set. */
    readonly trace_url: string | null;
    /** Of which dead letter it is the replay. */
    readonly replay: {
      /** UUIDv7. */
      readonly job_id: string;
      /** UUIDv7. */
      readonly dead_letter_id: string;
    } | null;
    /** As it entered the steps; null where it is none. */
    readonly record: Json;
    /** Why it came to no step. */
    readonly failure: string | null;
    /** Of its outcomes the one that wants attention first. */
    readonly status: "delivered" | "waiting" | "retrying" | "dead_lettered" | "replayed" | "discarded" | "dropped" | "unknown" | "filtered" | "aggregated";
    /** What each step makes of it, taken again under that version as a preview does (look-ups are asked again); null: see steps_reason. */
    readonly steps: readonly {
      readonly step: string;
      readonly type: string;
      /** How many, and the first 20. */
      readonly in: {
        readonly count: number;
        readonly records: readonly {
          /** Which of the records made of one it is; empty for the record itself. */
          readonly child: string;
          /** Where a route sends it. */
          readonly to?: string;
          readonly record: JsonObject;
        }[];
      };
      /** How many, and the first 20. */
      readonly out: {
        readonly count: number;
        readonly records: readonly {
          /** Which of the records made of one it is; empty for the record itself. */
          readonly child: string;
          /** Where a route sends it. */
          readonly to?: string;
          readonly record: JsonObject;
        }[];
      };
      readonly failures: readonly {
        readonly child: string;
        /** Index of the mapping rule. */
        readonly rule: number | null;
        readonly code: string;
        readonly message: string;
        /** All that is wrong, where a schema says more than one thing. */
        readonly errors: readonly {
          readonly path: string;
          readonly message: string;
        }[];
        readonly on_error: "dead_letter" | "drop" | "stop";
      }[];
    }[] | null;
    readonly steps_reason: string | null;
    /** Some of what the steps give is counted and not shown: 20 records each are, and 4 MiB of all. */
    readonly truncated: boolean;
    /** The steps give the same each time: no look-up, no script. */
    readonly repeatable: boolean;
    readonly destinations: readonly {
      readonly destination: string;
      readonly connector: string;
      readonly stream: string;
      readonly mode: string;
      readonly status: "delivered" | "waiting" | "retrying" | "dead_lettered" | "replayed" | "discarded" | "dropped" | "unknown";
      /** What it was given, or would be; null: not known. */
      readonly in: {
        readonly count: number;
        readonly records: readonly {
          /** Which of the records made of one it is; empty for the record itself. */
          readonly child: string;
          /** Where a route sends it. */
          readonly to?: string;
          readonly record: JsonObject;
        }[];
      } | null;
      /** Those that failed. */
      readonly attempts: readonly {
        readonly at: string;
        readonly code: string;
        readonly message: string;
      }[];
      readonly next_attempt_at: string | null;
      /** The time by which it was delivered, at the latest. */
      readonly delivered_by: string | null;
      readonly dead_letter_ids: readonly string[];
    }[];
    readonly dead_letters: readonly DeadLetter[];
    /** What happened to it, and is to happen, in the order of time. */
    readonly events: readonly {
      readonly at: string;
      readonly type: "received" | "logged" | "attempt_failed" | "next_attempt" | "dead_lettered" | "corrected" | "replayed" | "discarded" | "delivered";
      readonly step: string | null;
      readonly destination: string | null;
      readonly code: string | null;
      readonly message: string | null;
      /** UUIDv7. */
      readonly dead_letter_id: string | null;
    }[];
  }[];
  readonly searched: {
    readonly by: "record_id" | "key" | "dead_letter";
    /** Of the log, that were looked at. */
    readonly messages: number;
    /** How far back they go; null: there was none. */
    readonly since: string | null;
    /** All of the range was looked at, or enough was found. */
    readonly complete: boolean;
    /** Why it was not looked further. */
    readonly cut: "messages" | "time" | null;
  };
}

export interface Integration {
  /** UUIDv7. */
  readonly id: string;
  readonly version: number;
  readonly status: "enabled" | "disabled";
  readonly health: "ok" | "degraded" | "stopped" | "waiting";
  readonly health_reason: string | null;
  /** By destination, and by `step ID` for each step that looks up: whether it is called. */
  readonly circuits: { readonly [name: string]: Circuit };
  /** What of a log outlives a loss of power. synced: fsynced on one server; replicated: on most of so many; server: as an external server is set up. */
  readonly durability: {
    readonly tier: "synced" | "replicated" | "server";
    readonly copies: number;
  };
  readonly created_at: string;
  readonly updated_at: string;
  readonly next_fire_at: string | null;
  /** Unique among integrations. */
  readonly name: string;
  readonly source?: Source;
  /** Several sources, merged. */
  readonly sources?: readonly Source[];
  readonly destination?: Destination;
  /** Several destinations. */
  readonly destinations?: readonly Destination[];
  readonly trigger?: Trigger;
  /** The mapping of map steps that have none of their own. Rules, applied in order. */
  readonly mapping_spec?: readonly MappingRule[];
  /** Steps between source and destinations. */
  readonly pipeline_spec?: {
    /** In order; left out: one map step where there is a mapping_spec, else none. */
    readonly steps?: readonly Step[];
  };
  readonly delivery?: Delivery;
  /** What happens to a record that does not fit the stream's schema. */
  readonly schema?: {
    /** Pass and record the drift, dead-letter, leave the field out, or filter the record. */
    readonly contract?: "evolve" | "freeze" | "discard_value" | "discard_record";
  };
  /** Documents the integration. */
  readonly metadata?: {
    /** What it is for. */
    readonly description?: string;
    /** Who answers for it. */
    readonly owner?: string;
    /** How much depends on it. */
    readonly criticality?: string;
    /** Recovery time objective. */
    readonly rto?: string;
    /** Recovery point objective. */
    readonly rpo?: string;
    /** Whom to ask. */
    readonly contacts?: readonly string[];
  };
  /** Whether schedules fire and runs may start. */
  readonly enabled: boolean;
}

/** An integration: source, pipeline, destinations. */
export interface IntegrationBody {
  /** Unique among integrations. */
  readonly name: string;
  readonly source?: Source;
  /** Several sources, merged. */
  readonly sources?: readonly Source[];
  readonly destination?: Destination;
  /** Several destinations. */
  readonly destinations?: readonly Destination[];
  readonly trigger?: Trigger;
  /** The mapping of map steps that have none of their own. Rules, applied in order. */
  readonly mapping_spec?: readonly MappingRule[];
  /** Steps between source and destinations. */
  readonly pipeline_spec?: {
    /** In order; left out: one map step where there is a mapping_spec, else none. */
    readonly steps?: readonly Step[];
  };
  readonly delivery?: Delivery;
  /** What happens to a record that does not fit the stream's schema. */
  readonly schema?: {
    /** Pass and record the drift, dead-letter, leave the field out, or filter the record. */
    readonly contract?: "evolve" | "freeze" | "discard_value" | "discard_record";
  };
  /** Documents the integration. */
  readonly metadata?: {
    /** What it is for. */
    readonly description?: string;
    /** Who answers for it. */
    readonly owner?: string;
    /** How much depends on it. */
    readonly criticality?: string;
    /** Recovery time objective. */
    readonly rto?: string;
    /** Recovery point objective. */
    readonly rpo?: string;
    /** Whom to ask. */
    readonly contacts?: readonly string[];
  };
  /** Whether schedules fire and runs may start. */
  readonly enabled?: boolean;
  /** Id of the source's connector, in place of source.connector. */
  readonly source_connector_id?: string;
  /** Id of the destination's connector, in place of its name. */
  readonly destination_connector_id?: string;
}

/** An integration: source, pipeline, destinations. */
export interface IntegrationReplacement {
  /** UUIDv7. */
  readonly id?: string;
  readonly version?: number;
  readonly status?: "enabled" | "disabled";
  readonly health?: "ok" | "degraded" | "stopped" | "waiting";
  readonly health_reason?: string | null;
  /** By destination, and by `step ID` for each step that looks up: whether it is called. */
  readonly circuits?: { readonly [name: string]: Circuit };
  /** What of a log outlives a loss of power. synced: fsynced on one server; replicated: on most of so many; server: as an external server is set up. */
  readonly durability?: {
    readonly tier: "synced" | "replicated" | "server";
    readonly copies: number;
  };
  readonly created_at?: string;
  readonly updated_at?: string;
  readonly next_fire_at?: string | null;
  /** Unique among integrations. */
  readonly name: string;
  readonly source?: Source;
  /** Several sources, merged. */
  readonly sources?: readonly Source[];
  readonly destination?: Destination;
  /** Several destinations. */
  readonly destinations?: readonly Destination[];
  readonly trigger?: Trigger;
  /** The mapping of map steps that have none of their own. Rules, applied in order. */
  readonly mapping_spec?: readonly MappingRule[];
  /** Steps between source and destinations. */
  readonly pipeline_spec?: {
    /** In order; left out: one map step where there is a mapping_spec, else none. */
    readonly steps?: readonly Step[];
  };
  readonly delivery?: Delivery;
  /** What happens to a record that does not fit the stream's schema. */
  readonly schema?: {
    /** Pass and record the drift, dead-letter, leave the field out, or filter the record. */
    readonly contract?: "evolve" | "freeze" | "discard_value" | "discard_record";
  };
  /** Documents the integration. */
  readonly metadata?: {
    /** What it is for. */
    readonly description?: string;
    /** Who answers for it. */
    readonly owner?: string;
    /** How much depends on it. */
    readonly criticality?: string;
    /** Recovery time objective. */
    readonly rto?: string;
    /** Recovery point objective. */
    readonly rpo?: string;
    /** Whom to ask. */
    readonly contacts?: readonly string[];
  };
  /** Whether schedules fire and runs may start. */
  readonly enabled?: boolean;
  /** Id of the source's connector, in place of source.connector. */
  readonly source_connector_id?: string;
  /** Id of the destination's connector, in place of its name. */
  readonly destination_connector_id?: string;
}

export interface IntegrationVersion {
  readonly version: number;
  readonly created_at: string;
  /** Who made it; null where nobody asked for it, or it is not known. */
  readonly created_by: string | null;
  readonly name: string;
  readonly enabled: boolean;
}

export interface IntegrationVersionDetail {
  readonly version: number;
  readonly created_at: string;
  /** Who made it; null where nobody asked for it, or it is not known. */
  readonly created_by: string | null;
  /** Unique among integrations. */
  readonly name: string;
  readonly source?: Source;
  /** Several sources, merged. */
  readonly sources?: readonly Source[];
  readonly destination?: Destination;
  /** Several destinations. */
  readonly destinations?: readonly Destination[];
  readonly trigger?: Trigger;
  /** The mapping of map steps that have none of their own. Rules, applied in order. */
  readonly mapping_spec?: readonly MappingRule[];
  /** Steps between source and destinations. */
  readonly pipeline_spec?: {
    /** In order; left out: one map step where there is a mapping_spec, else none. */
    readonly steps?: readonly Step[];
  };
  readonly delivery?: Delivery;
  /** What happens to a record that does not fit the stream's schema. */
  readonly schema?: {
    /** Pass and record the drift, dead-letter, leave the field out, or filter the record. */
    readonly contract?: "evolve" | "freeze" | "discard_value" | "discard_record";
  };
  /** Documents the integration. */
  readonly metadata?: {
    /** What it is for. */
    readonly description?: string;
    /** Who answers for it. */
    readonly owner?: string;
    /** How much depends on it. */
    readonly criticality?: string;
    /** Recovery time objective. */
    readonly rto?: string;
    /** Recovery point objective. */
    readonly rpo?: string;
    /** Whom to ask. */
    readonly contacts?: readonly string[];
  };
  /** Whether schedules fire and runs may start. */
  readonly enabled: boolean;
}

export interface Invoked {
  /** As in dead letters. */
  readonly record_id: string | null;
  /** The run that it is part of. */
  readonly run_id: string | null;
  /** partial: a destination has it, and another does not, as by_destination says. */
  readonly status: "delivered" | "partial" | "aggregated" | "filtered";
  readonly kept: boolean | null;
  /** What came of it: where that is one record, the same for every destination, and not too large for an answer. */
  readonly record: Json;
  readonly by_destination: { readonly [name: string]: {
    readonly status: "delivered" | "failed" | "pending" | "dropped" | "unknown";
    /** Records confirmed. */
    readonly out: number;
    /** Records given up: they are dead letters. */
    readonly failed: number;
    /** What it gets, the first 100; none where they are too large for an answer. */
    readonly records: readonly Json[];
    /** What it said last, where not all is delivered. */
    readonly error: {
      readonly code?: string;
      readonly message?: string;
      readonly attempts?: number;
    } | null;
  } };
  /** In steps, of the record or of what a step made of it. */
  readonly failures: readonly {
    readonly step: string | null;
    readonly rule: number | null;
    readonly code: string;
    readonly message: string;
    readonly errors: readonly {
      readonly path: string;
      readonly message: string;
    }[];
    /** The step's on_error lets it go. */
    readonly dropped: boolean;
  }[];
  readonly reason: {
    readonly code: string;
    readonly message: string;
  } | null;
}

export interface Job {
  /** UUIDv7. */
  readonly id: string;
  /** UUIDv7. */
  readonly integration_id: string;
  readonly kind: "replay";
  readonly status: "running" | "paused" | "success" | "partial" | "failed" | "cancelled";
  readonly options: {
    readonly from: "head" | "step" | null;
    readonly version: "current" | "original";
    readonly rate: number | null;
  };
  /** In dead letters. */
  readonly progress: {
    readonly done: number;
    readonly total: number;
    readonly passed: number;
    readonly failed: number;
  };
  readonly error: {
    readonly code: string;
    readonly message: string;
    /** Of the setting at fault, where there is one. */
    readonly path?: string;
  } | null;
  readonly created_at: string;
  /** The name of the token that asked for it. */
  readonly created_by: string | null;
  readonly finished_at: string | null;
}

/** What was read and what became of it; null before the first commit. */
export type Ledger = {
  readonly balanced: boolean;
  /** Where records were lost or counted twice, each place once, with the range in the log's stream. */
  readonly imbalances: readonly {
    readonly step?: string;
    readonly destination?: string;
    readonly between: string;
    readonly expected: number;
    readonly counted: number;
    /** `steps`: the sequences are of the ingest log, else of the deliver log. */
    readonly consumer: string;
    readonly sequences: readonly number[] | null;
  }[];
  readonly steps: { readonly [name: string]: {
    readonly in: number;
    /** Made beyond one for each taken: children of a record, results of windows. */
    readonly expanded: number;
    /** Given to those that follow, counted once; those of a route are counted in `to`. */
    readonly out: number;
    readonly filtered: number;
    /** Taken into windows. */
    readonly absorbed: number;
    /** Refused, by on_error: drop. */
    readonly dropped: number;
    /** In the dead letters. */
    readonly failed: number;
  } };
  readonly destinations: { readonly [name: string]: {
    readonly published: number;
    /** Left in the logs by earlier runs that were given up. */
    readonly inherited: number;
    readonly confirmed: number;
    /** In the dead letters. */
    readonly failed: number;
    /** On their way: in the log, or put off. */
    readonly pending: number;
    /** Of those pending, what is put off until its next try. */
    readonly deferred: number;
  } };
} | null;

export interface LiveDetail {
  /** UUIDv7. */
  readonly integration_id: string;
  /** Null: no node carries it out at this moment. */
  readonly at: string | null;
  /** Records a second, the mean of the last five. */
  readonly records_in_per_second: number;
  /** Records a second, the mean of the last five. */
  readonly records_out_per_second: number;
  /** Records a second, the mean of the last five. */
  readonly records_failed_per_second: number;
  /** Records in the logs that are not settled. */
  readonly lag: number;
  /** What failed of all that came to its end in the last minute, 0 to 1. */
  readonly error_ratio: number;
  /** Unresolved; null: not known yet. */
  readonly dead_letters: number | null;
  /** Since the destination that is furthest behind was up to date or confirmed a record. */
  readonly freshness_seconds: number | null;
  /** From ingest to the destinations, in about the last minute. */
  readonly latency: {
    readonly p50_seconds: number;
    readonly p99_seconds: number;
  } | null;
  /** By destination, and by `step ID` for each step that looks up: whether it is called. */
  readonly circuits: { readonly [name: string]: Circuit };
  /** That is under way. */
  readonly run_id: string | null;
  /** Why it does not move. */
  readonly waiting: string | null;
  /** Records in each of the last seconds, at most 60, the oldest first. */
  readonly samples: {
    readonly interval_seconds: 1;
    readonly in: readonly number[];
    readonly out: readonly number[];
    readonly failed: readonly number[];
  };
  readonly graph: {
    /** In the order of the flow, as the edges. */
    readonly nodes: readonly {
      /** source:0, log:ingest, step:ID, log:DESTINATION or destination:ID. */
      readonly id: string;
      readonly kind: "source" | "log" | "step" | "destination";
      readonly name: string;
      /** The connector's name, the step's type, or jetstream. */
      readonly type: string;
      /** Records a second, the mean of the last five. */
      readonly in_per_second: number;
      /** Records a second, the mean of the last five. */
      readonly out_per_second: number;
      /** Records a second, the mean of the last five. */
      readonly filtered_per_second: number;
      /** Records a second, the mean of the last five. */
      readonly failed_per_second: number;
      /** From ingest to the destinations, in about the last minute. */
      readonly latency?: {
        readonly p50_seconds: number;
        readonly p99_seconds: number;
      } | null;
      readonly circuit?: Circuit;
    }[];
    readonly edges: readonly {
      /** FROM>TO. */
      readonly id: string;
      readonly from: string;
      readonly to: string;
      /** Records a second, the mean of the last five. */
      readonly per_second: number;
      /** What the receiver still takes; null: it is one with the sender. */
      readonly credit: {
        readonly available: number;
        readonly limit: number;
        readonly unit: "batches" | "bytes";
      } | null;
      /** What waits here; null: nothing can. */
      readonly queue: {
        readonly records: number;
        readonly bytes: number | null;
      } | null;
      /** The receiver gives no credit. */
      readonly blocked: boolean;
    }[];
    /** The first edge from the source whose receiver gives no credit while nothing behind it is held up; null: the source sets the pace. */
    readonly bottleneck: {
      readonly edge: string;
      readonly reason: string;
    } | null;
  };
}

/** One rule of a mapping. */
export interface MappingRule {
  /** JSONPath (RFC 9535). */
  readonly source?: string;
  /** Field path to write to, or * for the members of an object. */
  readonly destination?: string;
  /** Text with {{ JSONPath | filter }} holes. */
  readonly template?: string;
  /** A constant. */
  readonly value?: Json;
  /** JavaScript expression over value, record and meta. */
  readonly transform?: string;
  /** Type to convert to. */
  readonly cast?: "string" | "number" | "integer" | "boolean" | "timestamp" | "date" | "json";
  /** Used where the source gives nothing. */
  readonly default?: Json;
  /** The rule is skipped where it does not hold. A predicate: an RFC 9535 logical expression over the record, or { "js": … }. */
  readonly when?: string | {
    /** A JavaScript expression over record and meta. */
    readonly js: string;
  };
  /** What a failure does; left out: fail. */
  readonly on_error?: "fail" | "default" | "skip";
  /** Field path to remove; a rule of its own, with `when` at most. */
  readonly drop?: string;
  /** Rules for every element of the array that source gives. */
  readonly each?: readonly JsonObject[];
}

export interface Me {
  readonly name: string;
  /** Null: it is known by its scopes alone. */
  readonly role: "viewer" | "operator" | "editor" | "admin" | null;
  readonly scopes: readonly ("connectors:read" | "connectors:test" | "connectors:write" | "integrations:read" | "integrations:operate" | "integrations:write" | "runs:read" | "runs:write" | "dead-letters:read" | "dead-letters:write" | "keys:read" | "keys:write" | "audit:read" | "platform:read" | "platform:write")[];
  /** The team; null: it sees everything. */
  readonly owner: string | null;
  readonly expires_at: string | null;
  /** Where traces are shown: an address with {trace_id}; null: not set. */
  readonly trace_url: string | null;
}

export interface NewApiKey {
  /** UUIDv7. */
  readonly id: string;
  readonly name: string;
  /** Its first characters, to know it by. */
  readonly prefix: string;
  readonly role: "viewer" | "operator" | "editor" | "admin";
  /** What of the role it may; null: all. */
  readonly scopes: readonly ("connectors:read" | "connectors:test" | "connectors:write" | "integrations:read" | "integrations:operate" | "integrations:write" | "runs:read" | "runs:write" | "dead-letters:read" | "dead-letters:write" | "keys:read" | "keys:write" | "audit:read" | "platform:read" | "platform:write")[] | null;
  readonly owner: string | null;
  /** Requests a minute on a node; 0: as many as it likes; null: as many as everybody. */
  readonly rate_limit: number | null;
  readonly created_by: string | null;
  readonly created_at: string;
  readonly expires_at: string | null;
  /** To the minute. */
  readonly last_used_at: string | null;
  readonly revoked_at: string | null;
  /** Shown this once. */
  readonly key: string;
}

export interface Node {
  readonly id: string;
  readonly version: string | null;
  /** silent: a member that does not answer, of which all else is null. gone: in events alone. */
  readonly state: "ready" | "not_ready" | "draining" | "silent" | "gone";
  /** Why it is not ready, by part. */
  readonly reasons: readonly string[];
  readonly started_at: string | null;
  readonly uptime_seconds: number | null;
  /** That it owns. */
  readonly integrations: number | null;
  /** Under way on it. */
  readonly runs: number | null;
  readonly memory: {
    readonly rss_bytes: number;
    readonly heap_used_bytes: number;
    readonly heap_limit_bytes: number;
  } | null;
  /** How late timers were in the last ten seconds. */
  readonly event_loop_lag: {
    readonly p50_ms: number;
    readonly p99_ms: number;
  } | null;
  readonly records_in_per_second: number | null;
  readonly records_out_per_second: number | null;
  readonly nats: {
    readonly connected: boolean;
    readonly reason: string | null;
  } | null;
  readonly postgres: {
    readonly connected: boolean;
    readonly reason: string | null;
  } | null;
  /** What of a log outlives a loss of power. synced: fsynced on one server; replicated: on most of so many; server: as an external server is set up. */
  readonly durability: {
    readonly tier: "synced" | "replicated" | "server";
    readonly copies: number;
  } | null;
}

export interface Overview {
  readonly items: readonly {
    /** UUIDv7. */
    readonly id: string;
    readonly name: string;
    readonly enabled: boolean;
    readonly version: number;
    readonly owner: string | null;
    readonly updated_at: string;
    readonly status: "enabled" | "disabled";
    readonly health: "ok" | "degraded" | "stopped" | "waiting";
    readonly health_reason: string | null;
    readonly trigger: "manual" | "schedule" | "webhook" | "event";
    readonly next_fire_at: string | null;
    readonly last_run: {
      /** UUIDv7. */
      readonly id: string;
      readonly status: "running" | "success" | "partial" | "failed" | "cancelled";
      readonly started_at: string;
      readonly finished_at: string | null;
      readonly records_failed: number;
    } | null;
    readonly live: {
      /** Null: no node carries it out at this moment. */
      readonly at: string | null;
      /** Records a second, the mean of the last five. */
      readonly records_in_per_second: number;
      /** Records a second, the mean of the last five. */
      readonly records_out_per_second: number;
      /** Records a second, the mean of the last five. */
      readonly records_failed_per_second: number;
      /** Records in the logs that are not settled. */
      readonly lag: number;
      /** What failed of all that came to its end in the last minute, 0 to 1. */
      readonly error_ratio: number;
      /** Unresolved; null: not known yet. */
      readonly dead_letters: number | null;
      /** Since the destination that is furthest behind was up to date or confirmed a record. */
      readonly freshness_seconds: number | null;
      /** From ingest to the destinations, in about the last minute. */
      readonly latency: {
        readonly p50_seconds: number;
        readonly p99_seconds: number;
      } | null;
      /** By destination, and by `step ID` for each step that looks up: whether it is called. */
      readonly circuits: { readonly [name: string]: Circuit };
      /** That is under way. */
      readonly run_id: string | null;
      /** Why it does not move. */
      readonly waiting: string | null;
      /** Records in each of the last seconds, at most 60, the oldest first. */
      readonly samples: {
        readonly interval_seconds: 1;
        readonly in: readonly number[];
        readonly out: readonly number[];
        readonly failed: readonly number[];
      };
    };
  }[];
  /** Null on the last page. */
  readonly next_cursor: string | null;
  /** Of all integrations that the caller may see, whatever the filter; by_health of those enabled. */
  readonly totals: {
    readonly integrations: number;
    readonly enabled: number;
    readonly by_health: {
      readonly ok: number;
      readonly degraded: number;
      readonly stopped: number;
      readonly waiting: number;
    };
    readonly circuits_open: number;
    readonly with_dead_letters: number;
  };
}

export interface Plan {
  readonly dry_run: boolean;
  readonly changes: readonly {
    readonly kind: "plugin" | "connector" | "integration";
    readonly name: string;
    readonly action: "create" | "update" | "unchanged";
    /** Null before it is made. */
    readonly version: {
      readonly before: number | null;
      readonly after: number;
    };
    readonly fields: readonly {
      readonly path: string;
    }[];
    /** What the change does besides changing fields; destructive: data or state is lost. */
    readonly notes: readonly {
      readonly path: string;
      readonly message: string;
      readonly destructive: boolean;
    }[];
  }[];
  /** What is there and not named: it is left as it is. */
  readonly left: readonly {
    readonly kind: "plugin" | "connector" | "integration";
    readonly name: string;
  }[];
}

export interface Plugin {
  /** UUIDv7. */
  readonly id: string;
  /** Null before it has said so. */
  readonly serves: {
    readonly type: string;
    readonly version: string;
  } | null;
  readonly state: {
    readonly status: "ready" | "starting" | "unavailable";
    readonly reason: string | null;
  };
  readonly version: number;
  readonly created_at: string;
  readonly updated_at: string;
  /** Unique among plugins. */
  readonly name: string;
  /** Program and arguments; no shell reads them. The program is a file below the server's SLUICE_PLUGIN_ROOTS, and is started in its folder. */
  readonly command?: readonly string[];
  /** Where it serves, if it runs elsewhere. Whatever is not of this machine needs `tls`. */
  readonly address?: string;
  /** OCI image, for what deploys it: sluice itself starts no containers and reaches what runs at the `address`. */
  readonly image?: string;
  /** Mutual TLS, as PEM. */
  readonly tls?: {
    /** Certificates that the plugin's is held against. */
    readonly ca: string;
    /** Certificate that sluice shows. */
    readonly cert: string;
    /** Its private key. */
    readonly key: string;
    /** Name in the plugin's certificate, where it is not that of the address. */
    readonly server_name?: string;
  };
  /** Memory that its program may take, in MiB: beyond, it is ended and started again (Linux). */
  readonly memory?: number;
  /** Added to the program's environment, which has little else. Names begin with SLUICE_PLUGIN_. */
  readonly env?: { readonly [name: string]: string };
}

/** A program of its own that serves a connector type: started as a child of each node, or reached at an address. */
export interface PluginReplacement {
  /** UUIDv7. */
  readonly id?: string;
  /** Null before it has said so. */
  readonly serves?: {
    readonly type: string;
    readonly version: string;
  } | null;
  readonly state?: {
    readonly status: "ready" | "starting" | "unavailable";
    readonly reason: string | null;
  };
  readonly version?: number;
  readonly created_at?: string;
  readonly updated_at?: string;
  /** Unique among plugins. */
  readonly name?: string;
  /** Program and arguments; no shell reads them. The program is a file below the server's SLUICE_PLUGIN_ROOTS, and is started in its folder. */
  readonly command?: readonly string[];
  /** Where it serves, if it runs elsewhere. Whatever is not of this machine needs `tls`. */
  readonly address?: string;
  /** OCI image, for what deploys it: sluice itself starts no containers and reaches what runs at the `address`. */
  readonly image?: string;
  /** Mutual TLS, as PEM. */
  readonly tls?: {
    /** Certificates that the plugin's is held against. */
    readonly ca: string;
    /** Certificate that sluice shows. */
    readonly cert: string;
    /** Its private key. */
    readonly key: string;
    /** Name in the plugin's certificate, where it is not that of the address. */
    readonly server_name?: string;
  };
  /** Memory that its program may take, in MiB: beyond, it is ended and started again (Linux). */
  readonly memory?: number;
  /** Added to the program's environment, which has little else. Names begin with SLUICE_PLUGIN_. */
  readonly env?: { readonly [name: string]: string };
}

export interface Preview {
  readonly records: readonly {
    readonly record_id: string;
    /** Where the record stands in its source. */
    readonly position: {
      readonly base: string;
      readonly ordinal: number;
    };
    /** Null where it could not be read. */
    readonly record: JsonObject | null;
    readonly status: "delivered" | "aggregated" | "filtered" | "failed";
    /** Why it got to no step. */
    readonly failure: {
      readonly code: string;
      readonly message: string;
    } | null;
    /** Steps that were reached, in their order. */
    readonly steps: readonly {
      readonly step: string;
      readonly type: string;
      /** How many, and the first 20. */
      readonly in: {
        readonly count: number;
        readonly records: readonly {
          /** Which of the records made of one it is; empty for the record itself. */
          readonly child: string;
          /** Where a route sends it. */
          readonly to?: string;
          readonly record: JsonObject;
        }[];
      };
      /** How many, and the first 20. */
      readonly out: {
        readonly count: number;
        readonly records: readonly {
          /** Which of the records made of one it is; empty for the record itself. */
          readonly child: string;
          /** Where a route sends it. */
          readonly to?: string;
          readonly record: JsonObject;
        }[];
      };
      readonly failures: readonly {
        readonly child: string;
        /** Index of the mapping rule. */
        readonly rule: number | null;
        readonly code: string;
        readonly message: string;
        /** All that is wrong, where a schema says more than one thing. */
        readonly errors: readonly {
          readonly path: string;
          readonly message: string;
        }[];
        readonly on_error: "dead_letter" | "drop" | "stop";
      }[];
    }[];
    /** What destinations would receive. */
    readonly destinations: readonly {
      readonly destination: string;
      readonly connector: string;
      readonly stream: string;
      readonly mode: string;
      /** How many, and the first 20. */
      readonly in: {
        readonly count: number;
        readonly records: readonly {
          /** Which of the records made of one it is; empty for the record itself. */
          readonly child: string;
          /** Where a route sends it. */
          readonly to?: string;
          readonly record: JsonObject;
        }[];
      };
    }[];
  }[];
  /** What aggregates give at the end: it descends from no one record. */
  readonly windows: {
    /** Steps that were reached, in their order. */
    readonly steps: readonly {
      readonly step: string;
      readonly type: string;
      /** How many, and the first 20. */
      readonly in: {
        readonly count: number;
        readonly records: readonly {
          /** Which of the records made of one it is; empty for the record itself. */
          readonly child: string;
          /** Where a route sends it. */
          readonly to?: string;
          readonly record: JsonObject;
        }[];
      };
      /** How many, and the first 20. */
      readonly out: {
        readonly count: number;
        readonly records: readonly {
          /** Which of the records made of one it is; empty for the record itself. */
          readonly child: string;
          /** Where a route sends it. */
          readonly to?: string;
          readonly record: JsonObject;
        }[];
      };
      readonly failures: readonly {
        readonly child: string;
        /** Index of the mapping rule. */
        readonly rule: number | null;
        readonly code: string;
        readonly message: string;
        /** All that is wrong, where a schema says more than one thing. */
        readonly errors: readonly {
          readonly path: string;
          readonly message: string;
        }[];
        readonly on_error: "dead_letter" | "drop" | "stop";
      }[];
    }[];
    /** What destinations would receive. */
    readonly destinations: readonly {
      readonly destination: string;
      readonly connector: string;
      readonly stream: string;
      readonly mode: string;
      /** How many, and the first 20. */
      readonly in: {
        readonly count: number;
        readonly records: readonly {
          /** Which of the records made of one it is; empty for the record itself. */
          readonly child: string;
          /** Where a route sends it. */
          readonly to?: string;
          readonly record: JsonObject;
        }[];
      };
    }[];
  } | null;
  readonly totals: {
    readonly in: number;
    readonly delivered: number;
    readonly aggregated: number;
    readonly filtered: number;
    readonly failed: number;
  };
  /** Whether something is counted and not shown. */
  readonly truncated: boolean;
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors: readonly {
    readonly path: string;
    readonly message: string;
  }[];
  readonly request_id: string;
}

export interface Rotation {
  readonly provider: string;
  readonly key_version: string;
  /** Whether the key was made for this rotation. */
  readonly new_key: boolean;
  readonly rewrapped: number;
  /** What was under this key before. */
  readonly unchanged: number;
  readonly failed: readonly {
    readonly name: string;
    readonly code: string;
    readonly message: string;
  }[];
}

export interface Run {
  /** UUIDv7. */
  readonly id: string;
  /** UUIDv7. */
  readonly integration_id: string;
  readonly integration_version: number;
  readonly trigger: "manual" | "schedule" | "webhook" | "event" | "invoke";
  readonly status: "running" | "success" | "partial" | "failed" | "cancelled";
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly records_in: number;
  readonly records_out: number;
  readonly records_filtered: number;
  readonly records_failed: number;
  readonly by_destination: { readonly [name: string]: {
    readonly out: number;
    readonly failed: number;
  } };
  readonly error: {
    readonly code: string;
    readonly message: string;
    /** Of the setting at fault, where there is one. */
    readonly path?: string;
  } | null;
  /** Why the run does not move at the moment. */
  readonly waiting: string | null;
  /** That it was asked for with; null: it began by itself. */
  readonly request: {
    /** Its X-Request-ID. */
    readonly id?: string;
    /** Of its traceparent. */
    readonly trace_id?: string;
    /** Who asked: the name of a key, or a token's subject. */
    readonly actor?: string;
    /** The team of who asked. */
    readonly owner?: string;
  } | null;
  /** The job whose dead letters it replays; left out: it reads its sources. */
  readonly job_id?: string;
}

export interface RunDetail {
  /** UUIDv7. */
  readonly id: string;
  /** UUIDv7. */
  readonly integration_id: string;
  readonly integration_version: number;
  readonly trigger: "manual" | "schedule" | "webhook" | "event" | "invoke";
  readonly status: "running" | "success" | "partial" | "failed" | "cancelled";
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly records_in: number;
  readonly records_out: number;
  readonly records_filtered: number;
  readonly records_failed: number;
  readonly by_destination: { readonly [name: string]: {
    readonly out: number;
    readonly failed: number;
  } };
  readonly error: {
    readonly code: string;
    readonly message: string;
    /** Of the setting at fault, where there is one. */
    readonly path?: string;
  } | null;
  /** Why the run does not move at the moment. */
  readonly waiting: string | null;
  /** That it was asked for with; null: it began by itself. */
  readonly request: {
    /** Its X-Request-ID. */
    readonly id?: string;
    /** Of its traceparent. */
    readonly trace_id?: string;
    /** Who asked: the name of a key, or a token's subject. */
    readonly actor?: string;
    /** The team of who asked. */
    readonly owner?: string;
  } | null;
  /** By destination, and by `step ID` for look-ups; null once the run has ended. */
  readonly circuits: { readonly [name: string]: Circuit } | null;
  readonly ledger: Ledger;
  /** What records had that the stream's schema did not know, each once. */
  readonly drift: readonly {
    readonly kind: "new_field" | "changed_type" | "missing_field";
    readonly path: string;
    readonly expected: string | null;
    readonly found: string | null;
    readonly connector: string;
    readonly stream: string;
    readonly version: number;
    readonly seen_at: string;
  }[];
  /** The job whose dead letters it replays; left out: it reads its sources. */
  readonly job_id?: string;
}

export interface RunSeries {
  /** UUIDv7. */
  readonly run_id: string;
  /** Points are at least so far apart: it doubles as a run gets longer. */
  readonly interval_seconds: number;
  /** What it had counted until then, the oldest first. */
  readonly points: readonly {
    readonly at: string;
    readonly records_in: number;
    readonly records_out: number;
    readonly records_filtered: number;
    readonly records_failed: number;
  }[];
}

export interface Sample {
  readonly stream: string;
  readonly records: readonly Json[];
}

export interface Secrets {
  /** Where the key-encryption key is. */
  readonly provider: string;
  /** The key that seals now. */
  readonly key_version: string;
  readonly versions: readonly {
    readonly key_version: string;
    readonly sealed: number;
    readonly current: boolean;
  }[];
}

/** What is read. */
export interface Source {
  /** Name of the connector. */
  readonly connector: string;
  /** The stream: a table, a file's name, a topic. */
  readonly stream: string;
  /** Everything each time, or what is new since the last run. */
  readonly mode?: "full" | "incremental";
  /** Field that grows with every change; required by mode incremental, save where the connector has a cursor of its own. A field path. */
  readonly cursor_field?: string;
}

/** A step of the pipeline. */
export type Step = {
  /** Unique among steps and destinations; `source` is taken. */
  readonly id: string;
  readonly type: "filter";
  /** What is kept. A predicate: an RFC 9535 logical expression over the record, or { "js": … }. */
  readonly where: string | {
    /** A JavaScript expression over record and meta. */
    readonly js: string;
  };
  /** What feeds this step; left out: the step before. */
  readonly needs?: readonly string[];
  /** Records a second that leave the step; left out: no limit. */
  readonly rate_limit?: number;
  /** Batches at once. */
  readonly concurrency?: number;
  /** What a record's failure does. */
  readonly on_error?: "dead_letter" | "drop" | "stop";
} | {
  /** Unique among steps and destinations; `source` is taken. */
  readonly id: string;
  readonly type: "map";
  /** Default: mapping_spec. Rules, applied in order. */
  readonly mapping?: readonly MappingRule[];
  /** What feeds this step; left out: the step before. */
  readonly needs?: readonly string[];
  /** Records a second that leave the step; left out: no limit. */
  readonly rate_limit?: number;
  /** Batches at once. */
  readonly concurrency?: number;
  /** What a record's failure does. */
  readonly on_error?: "dead_letter" | "drop" | "stop";
} | {
  /** Unique among steps and destinations; `source` is taken. */
  readonly id: string;
  readonly type: "validate";
  /** JSON Schema 2020-12. */
  readonly schema: JsonObject | boolean;
  /** What feeds this step; left out: the step before. */
  readonly needs?: readonly string[];
  /** Records a second that leave the step; left out: no limit. */
  readonly rate_limit?: number;
  /** Batches at once. */
  readonly concurrency?: number;
  /** What a record's failure does. */
  readonly on_error?: "dead_letter" | "drop" | "stop";
} | {
  /** Unique among steps and destinations; `source` is taken. */
  readonly id: string;
  readonly type: "enrich";
  /** Name of the connector. */
  readonly connector: string;
  /** Templates, by the schema of the connector's look-up. */
  readonly request: JsonObject;
  /** Where the answer goes. A field path. */
  readonly merge_at: string;
  /** Answers kept, by request. */
  readonly cache?: {
    /** How long; 0s: not at all. */
    readonly ttl?: string;
    /** How many; the least used of late go first, as they do beyond 32 MiB. */
    readonly max_entries?: number;
  };
  /** What an empty answer does. */
  readonly on_missing?: "fail" | "skip" | "null" | null;
  /** What feeds this step; left out: the step before. */
  readonly needs?: readonly string[];
  /** Records a second that leave the step; left out: no limit. */
  readonly rate_limit?: number;
  /** Batches at once. */
  readonly concurrency?: number;
  /** What a record's failure does. */
  readonly on_error?: "dead_letter" | "drop" | "stop";
} | {
  /** Unique among steps and destinations; `source` is taken. */
  readonly id: string;
  readonly type: "split";
  /** The array. A field path. */
  readonly path: string;
  /** Field for the element; left out: the element is the record. A field path. */
  readonly as?: string;
  /** Keep the parent's other fields. */
  readonly keep_parent?: boolean;
  /** What feeds this step; left out: the step before. */
  readonly needs?: readonly string[];
  /** Records a second that leave the step; left out: no limit. */
  readonly rate_limit?: number;
  /** Batches at once. */
  readonly concurrency?: number;
  /** What a record's failure does. */
  readonly on_error?: "dead_letter" | "drop" | "stop";
} | {
  /** Unique among steps and destinations; `source` is taken. */
  readonly id: string;
  readonly type: "aggregate";
  /** Fields that make a group; left out: all records are one. */
  readonly key?: readonly string[];
  /** Whichever comes first; with neither, the end of the run. */
  readonly window?: {
    /** Records of a group. */
    readonly count?: number;
    /** Processing time. */
    readonly duration?: string;
  };
  /** By the name of the field they give. */
  readonly measures?: { readonly [name: string]: {
    readonly sum?: string;
    readonly min?: string;
    readonly max?: string;
    readonly avg?: string;
    readonly first?: string;
    readonly last?: string;
    readonly collect?: string;
    readonly count?: true;
  } };
  /** Reshapes what is given out. Rules, applied in order. */
  readonly emit?: readonly MappingRule[];
  /** What feeds this step; left out: the step before. */
  readonly needs?: readonly string[];
  /** Records a second that leave the step; left out: no limit. */
  readonly rate_limit?: number;
  /** Batches at once. */
  readonly concurrency?: number;
  /** What a record's failure does. */
  readonly on_error?: "dead_letter" | "drop" | "stop";
} | {
  /** Unique among steps and destinations; `source` is taken. */
  readonly id: string;
  readonly type: "transform";
  /** A function: (record, meta) => record | record[] | null. */
  readonly script: string;
  /** What feeds this step; left out: the step before. */
  readonly needs?: readonly string[];
  /** Records a second that leave the step; left out: no limit. */
  readonly rate_limit?: number;
  /** Batches at once. */
  readonly concurrency?: number;
  /** What a record's failure does. */
  readonly on_error?: "dead_letter" | "drop" | "stop";
} | {
  /** Unique among steps and destinations; `source` is taken. */
  readonly id: string;
  readonly type: "route";
  /** Tried in order. */
  readonly routes: readonly {
    /** Id of a step or destination. */
    readonly to: string;
    /** What takes it. A predicate: an RFC 9535 logical expression over the record, or { "js": … }. */
    readonly where: string | {
      /** A JavaScript expression over record and meta. */
      readonly js: string;
    };
  }[];
  /** Id of a step or destination for what no route takes; left out: filtered. */
  readonly otherwise?: string;
  /** What feeds this step; left out: the step before. */
  readonly needs?: readonly string[];
  /** Records a second that leave the step; left out: no limit. */
  readonly rate_limit?: number;
  /** Batches at once. */
  readonly concurrency?: number;
  /** What a record's failure does. */
  readonly on_error?: "dead_letter" | "drop" | "stop";
};

export interface Streams {
  readonly streams: readonly {
    readonly name: string;
    readonly schema: JsonObject | boolean;
    readonly key: readonly string[] | null;
    readonly cursor_fields: readonly string[] | null;
  }[];
}

export interface Test {
  readonly status: "ok" | "failed";
  readonly latency_ms: number;
  readonly sample_record: Json;
  readonly error?: Failure;
}

/** When a run starts. Default: manual. */
export type Trigger = {
  readonly type: "manual";
} | {
  readonly type: "schedule";
  /** Five fields: minute, hour, day, month, weekday; six begin with the second. Or @hourly and the like. */
  readonly cron: string;
  /** IANA name of the time zone the expression means. */
  readonly timezone?: string;
  /** Times that passed while no node was up: run once for the last of them, or skip them. */
  readonly misfire?: "once" | "skip";
  /** The run before is still under way: skip this one; queue it, to be opened when that one has ended; or run it too: it is opened at once, by the version of now, and carried out as soon as that one has ended. The runs of an integration share its cursor and its log, and go one after another. */
  readonly overlap?: "skip" | "queue" | "run";
} | {
  readonly type: "webhook";
  /** How a sender proves itself. */
  readonly auth?: {
    /** How a request is signed, or what it presents; `none` takes whatever comes. */
    readonly scheme: "standard-webhooks" | "github" | "stripe" | "slack" | "hmac" | "basic" | "bearer" | "none";
    /** Secrets that are valid, several during rotation: references, or texts, which are kept encrypted and shown as ***. */
    readonly secrets?: readonly string[];
    /** What Meta, Strava and others ask by as hub.verify_token; a secret of its own, as those in `secrets` are. */
    readonly verify_token?: string;
    /** How old a signed request may be, and how far ahead its clock. */
    readonly tolerance?: string;
    /** Scheme hmac: the header that has the signature. */
    readonly header?: string;
    /** Scheme hmac: the digest; left out: sha256. */
    readonly algorithm?: "sha1" | "sha256" | "sha512";
    /** Scheme hmac: how the digest is written; left out: hex. */
    readonly encoding?: "hex" | "base64";
    /** Scheme hmac: what stands before the digest, such as `sha256=`. */
    readonly prefix?: string;
    /** Scheme hmac: the header with the seconds since 1970; what is signed then is `{timestamp}.{body}`. */
    readonly timestamp_header?: string;
  };
} | {
  readonly type: "event";
};
