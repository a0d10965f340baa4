import { randomUUIDv7 } from "node:crypto";
import type { Actor, Context } from "../runtime/actor/index.ts";
import type { Cron } from "../runtime/ports/cron.ts";
import type { Logger } from "../runtime/ports/logger.ts";
import type { ScheduleStore } from "../runtime/ports/store.ts";
import type { Metrics } from "../runtime/ports/telemetry.ts";
import { persist } from "./persist.ts";

/** When an integration runs by itself. */
export interface Schedule {
  readonly integrationId: string;
  readonly integrationVersion: number;
  readonly name: string;
  readonly cron: string;
  readonly timezone: string;
  readonly misfire: "once" | "skip";
  readonly overlap: "skip" | "queue" | "run";
  /** Fires before it are not missed: the integration was made or changed then. */
  readonly since: Date;
}

export type SchedulerMessage =
  /** The schedules of all integrations that this node owns now. */
  { readonly type: "plan"; readonly schedules: readonly Schedule[] } | { readonly type: "due" };

export interface SchedulerOptions {
  readonly store: ScheduleStore;
  readonly cron: Cron;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** A run was opened. */
  readonly fired: (integrationId: string) => void;
}

interface Planned {
  readonly schedule: Schedule;
  next: Date | null;
}

/** A restart, a takeover or a change takes seconds: what fell due within them is not missed. */
const onTimeMs = 10_000;
/** No timer is longer: a machine that slept, or whose clock was set, notices soon. */
const longestWaitMs = 30_000;
const minute = 60_000;
/** How far back a missed fire is looked for, in growing steps: few instants are walked whatever the expression. */
const lookBackMs = [minute, 60 * minute, 24 * 60 * minute, 31 * 24 * 60 * minute, 366 * 24 * 60 * minute];

/**
 * Fires the schedules of this node's integrations. A fire is the row (integration, instant): whichever node claims it
 * first opens the run, so that none fires twice and none from an old version.
 */
export class SchedulerActor implements Actor<SchedulerMessage> {
  readonly #options: SchedulerOptions;
  readonly #planned = new Map<string, Planned>();
  #cancelTimer: (() => void) | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  async receive(message: SchedulerMessage, ctx: Context<SchedulerMessage>): Promise<void> {
    if (message.type === "plan") await this.#plan(message.schedules, ctx);
    else await this.#fireDue(ctx);
    this.#arm(ctx);
  }

  stopped(): void {
    this.#cancelTimer?.();
  }

  async #plan(schedules: readonly Schedule[], ctx: Context<SchedulerMessage>): Promise<void> {
    const known = new Set(schedules.map(({ integrationId }) => integrationId));
    for (const id of this.#planned.keys()) if (!known.has(id)) this.#planned.delete(id);
    const changed = schedules.filter(
      (schedule) => !isSame(this.#planned.get(schedule.integrationId)?.schedule, schedule),
    );
    if (changed.length === 0) return;
    const { store, cron } = this.#options;
    const lastFires = await persist(ctx.clock, ctx.signal, () => store.lastFires());
    const now = new Date(ctx.clock.now());
    for (const schedule of changed) {
      const { integrationId, since } = schedule;
      const last = lastFires.get(integrationId);
      const missed = latestMissed(cron, schedule, last && last > since ? last : since, now);
      const next =
        missed && !this.#skips(schedule, missed, now) ? missed : cron.next(schedule.cron, schedule.timezone, now);
      this.#planned.set(integrationId, { schedule, next });
    }
  }

  /** Whether a fire that was due at `instant` is left out, since it is too late for it. */
  #skips({ name, misfire }: Schedule, instant: Date, now: Date): boolean {
    if (misfire !== "skip" || now.getTime() - instant.getTime() <= onTimeMs) return false;
    this.#options.metrics.scheduleMissed(name, 1);
    this.#options.logger.warn({ integration: name, due: instant }, "schedule missed");
    return true;
  }

  async #fireDue(ctx: Context<SchedulerMessage>): Promise<void> {
    const { store, cron, logger, fired } = this.#options;
    for (const planned of this.#planned.values()) {
      const { schedule, next } = planned;
      if (!next || next.getTime() > ctx.clock.now()) continue;
      let instant = next;
      // At each try anew: the store may have been away for hours, or this process suspended.
      const fire = await persist(ctx.clock, ctx.signal, async () => {
        const now = new Date(ctx.clock.now());
        // What is missed is caught up by its last instant alone: no later plan finds one behind that.
        instant = latestMissed(cron, schedule, instant, now) ?? instant;
        if (this.#skips(schedule, instant, now)) return null;
        const { integrationId, integrationVersion, overlap } = schedule;
        return store.fire({ integrationId, integrationVersion, instant, overlap, runId: randomUUIDv7() });
      });
      if (fire) logger.info({ integration: schedule.name, due: instant, run: fire.run?.id ?? null }, "schedule fired");
      if (fire?.run) fired(schedule.integrationId);
      planned.next = cron.next(schedule.cron, schedule.timezone, instant);
    }
  }

  #arm(ctx: Context<SchedulerMessage>): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const times = Array.from(this.#planned.values(), ({ next }) => next?.getTime() ?? Number.POSITIVE_INFINITY);
    const soonest = Math.min(...times);
    if (soonest === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.min(longestWaitMs, Math.max(0, soonest - ctx.clock.now()));
    this.#cancelTimer = ctx.clock.after(waitMs, () => ctx.self.tell({ type: "due" }));
  }
}

/** The latest instant in (after, now] at which the schedule should have fired. */
export function latestMissed(
  cron: Cron,
  { cron: expression, timezone }: Pick<Schedule, "cron" | "timezone">,
  after: Date,
  now: Date,
): Date | null {
  const start = (backMs: number) => new Date(Math.max(after.getTime(), now.getTime() - backMs));
  for (const backMs of lookBackMs) {
    let latest: Date | null = null;
    let next = cron.next(expression, timezone, start(backMs));
    while (next && next <= now) {
      latest = next;
      next = cron.next(expression, timezone, next);
    }
    if (latest || now.getTime() - backMs <= after.getTime()) return latest;
  }
  return null;
}

function isSame(a: Schedule | undefined, b: Schedule): boolean {
  return a !== undefined && a.integrationVersion === b.integrationVersion && a.since.getTime() === b.since.getTime();
}
