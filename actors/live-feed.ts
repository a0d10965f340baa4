import type { Json } from "../connectors/sdk/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { Cluster } from "../runtime/ports/cluster.ts";
import type { Live, LiveChanges, LiveDetail, LiveIntegration, LiveRun, LiveSampled } from "../runtime/ports/live.ts";
import type { NodeStatus } from "../runtime/ports/nodes.ts";
import type { RunRow, RunStore } from "../runtime/ports/store.ts";
import { LiveView } from "./live.ts";
import type { NodeView } from "./node.ts";

export interface LiveFeedOptions {
  readonly cluster: Pick<Cluster, "publish" | "subscribe" | "ask" | "answer">;
  readonly view: NodeView;
  readonly clock: Clock;
  /** This node, as it says of itself. */
  readonly describeNode: () => Promise<NodeStatus>;
}

/** Subjects between nodes. */
const subjects = { wanted: "live.wanted", changes: "live.changes", describe: "live.describe" } as const;
const sampleMs = 1_000;
const patienceMs = 1_000;
/** Whoever listens says so again in a third of it. */
const leaseMs = 15_000;
const nodeMs = 5_000;
/** Of one message between nodes, which the server takes up to 1 MiB of. */
const most = 200;
/** Of what is asked for with its samples. */
const mostAsked = 50;

interface Asked {
  readonly ids: readonly string[];
  readonly graph: boolean;
}

/**
 * How the integrations of this node do, looked at once a second. It is told to the other nodes only while somebody there
 * listens, and only where it has changed.
 */
export class LiveFeed implements Live {
  readonly #options: LiveFeedOptions;
  readonly #views = new Map<string, LiveView>();
  readonly #listeners = new Set<(changes: LiveChanges) => void>();
  readonly #ends: (() => void)[] = [];
  #wantedUntil = 0;
  /** What was told last, by id. */
  #told = new Map<string, string>();
  #runs = new Map<string, string>();
  #ended: LiveRun[] = [];
  #nodeToldAt = Number.NEGATIVE_INFINITY;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  start(): void {
    const { cluster } = this.#options;
    const timer = setInterval(() => this.#sample(), sampleMs);
    const lease = setInterval(() => this.#ask(), leaseMs / 3);
    this.#ends.push(
      () => clearInterval(timer),
      () => clearInterval(lease),
      cluster.subscribe(subjects.wanted, () => {
        this.#wantedUntil = this.#options.clock.now() + leaseMs;
      }),
      cluster.subscribe(subjects.changes, (message) => {
        for (const listener of this.#listeners) listener(message as unknown as LiveChanges);
      }),
      cluster.answer(subjects.describe, async (asked) => this.#own(asked as unknown as Asked) as unknown as Json),
    );
  }

  stop(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#listeners.clear();
  }

  describe(ids: readonly string[]): Promise<ReadonlyMap<string, LiveSampled>> {
    return this.#find({ ids, graph: false });
  }

  async detail(id: string): Promise<LiveDetail | null> {
    const found = await this.#find({ ids: [id], graph: true });
    return (found.get(id) as LiveDetail | undefined) ?? null;
  }

  async #find({ ids, graph }: Asked): Promise<ReadonlyMap<string, LiveSampled>> {
    const found = new Map<string, LiveSampled>();
    const add = (some: readonly LiveSampled[]) => {
      // Of two that both think they own it for a moment, the one that carries a run out.
      for (const one of some) if (!found.get(one.id)?.live.run_id) found.set(one.id, one);
    };
    add(this.#own({ ids, graph }));
    const others = ids.filter((id) => !found.has(id));
    const asked = chunks(others, mostAsked).map((part) =>
      this.#options.cluster.ask(subjects.describe, { ids: part, graph }, patienceMs),
    );
    for (const answers of await Promise.all(asked)) {
      for (const answer of answers) if (answer !== undefined) add(answer as unknown as LiveSampled[]);
    }
    return found;
  }

  listen(listener: (changes: LiveChanges) => void): () => void {
    this.#listeners.add(listener);
    this.#ask();
    return () => void this.#listeners.delete(listener);
  }

  /** A run has ended, on whatever way. */
  ended(run: RunRow): void {
    this.#runs.delete(run.id);
    if (this.#isWanted) this.#ended.push(liveRun(run));
  }

  /** The same store, whose runs are told of here when they end. */
  telling(runs: RunStore): RunStore {
    return {
      ...runs,
      finish: async (id, end) => {
        const isEnded = await runs.finish(id, end);
        if (isEnded && this.#isWanted) {
          const row = await runs.get(id).catch(() => null);
          if (row) this.ended(row);
        }
        return isEnded;
      },
    };
  }

  get #isWanted(): boolean {
    return this.#options.clock.now() < this.#wantedUntil;
  }

  #ask(): void {
    if (this.#listeners.size > 0) this.#options.cluster.publish(subjects.wanted, null);
  }

  #own({ ids, graph }: Asked): LiveSampled[] {
    const { view, clock } = this.#options;
    return ids.flatMap((id) => {
      const live = view.owned.has(id) ? this.#views.get(id) : undefined;
      const health = view.health.get(id);
      return (graph ? live?.detail(health, clock.now()) : live?.sampled(health, clock.now())) ?? [];
    });
  }

  #sample(): void {
    const { view } = this.#options;
    for (const [id, vitals] of view.vitals) {
      let live = this.#views.get(id);
      if (!live?.isOf(vitals)) {
        live = new LiveView(id, vitals);
        this.#views.set(id, live);
      }
      live.sample();
    }
    for (const id of this.#views.keys()) if (!view.vitals.has(id)) this.#views.delete(id);
    const removed = view.removed.splice(0);
    if (this.#isWanted) this.#tell(removed);
    else this.#forget();
  }

  #forget(): void {
    this.#told = new Map();
    this.#runs = new Map();
    this.#ended = [];
    this.#nodeToldAt = Number.NEGATIVE_INFINITY;
  }

  #tell(removed: readonly string[]): void {
    const { view, clock, describeNode } = this.#options;
    const now = clock.now();
    const integrations: LiveIntegration[] = [];
    const runs = this.#ended.splice(0);
    for (const [id, live] of this.#views) {
      const one = live.integration(view.health.get(id), now);
      if (one !== null && isNews(this.#told, id, { ...one, live: { ...one.live, at: null, freshness_seconds: null } }))
        integrations.push(one);
      const row = view.vitals.get(id)?.run?.().row;
      if (row === undefined) continue;
      const run = liveRun(row);
      if (isNews(this.#runs, run.id, run)) runs.push(run);
    }
    for (const id of this.#told.keys()) if (!this.#views.has(id)) this.#told.delete(id);
    this.#publishAll(integrations, (part) => ({ integrations: part }));
    this.#publishAll(runs, (part) => ({ runs: part }));
    this.#publishAll(removed, (part) => ({ removed: part }));
    if (now - this.#nodeToldAt < nodeMs) return;
    this.#nodeToldAt = now;
    describeNode()
      .then((node) => this.#publish({ node }))
      .catch(() => {});
  }

  /** In as many messages as it takes: a server takes them up to a size, and has its own. */
  #publishAll<T>(all: readonly T[], changes: (part: readonly T[]) => Partial<LiveChanges>): void {
    for (const part of chunks(all, most)) {
      try {
        this.#publish(changes(part));
      } catch {
        // What is too large by itself is not told: it is no reason for a node to die.
        if (part.length > 1)
          for (const half of chunks(part, Math.ceil(part.length / 2))) this.#publishAll(half, changes);
      }
    }
  }

  #publish(changes: Partial<LiveChanges>): void {
    const whole: LiveChanges = { integrations: [], runs: [], removed: [], ...changes };
    this.#options.cluster.publish(subjects.changes, whole as unknown as Json);
  }
}

/** Whether it is another than was told last, which is noted. */
function isNews(told: Map<string, string>, id: string, value: object): boolean {
  const text = JSON.stringify(value);
  if (told.get(id) === text) return false;
  told.set(id, text);
  return true;
}

function liveRun({ cancelRequestedAt: _, counts, ...run }: RunRow): LiveRun {
  const { ledger: __, ...told } = counts;
  const startedAt = run.startedAt.toISOString();
  return { ...run, counts: told, startedAt, finishedAt: run.finishedAt?.toISOString() ?? null };
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}
