/** What a node says of itself, as the API shows it. What a silent one would say is null. */
export interface NodeStatus {
  readonly id: string;
  /** Of the product. */
  readonly version: string | null;
  /** `silent`: it is a member, and does not answer. `gone`: it is a member no more. */
  readonly state: "ready" | "not_ready" | "draining" | "silent" | "gone";
  /** Why it is not ready, by part. */
  readonly reasons: readonly string[];
  readonly started_at: string | null;
  readonly uptime_seconds: number | null;
  /** Integrations that it owns. */
  readonly integrations: number | null;
  /** Runs under way on it. */
  readonly runs: number | null;
  readonly memory: {
    readonly rss_bytes: number;
    readonly heap_used_bytes: number;
    readonly heap_limit_bytes: number;
  } | null;
  /** How late timers were in the latest ten seconds. */
  readonly event_loop_lag: { readonly p50_ms: number; readonly p99_ms: number } | null;
  readonly records_in_per_second: number | null;
  readonly records_out_per_second: number | null;
  readonly nats: ServerStatus | null;
  readonly postgres: ServerStatus | null;
  /** What of a log outlives a loss of power once it is confirmed. */
  readonly durability: { readonly tier: "synced" | "replicated" | "server"; readonly copies: number } | null;
}

interface ServerStatus {
  readonly connected: boolean;
  readonly reason: string | null;
}

/** The nodes of the cluster. */
export interface Nodes {
  /** By id, this one among them; waits a second for those that do not answer. */
  list(): Promise<readonly NodeStatus[]>;
}

export const silentNode = (id: string, state: "silent" | "gone" = "silent"): NodeStatus => ({
  id,
  version: null,
  state,
  reasons: state === "silent" ? ["it is a member of the cluster, and does not answer"] : [],
  started_at: null,
  uptime_seconds: null,
  integrations: null,
  runs: null,
  memory: null,
  event_loop_lag: null,
  records_in_per_second: null,
  records_out_per_second: null,
  nats: null,
  postgres: null,
  durability: null,
});
