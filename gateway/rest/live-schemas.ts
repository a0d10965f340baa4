import type { Part } from "../../runtime/config/index.ts";
import { roles, scopes } from "../auth/index.ts";
import { runStatus } from "./history-schemas.ts";
import { circuit, circuits, durability, id, integer, object, orNull, string, time } from "./schema-parts.ts";

/*
 * Shapes of what is told of this moment.
 */

const number: Part = { type: "number" };
const seconds: Part = { type: ["number", "null"] };
const boolean: Part = { type: "boolean" };
const health: Part = { enum: ["ok", "degraded", "stopped", "waiting"] };
const rate: Part = { ...number, description: "Records a second, the mean of the last five." };

const latency: Part = {
  ...orNull(object({ p50_seconds: number, p99_seconds: number })),
  description: "From ingest to the destinations, in about the last minute.",
};

const samples: Part = {
  ...object({
    interval_seconds: { const: 1 },
    in: { type: "array", items: integer },
    out: { type: "array", items: integer },
    failed: { type: "array", items: integer },
  }),
  description: "Records in each of the last seconds, at most 60, the oldest first.",
};

const figures: Record<string, Part> = {
  at: { ...orNull(time), description: "Null: no node carries it out at this moment." },
  records_in_per_second: rate,
  records_out_per_second: rate,
  records_failed_per_second: rate,
  lag: { ...integer, description: "Records in the logs that are not settled." },
  error_ratio: { ...number, description: "What failed of all that came to its end in the last minute, 0 to 1." },
  dead_letters: { ...orNull(integer), description: "Unresolved; null: not known yet." },
  freshness_seconds: {
    ...seconds,
    description: "Since the destination that is furthest behind was up to date or confirmed a record.",
  },
  latency,
  circuits,
  run_id: { ...orNull(id), description: "That is under way." },
  waiting: { ...orNull(string), description: "Why it does not move." },
};

const credit: Part = {
  ...orNull(object({ available: integer, limit: integer, unit: { enum: ["batches", "bytes"] } })),
  description: "What the receiver still takes; null: it is one with the sender.",
};

const graphNode: Record<string, Part> = {
  id: { ...string, description: "source:0, log:ingest, step:ID, log:DESTINATION or destination:ID." },
  kind: { enum: ["source", "log", "step", "destination"] },
  name: string,
  type: { ...string, description: "The connector's name, the step's type, or jetstream." },
  in_per_second: rate,
  out_per_second: rate,
  filtered_per_second: rate,
  failed_per_second: rate,
};

const graphEdge = object({
  id: { ...string, description: "FROM>TO." },
  from: string,
  to: string,
  per_second: rate,
  credit,
  queue: {
    ...orNull(object({ records: integer, bytes: orNull(integer) })),
    description: "What waits here; null: nothing can.",
  },
  blocked: { ...boolean, description: "The receiver gives no credit." },
});

const graph = object({
  nodes: {
    type: "array",
    items: { ...object(graphNode), properties: { ...graphNode, latency, circuit } },
    description: "In the order of the flow, as the edges.",
  },
  edges: { type: "array", items: graphEdge },
  bottleneck: {
    ...orNull(object({ edge: string, reason: string })),
    description:
      "The first edge from the source whose receiver gives no credit while nothing behind it is held up; null: the source sets the pace.",
  },
});

export const liveDetail = object({ integration_id: id, ...figures, samples, graph });

const overviewItem = object({
  id,
  name: string,
  enabled: boolean,
  version: integer,
  owner: orNull(string),
  updated_at: time,
  status: { enum: ["enabled", "disabled"] },
  health,
  health_reason: orNull(string),
  trigger: { enum: ["manual", "schedule", "webhook", "event"] },
  next_fire_at: orNull(time),
  last_run: orNull(
    object({ id, status: runStatus, started_at: time, finished_at: orNull(time), records_failed: integer }),
  ),
  live: object({ ...figures, samples }),
});

export const overview = object({
  items: { type: "array", items: overviewItem },
  next_cursor: { ...orNull(string), description: "Null on the last page." },
  totals: {
    ...object({
      integrations: integer,
      enabled: integer,
      by_health: { ...object({ ok: integer, degraded: integer, stopped: integer, waiting: integer }) },
      circuits_open: integer,
      with_dead_letters: integer,
    }),
    description: "Of all integrations that the caller may see, whatever the filter; by_health of those enabled.",
  },
});

const server: Part = orNull(object({ connected: boolean, reason: orNull(string) }));

export const node = object({
  id: string,
  version: orNull(string),
  state: {
    enum: ["ready", "not_ready", "draining", "silent", "gone"],
    description: "silent: a member that does not answer, of which all else is null. gone: in events alone.",
  },
  reasons: { type: "array", items: string, description: "Why it is not ready, by part." },
  started_at: orNull(time),
  uptime_seconds: orNull(integer),
  integrations: { ...orNull(integer), description: "That it owns." },
  runs: { ...orNull(integer), description: "Under way on it." },
  memory: orNull(object({ rss_bytes: integer, heap_used_bytes: integer, heap_limit_bytes: integer })),
  event_loop_lag: {
    ...orNull(object({ p50_ms: number, p99_ms: number })),
    description: "How late timers were in the last ten seconds.",
  },
  records_in_per_second: seconds,
  records_out_per_second: seconds,
  nats: server,
  postgres: server,
  durability: orNull(durability),
});

export const me = object({
  name: string,
  role: { enum: [...Object.keys(roles), null], description: "Null: it is known by its scopes alone." },
  scopes: { type: "array", items: { enum: [...scopes] } },
  owner: { ...orNull(string), description: "The team; null: it sees everything." },
  expires_at: orNull(time),
  trace_url: { ...orNull(string), description: "Where traces are shown: an address with {trace_id}; null: not set." },
});

/** Of the stream of events, whose data are JSON. */
export const eventsDescription = [
  "hello; then integration, run, dead_letters, job and node, as they are now; ready; and from then on the same as they change.",
  "integration: id, name, enabled, status, version, health, health_reason and live (as GET /v1/integrations/{id}/live has it, graph and samples only with ?integration=), or id and removed: true. At most one a second for each.",
  "run: as in lists; at most one a second for each while it is under way, and one when it has ended.",
  "dead_letters: integration_id and depth, the number unresolved. job: as in lists. node: as GET /v1/nodes has it.",
  "Whoever connects again is told everything again: after ready nothing is missed.",
].join(" ");
