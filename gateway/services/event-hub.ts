import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { Live, LiveChanges, LiveIntegration, LiveRun } from "../../runtime/ports/live.ts";
import { type NodeStatus, type Nodes, silentNode } from "../../runtime/ports/nodes.ts";
import type { Store } from "../../runtime/ports/store.ts";
import type { ServiceContext } from "./context.ts";
import { jobResource, runResource } from "./resources.ts";

/** Something that has changed, for those who may see it. */
export interface LiveEvent {
  readonly event: "integration" | "run" | "dead_letters" | "job" | "node";
  /** A later one of the same key stands for it. */
  readonly key: string;
  /** Null: it is of the platform as a whole. */
  readonly integrationId: string | null;
  readonly data: JsonObject;
}

/** Subject between nodes: a job was made, or told to do something else. */
export const jobsChanged = "jobs.changed";
/** Counting what a job has done walks its dead letters. */
const jobMs = 2_000;
/** A node says something every five seconds. */
const nodeMs = 5_000;
const nodeSilentMs = 12_000;

/** Makes events of what the nodes tell each other, once for all who listen on this node; while nobody does, of nothing. */
export class EventHub {
  readonly #live: Live;
  readonly #nodes: Nodes;
  readonly #store: Store;
  readonly #cluster: ServiceContext["cluster"];
  readonly #listeners = new Set<(event: LiveEvent) => void>();
  readonly #depths = new Map<string, number | null>();
  readonly #jobs = new Map<string, { at: number; timer: NodeJS.Timeout | undefined }>();
  /** When each node was heard of last. */
  readonly #heard = new Map<string, number>();
  #ends: (() => void)[] = [];

  constructor({ live, nodes, store, cluster }: Pick<ServiceContext, "live" | "nodes" | "store" | "cluster">) {
    this.#live = live;
    this.#nodes = nodes;
    this.#store = store;
    this.#cluster = cluster;
  }

  /** Returns how to stop. */
  listen(listener: (event: LiveEvent) => void): () => void {
    this.#listeners.add(listener);
    if (this.#ends.length === 0) this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stop();
    };
  }

  #start(): void {
    const look = setInterval(() => void this.#lookAtNodes(), nodeMs);
    this.#ends = [
      () => clearInterval(look),
      this.#live.listen((changes) => this.#changed(changes)),
      this.#cluster.subscribe(jobsChanged, (id) => this.#jobChanged(id as string)),
    ];
  }

  #stop(): void {
    for (const end of this.#ends.splice(0)) end();
    for (const { timer } of this.#jobs.values()) clearTimeout(timer);
    this.#jobs.clear();
    this.#depths.clear();
    this.#heard.clear();
  }

  #tell(event: LiveEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #changed({ integrations, runs, removed, node }: LiveChanges): void {
    for (const one of integrations) {
      this.#tell(integrationEvent(one));
      const depth = one.live.dead_letters;
      if (depth === null || this.#depths.get(one.id) === depth) continue;
      this.#depths.set(one.id, depth);
      this.#tell(depthEvent(one.id, depth));
    }
    for (const run of runs) {
      this.#tell(runEvent(run));
      if (run.jobId) this.#jobChanged(run.jobId);
    }
    for (const id of removed) {
      this.#depths.delete(id);
      this.#tell({ event: "integration", key: `integration ${id}`, integrationId: id, data: { id, removed: true } });
    }
    if (node) this.#nodeSaid(node);
  }

  #nodeSaid(node: NodeStatus): void {
    this.#heard.set(node.id, performance.now());
    this.#tell(nodeEvent(node));
  }

  /** A node that says nothing may be silent, or gone. */
  async #lookAtNodes(): Promise<void> {
    const now = performance.now();
    const quiet = [...this.#heard].filter(([, at]) => now - at > nodeSilentMs).map(([id]) => id);
    if (quiet.length === 0) return;
    const all = await this.#nodes.list().catch(() => null);
    if (all === null) return;
    for (const id of quiet) {
      const node = all.find((one) => one.id === id);
      if (node === undefined) this.#heard.delete(id);
      this.#tell(nodeEvent(node ?? silentNode(id, "gone")));
    }
  }

  /** At most so often for each. */
  #jobChanged(id: string): void {
    const job = this.#jobs.get(id) ?? { at: Number.NEGATIVE_INFINITY, timer: undefined };
    this.#jobs.set(id, job);
    if (job.timer !== undefined) return;
    const tell = async () => {
      job.timer = undefined;
      job.at = performance.now();
      // While the store is away readiness says so.
      const row = await this.#store.replays.get(id).catch(() => null);
      if (row === null) return;
      if (row.finishedAt !== null && job.timer === undefined) this.#jobs.delete(id);
      this.#tell(jobEvent(row));
    };
    job.timer = setTimeout(tell, Math.max(0, job.at + jobMs - performance.now()));
  }
}

export function integrationEvent({ id, enabled, ...one }: LiveIntegration): LiveEvent {
  const data = { id, enabled, status: enabled ? "enabled" : "disabled", ...one } as unknown as JsonObject;
  return { event: "integration", key: `integration ${id}`, integrationId: id, data };
}

export function depthEvent(integrationId: string, depth: number): LiveEvent {
  const data = { integration_id: integrationId, depth };
  return { event: "dead_letters", key: `dead_letters ${integrationId}`, integrationId, data };
}

export function runEvent({ startedAt, finishedAt, ...run }: LiveRun): LiveEvent {
  const times = { startedAt: new Date(startedAt), finishedAt: finishedAt === null ? null : new Date(finishedAt) };
  const data = runResource({ ...run, ...times });
  return { event: "run", key: `run ${run.id}`, integrationId: run.integrationId, data };
}

export function jobEvent(row: Parameters<typeof jobResource>[0]): LiveEvent {
  return { event: "job", key: `job ${row.id}`, integrationId: row.integrationId, data: jobResource(row) };
}

export function nodeEvent(node: NodeStatus): LiveEvent {
  return { event: "node", key: `node ${node.id}`, integrationId: null, data: node as unknown as Json as JsonObject };
}
