import { randomUUIDv7 } from "node:crypto";
import type { JsonObject } from "../connectors/sdk/index.ts";
import { type Actor, type Context, oneForOne, type Props } from "../runtime/actor/index.ts";
import { isEndless, type ResolvedIntegration, resolveIntegration } from "../runtime/config/index.ts";
import { failureOf, runError } from "../runtime/delivery/index.ts";
import { messageOf } from "../runtime/errors/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import { type LogService, StaleOwnerError } from "../runtime/ports/log.ts";
import {
  type LogEnds,
  type RunError,
  type RunRow,
  refusal,
  type Settlement,
  UnwritableError,
} from "../runtime/ports/store.ts";
import { sinkName } from "./balance.ts";
import { type Basis, EndlessRuns, eventRunMs } from "./endless.ts";
import type { HealthReport } from "./health.ts";
import { withHooks } from "./hooks.ts";
import { sourceSubject } from "./intake.ts";
import type { Invocations } from "./invocations.ts";
import { RunLedger } from "./ledger.ts";
import { destinationsLeft } from "./left-behind.ts";
import { tellLosses } from "./loss.ts";
import { persist } from "./persist.ts";
import { closeLogs, look, type RecoveryOptions, recover } from "./recovery.ts";
import { type RunMessage, runProps } from "./run.ts";
import { endReplay } from "./run-end.ts";
import type { Services } from "./run-options.ts";
import { Suspects } from "./suspects.ts";
import { trim } from "./trim.ts";
import { untilAborted } from "./until-aborted.ts";
import type { Vitals } from "./vitals.ts";

export interface IntegrationOptions extends Services {
  readonly integrationId: string;
  readonly logs: LogService;
  readonly vitals: Vitals;
  readonly health: HealthReport;
  readonly invocations: Invocations;
  /** Resolves when no other node has anything of the integration in hand. */
  readonly handedOver: (signal: AbortSignal) => Promise<void>;
  /** How long a run is that has no end of its own, in milliseconds. */
  readonly eventRunMs?: number | undefined;
}

interface Owned {
  readonly epoch: number;
  readonly ends: LogEnds;
}

export type IntegrationMessage =
  /** A run may have been opened. */
  | { readonly type: "wake" }
  | { readonly type: "finished"; readonly run: RunRow }
  | { readonly type: "lost"; readonly run: RunRow; readonly error: unknown }
  | { readonly type: "cancel"; readonly runId: string }
  /** Somebody waits for a record, and no run takes it. */
  | { readonly type: "invoked" }
  /** By what it is read all the time, or null. `others`: a run waits for the one under way. */
  | { readonly type: "event"; readonly basis: Basis | null; readonly others: boolean }
  /** What connectors are made of at the moment. */
  | { readonly type: "connectors"; readonly versions: ReadonlyMap<string, string> };

/** A run that crashes so often without getting on is failed: what crashes it would crash it for ever. */
const crashesMax = 5;
/** Until an integration that is idle is looked at, and once more, at most. */
const lookMs = 5_000;
/** How often the logs are looked at, and cut back to their history. */
const trimMs = 30_000;

interface CurrentRun {
  readonly row: RunRow;
  /** Its sources have no end. */
  readonly endless: boolean;
  readonly stop: () => Promise<unknown>;
  readonly tell: (message: RunMessage) => void;
  /** Whether what it reads and asks by is made of something else by now. */
  readonly outdated: (versions: ReadonlyMap<string, string>, clock: Clock) => boolean;
}

/** Of the run that crashed last; outlives the actor. */
export interface Crashes {
  runId: string;
  /** Of its steps that were settled when it crashed last. */
  batches: number;
  /** Since it got on last. */
  times: number;
  /** The supervisor restarts it no more, although it got on in between. */
  exhausted: boolean;
  error: unknown;
  suspects: Suspects;
}

export function noCrashes(): Crashes {
  return { runId: "", batches: 0, times: 0, exhausted: false, error: undefined, suspects: new Suspects() };
}

/**
 * An integration on the node that owns it (invariant 5): takes its logs over and carries out its runs, one at a time,
 * the oldest first; runs that another node left behind are among them.
 */
export class IntegrationActor implements Actor<IntegrationMessage> {
  readonly #options: IntegrationOptions;
  readonly #crashes: Crashes;
  /** What was found when the logs were opened. */
  #opened: Awaited<ReturnType<typeof recover>> | undefined;
  readonly #events = new EndlessRuns();
  #looked = false;
  /** Until the logs are trimmed after the latest run's end. */
  #untrimmed = false;
  #run: CurrentRun | undefined;

  constructor(options: IntegrationOptions, crashes: Crashes) {
    this.#options = options;
    this.#crashes = crashes;
  }

  started(ctx: Context<IntegrationMessage>): void {
    ctx.self.tell({ type: "wake" });
    this.#options.invocations.onWanted(() => ctx.self.tell({ type: "invoked" }));
    ctx.run(async (signal) => {
      for (;;) {
        await ctx.clock.sleep(trimMs, signal);
        await untilAborted(signal, this.#trim());
      }
    });
  }

  async receive(message: IntegrationMessage, ctx: Context<IntegrationMessage>): Promise<void> {
    switch (message.type) {
      case "wake":
        if (!this.#run) await this.#next(ctx);
        else if (this.#run.endless) await this.#makeWay(this.#run, ctx);
        return;
      case "invoked":
        if (!this.#run) await this.#next(ctx);
        return;
      case "event": {
        const outdated = this.#events.change(message.basis, this.#run?.row.integrationVersion);
        if (this.#run?.endless && (outdated || message.others)) this.#run.tell({ type: "cut" });
        if (!this.#run && this.#events.pauseMs(ctx.clock) === 0) await this.#next(ctx);
        return;
      }
      case "finished": {
        const finished = this.#run;
        // Told by a run before a restart of this actor.
        if (finished?.row !== message.run) return;
        this.#run = undefined;
        await finished.stop();
        await this.#next(ctx);
        return;
      }
      case "lost":
        // The actor begins anew: it takes the logs over again if the integration is still this node's.
        if (this.#run?.row !== message.run) return;
        // The same would be refused again.
        if (message.error instanceof UnwritableError) {
          Object.assign(this.#crashes, { exhausted: true, error: message.error });
        } else if (!(message.error instanceof StaleOwnerError)) {
          this.#crashes.times++;
          this.#crashes.error = message.error;
        }
        throw message.error;
      case "cancel":
        if (this.#run?.row.id === message.runId) this.#run.tell({ type: "cancel" });
        else await this.#cancelQueued(message.runId, ctx);
        return;
      case "connectors":
        if (this.#run?.outdated(message.versions, ctx.clock)) await this.#anew(this.#run, ctx);
    }
  }

  /** What is in hand is finished, and the run goes on with its connectors as they are now: a password was rotated. */
  async #anew(run: CurrentRun, ctx: Context<IntegrationMessage>): Promise<void> {
    const { logger, vitals } = this.#options;
    logger.info(
      { integration: vitals.name, run: run.row.id },
      "a connector changed: its run goes on with it as it is now",
    );
    this.#run = undefined;
    await run.stop();
    await this.#next(ctx);
  }

  /** One that nobody carries out: it waits for its turn, or for the logs. */
  async #cancelQueued(id: string, ctx: Context<IntegrationMessage>): Promise<void> {
    const { store, health, metrics, vitals } = this.#options;
    const ask = <T>(question: () => Promise<T>) => persist(ctx.clock, ctx.signal, question);
    const run = await ask(() => store.runs.get(id));
    if (run?.status !== "running") return;
    if (run.jobId) {
      await endReplay({ options: { run, store }, clock: ctx.clock }, run.jobId, undefined, "cancelled", ctx.signal);
    }
    await ask(() => store.runs.finish(id, { status: "cancelled", error: null, counts: run.counts }));
    metrics.runEnded(vitals.name, "cancelled");
    if (!this.#run) health.ended(null);
  }

  async stopped(ctx: Context<IntegrationMessage>): Promise<void> {
    await this.#events.kept.close(ctx.clock);
    if (this.#opened) await closeLogs(this.#opened.logs);
  }

  async #trim(): Promise<void> {
    const ended = this.#run === undefined;
    if (!this.#opened) return;
    const { ingest, deliver } = this.#opened.logs;
    const lost = ingest.lost ?? deliver.lost;
    // Whoever begins anew says what is missing.
    if (lost) throw lost;
    if (!this.#untrimmed) return;
    try {
      await trim(this.#opened.logs);
      if (ended && this.#run === undefined) this.#untrimmed = false;
    } catch {
      // The server is away, as readiness says: the next time will do.
    }
  }

  async #next(ctx: Context<IntegrationMessage>): Promise<void> {
    const { store, integrationId, health } = this.#options;
    const rows = await persist(ctx.clock, ctx.signal, async () => {
      const running = await store.runs.running(integrationId);
      if (running.length > 0) return running;
      const queued = await store.schedules.fireQueued(integrationId, randomUUIDv7());
      const opened = queued ?? (await this.#openEndless(ctx.clock)) ?? (await this.#openInvoked());
      return opened ? [opened] : [];
    });
    if (rows.length === 0) {
      const { reason } = this.#events;
      const pauseMs = this.#events.pauseMs(ctx.clock);
      if (reason === null || pauseMs === undefined) health.idle();
      else this.#wakeIn(pauseMs, reason, ctx);
      this.#look(ctx);
      return;
    }
    try {
      if (!(await this.#start(ctx, rows))) ctx.self.tell({ type: "wake" });
    } catch (error) {
      health.waiting(messageOf(error));
      throw error;
    }
  }

  async #openEndless(clock: Clock): Promise<RunRow | null> {
    const { basis } = this.#events;
    const { store, integrationId } = this.#options;
    if (basis === null || this.#events.pauseMs(clock) !== 0) return null;
    const { integrationVersion, trigger } = basis;
    return store.runs.openEvent({ integrationId, integrationVersion, trigger, runId: randomUUIDv7() });
  }

  /** For what is invoked while no other run is under way. */
  async #openInvoked(): Promise<RunRow | null> {
    const { store, integrationId, invocations } = this.#options;
    if (invocations.waiting === 0) return null;
    const { newest: integrationVersion } = invocations;
    return store.runs.create({
      id: randomUUIDv7(),
      integrationId,
      integrationVersion,
      trigger: "invoke",
      onlyIfIdle: true,
    });
  }

  /** Until the next run is opened. */
  #wakeIn(pauseMs: number, reason: string, ctx: Context<IntegrationMessage>): void {
    this.#options.health.waiting(reason);
    ctx.run(async (signal) => {
      await ctx.clock.sleep(pauseMs, signal);
      ctx.self.tell({ type: "wake" });
    });
  }

  /** What has no end lets another run pass. */
  async #makeWay({ row, tell }: Pick<CurrentRun, "row" | "tell">, ctx: Context<IntegrationMessage>): Promise<void> {
    const { store, integrationId } = this.#options;
    if (row.trigger === "invoke" && this.#events.pauseMs(ctx.clock) === 0) return tell({ type: "cut" });
    const rows = await persist(ctx.clock, ctx.signal, () => store.runs.running(integrationId));
    if (rows.length > 1) tell({ type: "cut" });
  }

  #ended({ jobId, trigger }: Pick<RunRow, "jobId" | "trigger">, error: RunError | null, clock: Clock): void {
    const isOther = Boolean(jobId) || trigger === "invoke";
    const goesOn = this.#events.basis !== null && !isOther && this.#events.ended(error, clock);
    this.#options.health.ended(goesOn ? null : error);
  }

  /** Whether anything was lost while nobody was there. What runs finds out by itself. */
  #look(ctx: Context<IntegrationMessage>): void {
    if (this.#looked || this.#opened) return;
    this.#looked = true;
    ctx.run(async (signal) => {
      const pause = () => ctx.clock.sleep(ctx.clock.random() * lookMs, signal);
      // Not all of a node's at once.
      await pause();
      await persist(ctx.clock, signal, () => untilAborted(signal, look({ ...this.#recovery, signal }, pause)));
    });
  }

  get #recovery(): Omit<RecoveryOptions, "signal"> {
    const { logs: service, vitals, ...others } = this.#options;
    return { ...others, service, name: vitals.name };
  }

  /** False where the run that is next cannot be carried out: its row says why. */
  async #start(ctx: Context<IntegrationMessage>, rows: readonly RunRow[]): Promise<boolean> {
    const {
      store,
      integrationId,
      health,
      invocations,
      logs: { status },
      ...services
    } = this.#options;
    const ask = <T>(question: () => Promise<T>) => persist(ctx.clock, ctx.signal, question);
    const { logs, epoch, ends, identity, losses } = await this.#takeOver(ctx.signal);
    health.owned(epoch);
    const last = await untilAborted(ctx.signal, logs.ingest.last(sourceSubject));
    // What is in the log is of the run that has begun: it goes before the others.
    const begun = rows.find(({ id }) => id === last?.runId);
    // With all that it read still in the log, a run goes on from whatever the store remembers of it.
    const broken = losses
      .flatMap(({ kind, message, runs }) => rows.map((row) => ({ row, message, hit: runs.has(row.id), kind })))
      .find(({ row, hit, kind }) => hit && (kind !== "store_older" || row !== begun));
    const { id, ...row } = broken?.row ?? begun ?? (rows[0] as RunRow);
    const fail = async (error: RunError, { counts }: Pick<RunRow, "counts">) => {
      const { jobId } = row;
      if (jobId) await ask(() => store.replays.fail(jobId, error));
      await ask(() => store.runs.finish(id, { status: "failed", error, counts }));
      this.#options.metrics.runEnded(this.#options.vitals.name, "failed");
      invocations.runEnded(id, error);
      this.#ended(row, error, ctx.clock);
      return false;
    };
    const integration = await ask(() => store.integrations.version(integrationId, row.integrationVersion));
    if (!integration) {
      return fail({ code: "NOT_FOUND", message: `version ${row.integrationVersion} of the integration is gone` }, row);
    }
    // Invariant 5: an earlier owner commits nothing from here on, so that what is read now is the last word.
    const nothing = { integrationId, epoch, ends, run: null, checkpoints: [], deadLetters: [], groups: [] };
    const fence = losses.length === 0 ? { ...nothing, logs: identity } : nothing;
    const commit = async (settlement: Settlement) => {
      const refused = refusal(await ask(() => store.checkpoints.commit([settlement])), integrationId);
      if (refused) throw refused;
    };
    await commit(fence);
    const run = await ask(() => store.runs.get(id));
    if (run?.status !== "running") return false;
    if (broken) await fail({ code: "INTERNAL_ERROR", message: broken.message }, run);
    if (losses.length > 0) {
      // Last of all: a crash before finds the losses again.
      const mended = { ...nothing, logs: identity, checkpoints: losses.flatMap(({ checkpoints }) => checkpoints) };
      await commit(mended);
      this.#opened = { logs, identity, losses: [] };
    }
    if (broken) return false;
    const checkpoints = await ask(() => store.checkpoints.load(integrationId));
    const account = new RunLedger(run, epoch, checkpoints);
    const steps = account.consumer("steps");
    if (steps.progress.batches > 0 && last?.runId !== id) {
      return fail(
        { code: "INTERNAL_ERROR", message: "the log with what this run had read was lost; run it again" },
        run,
      );
    }
    const { batches } = steps.progress;
    const crashes = this.#crashes;
    if (crashes.runId !== id) Object.assign(crashes, noCrashes(), { runId: id });
    if (crashes.batches !== batches) Object.assign(crashes, { batches, times: 0 });
    if (crashes.times >= crashesMax || crashes.exhausted) {
      const { code, message, ...rest } = runError(failureOf(crashes.error));
      const why = crashes.error instanceof UnwritableError ? "" : "given up, since it crashes again and again: ";
      return fail({ code, message: `${why}${message}`, ...rest }, run);
    }
    const resolved = withHooks(resolveIntegration(integration.spec as JsonObject));
    this.#untrimmed = true;
    const left = await untilAborted(ctx.signal, destinationsLeft(logs.deliver));
    const endless = isEndless(run.trigger) || run.trigger === "invoke";
    if (isEndless(run.trigger)) await this.#events.begun(ctx.clock);
    // Before they are opened: what changes from here on is seen.
    const madeOf = await ask(() => services.connectors.versions());
    const ref = ctx.spawn(
      runProps({
        ...services,
        connectors: services.connectors.of(integration.owner),
        ...logs,
        invocations,
        suspects: crashes.suspects,
        left,
        logged: isLogged(resolved.destinations, left, account),
        epoch,
        store,
        run,
        name: integration.name,
        integration: resolved,
        checkpoints,
        logStatus: status,
        waiting: (reason) => {
          health.waiting(reason);
          invocations.held(reason);
        },
        imbalanced: (reason) => health.imbalanced(reason),
        lost: (lost) => tellLosses([lost], this.#recovery),
        endless: endless ? { runMs: this.#options.eventRunMs ?? eventRunMs, kept: this.#events.kept } : undefined,
        finished: (error) => {
          invocations.runEnded(run.id, error);
          this.#ended(run, error, ctx.clock);
          ctx.self.tell({ type: "finished", run });
        },
        stale: (error) => ctx.self.tell({ type: "lost", run, error }),
      }),
    );
    this.#run = {
      row: run,
      endless,
      tell: (message) => ref.tell(message),
      stop: () => ctx.stop(ref),
      outdated: changes(resolved, madeOf, this.#options.vitals),
    };
    ctx.watch(ref, ({ reason }) => {
      if (reason.kind !== "stop") ctx.self.tell({ type: "lost", run, error: reason.error });
    });
    health.begun();
    invocations.held(null);
    return true;
  }

  /** Anew for each run: an append of the one before that was given up can no longer land. */
  async #takeOver(signal: AbortSignal): Promise<Awaited<ReturnType<typeof recover>> & Owned> {
    if (this.#opened === undefined) {
      await this.#options.handedOver(signal);
      const opening = recover({ ...this.#recovery, signal });
      try {
        this.#opened = await untilAborted(signal, opening);
      } catch (error) {
        // What is opened after all is nobody's.
        opening.then(({ logs }) => closeLogs(logs)).catch(() => {});
        throw error;
      }
    }
    const { ingest, deliver } = this.#opened.logs;
    const looked = this.#options.logs.spareClaims(this.#options.integrationId);
    const forgetSpare = await untilAborted(signal, looked).catch(() => async () => {});
    const epoch = await untilAborted(signal, ingest.own());
    const ends = { ingest: epoch, deliver: await untilAborted(signal, deliver.own()) };
    // The next time will do.
    await untilAborted(signal, forgetSpare()).catch(() => {});
    return { ...this.#opened, epoch, ends };
  }
}

/** A destination is opened anew by itself, and tried at once; for a source or a look-up the run has to. */
function changes(
  { sources, steps, destinations }: ResolvedIntegration,
  first: ReadonlyMap<string, string>,
  vitals: Vitals,
): CurrentRun["outdated"] {
  const readers = [...sources, ...steps.filter((step) => step.type === "enrich")];
  let before = first;
  return (versions, clock) => {
    for (const { id, connector } of destinations) {
      if (versions.get(connector) !== before.get(connector)) vitals.tryNow(id, clock.now());
    }
    before = versions;
    return readers.some(({ connector }) => versions.get(connector) !== first.get(connector));
  };
}

/** The same in each life of a run: what it has passed on to the log waits there, or is settled in its account. */
function isLogged(
  destinations: readonly { readonly id: string }[],
  left: readonly string[],
  account: RunLedger,
): boolean {
  const [{ id }, second] = destinations as [{ id: string }, ...{ id: string }[]];
  return second !== undefined || left.includes(id) || account.consumer(sinkName(id)).progress.sequences !== null;
}

export function integrationProps(options: IntegrationOptions, crashes = noCrashes()): Props<IntegrationMessage> {
  return {
    create: () => new IntegrationActor(options, crashes),
    // A run that crashes is begun again from what the store and the logs say, not from its own memory.
    supervision: oneForOne({ decide: () => "stop" }),
  };
}
