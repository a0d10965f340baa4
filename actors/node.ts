import { type Actor, type Context, oneForOne, type Props, type Ref } from "../runtime/actor/index.ts";
import { assign } from "../runtime/cluster/assign.ts";
import { isEndless, resolveIntegration } from "../runtime/config/index.ts";
import type { Cluster } from "../runtime/ports/cluster.ts";
import type { Cron } from "../runtime/ports/cron.ts";
import { decodeInvocation, encodeInvoked, invokeAsked } from "../runtime/ports/invoke.ts";
import type { LogService } from "../runtime/ports/log.ts";
import type { IntegrationRow, RunRow } from "../runtime/ports/store.ts";
import { DepthAlert } from "./depth-alert.ts";
import { basisOf } from "./endless.ts";
import { FireInterval } from "./fire-interval.ts";
import { handOver, untilHandedOver } from "./hand-over.ts";
import { IntegrationHealth } from "./health.ts";
import { type Crashes, type IntegrationMessage, integrationProps, noCrashes } from "./integration.ts";
import { Invocations } from "./invocations.ts";
import type { Services } from "./run-options.ts";
import { type Schedule, SchedulerActor, type SchedulerMessage } from "./scheduler.ts";
import { UnknownLogs } from "./unknown-logs.ts";
import { untilAborted } from "./until-aborted.ts";
import { Vitals } from "./vitals.ts";

/** What this node knows of the integrations that it owns, to be read at any time. */
export interface NodeView {
  readonly health: Map<string, IntegrationHealth>;
  readonly vitals: Map<string, Vitals>;
  owned: ReadonlySet<string>;
  /** Of all integrations, whoever owns them. */
  names: ReadonlySet<string>;
  /** Ids of integrations that are no more, of whichever node, until somebody takes them out. */
  readonly removed: string[];
}

export interface NodeOptions extends Services {
  readonly cluster: Cluster;
  readonly logs: LogService;
  readonly cron: Cron;
  readonly view: NodeView;
  /** How long a run is that has no end of its own, in milliseconds; left out: an hour. */
  readonly eventRunMs?: number | undefined;
}

export type NodeMessage =
  /** Members or integrations may have changed. */
  | { readonly type: "reconcile" }
  | { readonly type: "wake"; readonly integrationId: string }
  | { readonly type: "cancel"; readonly integrationId: string; readonly runId: string }
  | { readonly type: "gone"; readonly integrationId: string; readonly error: unknown };

/** Subjects between nodes. */
export const control = { changed: "changed", wake: "wake", cancel: "cancel" } as const;

/** A message between nodes may be lost: the store is looked at this often all the same. */
const reconcileMs = 5_000;
const respawnMs = 1_000;
/** Counting dead letters walks them. */
const depthsMs = 10_000;

/** The top of a node's tree: owns its share of the integrations and the scheduler. */
export class NodeActor implements Actor<NodeMessage> {
  readonly #options: NodeOptions;
  readonly #integrations = new Map<string, Ref<IntegrationMessage>>();
  /** Of those that were this node's, until nothing of them is in hand here. */
  readonly #leaving = new Map<string, Promise<void>>();
  /** Of those that were owned since the start. */
  readonly #crashes = new Map<string, Crashes>();
  /** Of the integrations that are here: callers who wait for records, and how to take no more. */
  readonly #invocations = new Map<string, () => void>();
  readonly #known = new Set<string>();
  readonly #unknown: UnknownLogs;
  /** Whether there are logs that nobody knows, since something last vanished. */
  #looked = false;
  #scheduler: Ref<SchedulerMessage> | undefined;
  #unsubscribe: (() => void)[] = [];

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#unknown = new UnknownLogs(options);
  }

  started(ctx: Context<NodeMessage>): void {
    const { cluster, store, cron, metrics, logger } = this.#options;
    const reconcile = () => ctx.self.tell({ type: "reconcile" });
    this.#unsubscribe = [
      cluster.onChange(reconcile),
      cluster.answer(handOver, (integrationId) => this.#letGo(ctx, integrationId as string)),
      cluster.subscribe(control.changed, reconcile),
      cluster.subscribe(control.wake, (message) => ctx.self.tell({ type: "wake", integrationId: message as string })),
      cluster.subscribe(control.cancel, (message) =>
        ctx.self.tell({ type: "cancel", ...(message as unknown as CancelMessage) }),
      ),
    ];
    const fired = (integrationId: string) => cluster.publish(control.wake, integrationId);
    this.#scheduler = ctx.spawn(
      { create: () => new SchedulerActor({ store: store.schedules, cron, metrics, logger, fired }) },
      "scheduler",
    );
    ctx.run((signal) => this.#watchDepths(ctx, signal));
    ctx.run(async (signal) => {
      while (!signal.aborted) {
        reconcile();
        await ctx.clock.sleep(reconcileMs, signal).catch(() => {});
      }
    });
  }

  async #watchDepths(ctx: Context<NodeMessage>, signal: AbortSignal): Promise<void> {
    const { store, logger, view } = this.#options;
    const alert = new DepthAlert(logger);
    while (!signal.aborted) {
      // While the store is away readiness says so.
      const depths = view.vitals.size === 0 ? null : await store.deadLetters.depths().catch(() => null);
      if (depths !== null) {
        for (const [id, vitals] of view.vitals) vitals.deadLetters = depths.get(id) ?? 0;
        const watched = Array.from(view.vitals, ([id, { name, alertDepth }]) => ({ id, name, alertDepth }));
        alert.look(watched, depths);
      }
      await ctx.clock.sleep(depthsMs, signal).catch(() => {});
    }
  }

  async receive(message: NodeMessage, ctx: Context<NodeMessage>): Promise<void> {
    switch (message.type) {
      case "reconcile":
        return this.#reconcile(ctx);
      case "wake":
        if (!this.#known.has(message.integrationId)) await this.#reconcile(ctx);
        this.#integrations.get(message.integrationId)?.tell({ type: "wake" });
        return;
      case "cancel":
        this.#integrations.get(message.integrationId)?.tell({ type: "cancel", runId: message.runId });
        return;
      case "gone":
        this.#integrations.delete(message.integrationId);
        this.#takeNone(message.integrationId);
        this.#exhausted(message);
        ctx.run(async (signal) => {
          await ctx.clock.sleep(respawnMs, signal);
          ctx.self.tell({ type: "reconcile" });
        });
    }
  }

  stopped(): void {
    for (const id of [...this.#invocations.keys()]) this.#takeNone(id);
    for (const end of this.#unsubscribe) end();
  }

  /** Past its budget. Where it was a run that crashed, that run is given up; anything else is tried again. */
  #exhausted({ integrationId, error }: { readonly integrationId: string; readonly error: unknown }): void {
    const crashes = this.#crashes.get(integrationId);
    if (crashes !== undefined && crashes.error === error) crashes.exhausted = true;
  }

  async #reconcile(ctx: Context<NodeMessage>): Promise<void> {
    const { store, cluster, connectors, view } = this.#options;
    let rows: readonly IntegrationRow[];
    let runs: readonly RunRow[];
    let versions: ReadonlyMap<string, string>;
    try {
      // In this order: a run's integration was there before it.
      runs = await store.runs.running();
      rows = await store.integrations.all();
      versions = runs.length > 0 || rows.some(isRead) ? await connectors.versions() : new Map();
      const there = new Set(rows.map(({ id }) => id));
      // Of an integration that was deleted nobody else would end the runs.
      const error = { code: "NOT_FOUND" as const, message: "the integration was deleted" };
      for (const { id, integrationId, counts } of runs) {
        if (!there.has(integrationId)) await store.runs.finish(id, { status: "cancelled", error, counts });
      }
    } catch {
      return; // The store is away: what runs goes on, and the next look comes soon.
    }
    const ids = rows.map(({ id }) => id);
    const owners = assign(ids, cluster.members());
    const owned = new Set(ids.filter((id) => owners.get(id) === cluster.nodeId));
    view.owned = owned;
    for (const [id, ref] of this.#integrations) {
      if (!owned.has(id)) this.#stop(ctx, id, ref);
    }
    for (const id of this.#known) {
      if (ids.includes(id)) continue;
      this.#known.delete(id);
      view.removed.push(id);
      this.#crashes.delete(id);
      this.#looked = false;
    }
    // Where one was deleted its logs go, from whichever node sees it first. Not waited for: the server may be away.
    if (!this.#looked) {
      this.#looked = true;
      ctx.run(async (signal) => {
        const look = this.#unknown.look(async (id) => this.#leaving.get(id));
        await untilAborted(signal, look).catch(() => {
          this.#looked = false;
        });
      });
    }
    for (const id of ids) this.#known.add(id);
    view.names = new Set(rows.map(({ name }) => name));
    const added = rows.filter(({ id }) => owned.has(id) && !view.vitals.has(id));
    const freshAt = await this.#freshAt(added);
    for (const row of added) view.vitals.set(row.id, newVitals(row, freshAt));
    for (const row of rows) {
      const vitals = view.vitals.get(row.id);
      if (!owned.has(row.id) || vitals === undefined) continue;
      vitals.row = row;
      describe(vitals, row, this.#options.cron);
      if (!this.#integrations.has(row.id) && !this.#leaving.has(row.id)) this.#spawn(ctx, row, vitals);
      const health = view.health.get(row.id);
      health?.seen(row.lossesSeen);
      health?.changed(row);
    }
    const running = Map.groupBy(runs, ({ integrationId }) => integrationId);
    for (const row of rows) {
      const ref = this.#integrations.get(row.id);
      const own = running.get(row.id) ?? [];
      const goesOn = own.some(({ trigger }) => isEndless(trigger));
      if (goesOn || isRead(row)) {
        ref?.tell({ type: "event", basis: basisOf(row, versions), others: own.length > 1 });
      }
      if (own.length > 0) ref?.tell({ type: "connectors", versions });
      if (own.length > (goesOn ? 1 : 0)) ref?.tell({ type: "wake" });
    }
    // A message that says so may be lost.
    for (const { id: runId, integrationId, cancelRequestedAt } of runs) {
      if (cancelRequestedAt) this.#integrations.get(integrationId)?.tell({ type: "cancel", runId });
    }
    this.#scheduler?.tell({ type: "plan", schedules: rows.filter(({ id }) => owned.has(id)).flatMap(scheduleOf) });
  }

  /** When what is new here was last up to date, by the store: a node that starts anew goes on with its age. */
  async #freshAt(added: readonly IntegrationRow[]): Promise<ReadonlyMap<string, Date>> {
    if (added.length === 0) return new Map();
    const ids = added.map(({ id }) => id);
    return this.#options.store.runs.lastCompleted(ids).catch(() => new Map());
  }

  /** Not waited for: one whose destination is stuck holds up no other. */
  #stop(ctx: Context<NodeMessage>, id: string, ref: Ref<IntegrationMessage>): void {
    const { view } = this.#options;
    this.#integrations.delete(id);
    this.#takeNone(id);
    view.health.get(id)?.close();
    view.health.delete(id);
    view.vitals.delete(id);
    const stopped = ctx.stop(ref).then(() => {
      this.#leaving.delete(id);
      // It may be this node's again.
      if (view.owned.has(id)) ctx.self.tell({ type: "reconcile" });
    });
    this.#leaving.set(id, stopped);
  }

  /**
   * What its next owner asks: true once nothing of the integration is in hand here, false while it is this node's as
   * this node sees it. Answered while the node stops, too.
   */
  async #letGo(ctx: Context<NodeMessage>, id: string): Promise<boolean> {
    const { cluster } = this.#options;
    const ref = this.#integrations.get(id);
    if (ref !== undefined) {
      if (assign([...this.#known], cluster.members()).get(id) === cluster.nodeId) return false;
      this.#stop(ctx, id, ref);
    }
    await this.#leaving.get(id);
    return true;
  }

  /** Answers whoever asks for a record of this node's integration to be taken through. */
  #take(ctx: Context<NodeMessage>, integrationId: string, vitals: Vitals): Invocations {
    const { owners, space } = this.#options;
    const invocations = new Invocations({ integrationId, clock: ctx.clock, vitals, space });
    const stops = [
      owners.serve(integrationId, invokeAsked.invoke, async (request) =>
        encodeInvoked(await invocations.invoke(decodeInvocation(request)), owners.maxBytes),
      ),
      owners.serve(integrationId, invokeAsked.withdraw, async (request) => {
        invocations.withdraw(Buffer.from(request).toString());
        return Buffer.from("null");
      }),
    ];
    this.#invocations.set(integrationId, () => {
      for (const stop of stops) stop();
      invocations.close();
    });
    return invocations;
  }

  #takeNone(id: string): void {
    this.#invocations.get(id)?.();
    this.#invocations.delete(id);
  }

  #spawn(ctx: Context<NodeMessage>, row: IntegrationRow, vitals: Vitals): void {
    const { store, view } = this.#options;
    const { id: integrationId, name, version } = row;
    const kept = { status: row.health, reason: row.healthReason, circuits: row.circuits, losses: row.losses };
    const health =
      view.health.get(integrationId) ??
      new IntegrationHealth({ store: store.integrations, clock: ctx.clock, integrationId, name, kept, version });
    view.health.set(integrationId, health);
    const crashes = this.#crashes.get(integrationId) ?? noCrashes();
    this.#crashes.set(integrationId, crashes);
    const handedOver = (signal: AbortSignal) =>
      untilHandedOver(this.#options.cluster, integrationId, ctx.clock, signal);
    const invocations = this.#take(ctx, integrationId, vitals);
    vitals.circuitsChanged = () => {
      health.circuits(vitals.shownCircuits);
      invocations.circuitsChanged();
    };
    const own = { integrationId, vitals, health, invocations, handedOver };
    const props = integrationProps({ ...this.#options, ...own }, crashes);
    const ref = ctx.spawn(props, `integration-${integrationId}`);
    this.#integrations.set(integrationId, ref);
    ctx.watch(ref, ({ reason }) => {
      if (this.#integrations.get(integrationId) === ref)
        ctx.self.tell({ type: "gone", integrationId, error: reason.error });
    });
  }
}

interface CancelMessage {
  readonly integrationId: string;
  readonly runId: string;
}

/** What should run by itself, and never did to the end, is as old as it is. */
function newVitals({ id, name, spec, updatedAt }: IntegrationRow, freshAt: ReadonlyMap<string, Date>): Vitals {
  const { destinations, trigger } = resolveIntegration(spec);
  const since = freshAt.get(id) ?? (trigger.type === "schedule" || trigger.type === "event" ? updatedAt : undefined);
  const ids = destinations.map((destination) => destination.id);
  return new Vitals(name, ids, since?.getTime() ?? null);
}

/** What metrics and alerts want to know of an integration as it is configured now. */
function describe(vitals: Vitals, { name, spec, enabled }: IntegrationRow, cron: Cron): void {
  const { delivery, steps, trigger } = resolveIntegration(spec);
  vitals.name = name;
  vitals.alertDepth = delivery.alertDepth;
  vitals.steps = steps.map(({ id }) => id);
  if (!enabled || trigger.type === "manual" || trigger.type === "webhook") vitals.due = null;
  else if (trigger.type === "event") vitals.due = "always";
  else if (!(vitals.due instanceof FireInterval && vitals.due.isOf(trigger.cron, trigger.timezone))) {
    vitals.due = new FireInterval(cron, trigger.cron, trigger.timezone);
  }
}

/** Read all the time, while it is enabled. */
function isRead({ spec, enabled }: IntegrationRow): boolean {
  return enabled && isEndless(resolveIntegration(spec).trigger.type);
}

function scheduleOf(row: IntegrationRow): Schedule[] {
  if (!row.enabled) return [];
  const { trigger } = resolveIntegration(row.spec);
  if (trigger.type !== "schedule") return [];
  const { cron, timezone, misfire, overlap } = trigger;
  const { id, name, version, updatedAt } = row;
  return [{ integrationId: id, integrationVersion: version, name, cron, timezone, misfire, overlap, since: updatedAt }];
}

/** A crash of an integration restarts it alone; past its budget it stays down for a while, the others untouched. */
export function nodeProps(options: NodeOptions): Props<NodeMessage> {
  return {
    create: () => new NodeActor(options),
    supervision: oneForOne({
      exhausted: "stop",
      backoff: { initialMs: 200, maxMs: 10_000, multiplier: 2, jitter: 0.2 },
    }),
  };
}
