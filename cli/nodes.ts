import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { NodeView } from "../actors/node.ts";
import type { Durability, Readiness } from "../gateway/services/index.ts";
import type { Cluster } from "../runtime/ports/cluster.ts";
import { type NodeStatus, type Nodes, silentNode } from "../runtime/ports/nodes.ts";

export interface NodesOptions {
  readonly cluster: Pick<Cluster, "nodeId" | "members" | "ask" | "answer">;
  readonly readiness: Readiness;
  readonly view: Pick<NodeView, "owned" | "vitals">;
  readonly version: string;
  readonly durability: Durability;
}

export interface RunningNodes extends Nodes {
  /** This one. */
  describe(): Promise<NodeStatus>;
  /** It stops: it says so from now on. */
  draining(): void;
  close(): void;
}

/** Subject between nodes. */
const describe = "nodes.describe";
const patienceMs = 1_000;
/** A timer that comes so often is how late the others are. */
const tickMs = 20;
const lagWindowMs = 10_000;

/** What the nodes say of themselves, and of each other. */
export function joinNodes({ cluster, readiness, view, version, durability }: NodesOptions): RunningNodes {
  const startedAt = Date.now();
  let isDraining = false;
  const ticks = monitorEventLoopDelay({ resolution: tickMs });
  ticks.enable();
  const lag = () => ({ p50_ms: lateness(ticks.percentile(50)), p99_ms: lateness(ticks.percentile(99)) });
  let latest: ReturnType<typeof lag> | undefined;
  const look = setInterval(() => {
    latest = lag();
    ticks.reset();
  }, lagWindowMs).unref();

  const own = async (): Promise<NodeStatus> => {
    const parts = await readiness.check();
    const reasons = Object.entries(parts).flatMap(([part, reason]) => (reason === null ? [] : [`${part}: ${reason}`]));
    const server = (part: string) => {
      const reason = parts[part] ?? null;
      return { connected: reason === null, reason };
    };
    const { rss, heapUsed } = process.memoryUsage();
    const vitals = [...view.vitals.values()];
    const sum = (rate: "in" | "out") => vitals.reduce((total, { flow }) => total + flow.rates()[rate], 0);
    return {
      id: cluster.nodeId,
      version,
      state: isDraining ? "draining" : reasons.length > 0 ? "not_ready" : "ready",
      reasons,
      started_at: new Date(startedAt).toISOString(),
      uptime_seconds: Math.round((Date.now() - startedAt) / 1000),
      integrations: view.owned.size,
      runs: vitals.filter(({ run }) => run !== undefined).length,
      memory: { rss_bytes: rss, heap_used_bytes: heapUsed, heap_limit_bytes: getHeapStatistics().heap_size_limit },
      event_loop_lag: latest ?? lag(),
      records_in_per_second: sum("in"),
      records_out_per_second: sum("out"),
      nats: server("nats"),
      postgres: server("postgres"),
      durability,
    };
  };
  const stop = cluster.answer(describe, async () => (await own()) as never);
  return {
    describe: own,
    async list() {
      const asked = cluster.ask(describe, null, patienceMs);
      const [mine, others] = await Promise.all([own(), asked]);
      const answered = [mine, ...(others.filter((other) => other !== undefined) as unknown as NodeStatus[])];
      const known = new Set(answered.map(({ id }) => id));
      const silent = cluster.members().filter((id) => !known.has(id));
      return [...answered, ...silent.map((id) => silentNode(id))].sort((a, b) => (a.id < b.id ? -1 : 1));
    },
    draining() {
      isDraining = true;
    },
    close() {
      stop();
      clearInterval(look);
      ticks.disable();
    },
  };
}

/** Milliseconds beyond the tick's own, of nanoseconds between ticks; NaN before the first. */
function lateness(nanoseconds: number): number {
  return Math.max(0, Math.round(nanoseconds / 1e5) / 10 - tickMs) || 0;
}
