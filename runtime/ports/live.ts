import type { NodeStatus } from "./nodes.ts";
import type { HealthStatus, RunRow } from "./store.ts";

/*
 * How integrations do at this moment, as their owners say it and the API shows it. Rates are records a second, the mean of
 * the last five seconds.
 */

export interface CircuitState {
  readonly state: "closed" | "open" | "half_open";
  readonly since: string | null;
  readonly reason: string | null;
  readonly failure_ratio: number | null;
}

export interface Latency {
  readonly p50_seconds: number;
  readonly p99_seconds: number;
}

export interface LiveFigures {
  /** Null: no node owns the integration at this moment. */
  readonly at: string | null;
  readonly records_in_per_second: number;
  readonly records_out_per_second: number;
  readonly records_failed_per_second: number;
  /** Records in the logs that are not settled. */
  readonly lag: number;
  /** Of the last minute: what failed of all that came to its end, 0 to 1. */
  readonly error_ratio: number;
  /** Unresolved; null where it is not known yet. */
  readonly dead_letters: number | null;
  /** Of the destination that is furthest behind; null before the first record. */
  readonly freshness_seconds: number | null;
  /** From ingest to the destinations, of about the last minute. */
  readonly latency: Latency | null;
  /** By destination, and by `step ID` of those that look up. */
  readonly circuits: Readonly<Record<string, CircuitState>>;
  /** That is under way. */
  readonly run_id: string | null;
  /** Why it does not move. */
  readonly waiting: string | null;
}

/** Records of each of the last seconds, at most 60, the oldest first. */
export interface Samples {
  readonly interval_seconds: 1;
  readonly in: readonly number[];
  readonly out: readonly number[];
  readonly failed: readonly number[];
}

export interface GraphNode {
  /** `source:0`, `log:ingest`, `step:ID`, `log:DESTINATION`, `destination:ID`. */
  readonly id: string;
  readonly kind: "source" | "log" | "step" | "destination";
  readonly name: string;
  /** The connector's name, the step's type, or `jetstream`. */
  readonly type: string;
  readonly in_per_second: number;
  readonly out_per_second: number;
  readonly filtered_per_second: number;
  readonly failed_per_second: number;
  readonly latency?: Latency | null;
  readonly circuit?: CircuitState;
}

export interface GraphEdge {
  /** `FROM>TO`. */
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly per_second: number;
  /** What the receiver still takes; null: it is one with the sender, and has no credit of its own. */
  readonly credit: { readonly available: number; readonly limit: number; readonly unit: "batches" | "bytes" } | null;
  /** What waits here. */
  readonly queue: { readonly records: number; readonly bytes: number | null } | null;
  /** The receiver gives no credit. */
  readonly blocked: boolean;
}

export interface Graph {
  /** In the order of the flow, as the edges. */
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** Null: the source sets the pace, or nothing moves. */
  readonly bottleneck: { readonly edge: string; readonly reason: string } | null;
}

/** Of one integration. */
export interface LiveIntegration {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly version: number;
  readonly health: HealthStatus;
  readonly health_reason: string | null;
  readonly live: LiveFigures;
}

/** With what takes more room than to be told every second. */
export interface LiveSampled extends LiveIntegration {
  readonly samples: Samples;
}

export interface LiveDetail extends LiveSampled {
  readonly graph: Graph;
}

/** A run between nodes: its dates are texts. */
export type LiveRun = Omit<RunRow, "startedAt" | "finishedAt" | "cancelRequestedAt"> & {
  readonly startedAt: string;
  readonly finishedAt: string | null;
};

/** What has changed on a node since it was last told. */
export interface LiveChanges {
  readonly integrations: readonly LiveIntegration[];
  /** That began, moved or ended. */
  readonly runs: readonly LiveRun[];
  /** Ids of integrations that are no more. */
  readonly removed: readonly string[];
  readonly node?: NodeStatus;
}

/** How all integrations of the cluster do, asked on any node. */
export interface Live {
  /** Those of the ids that a node owns, by id; waits a second for nodes that do not answer. */
  describe(ids: readonly string[]): Promise<ReadonlyMap<string, LiveSampled>>;
  /** Null where nobody owns it. */
  detail(id: string): Promise<LiveDetail | null>;
  /** Calls `listener` with what changes, about once a second from each node; returns how to stop that. */
  listen(listener: (changes: LiveChanges) => void): () => void;
}

/** Of an integration that nobody owns at this moment. */
export const noFigures = (circuits: LiveFigures["circuits"]): LiveFigures => ({
  at: null,
  records_in_per_second: 0,
  records_out_per_second: 0,
  records_failed_per_second: 0,
  lag: 0,
  error_ratio: 0,
  dead_letters: null,
  freshness_seconds: null,
  latency: null,
  circuits,
  run_id: null,
  waiting: null,
});

export const noSamples: Samples = { interval_seconds: 1, in: [], out: [], failed: [] };
