import {
  type Actor,
  type Context,
  oneForOne,
  type Props,
  type Ref,
  type SupervisorStrategy,
} from "../runtime/actor/index.ts";
import type { ResolvedSource } from "../runtime/config/index.ts";
import { failureOf, isStated, runError } from "../runtime/delivery/index.ts";
import { SluiceError } from "../runtime/errors/index.ts";
import { StopError } from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { Imbalance } from "../runtime/ports/ledger.ts";
import { type BatchHeader, type Log, type LogMessage, StaleOwnerError } from "../runtime/ports/log.ts";
import type { LogFields, Logger } from "../runtime/ports/logger.ts";
import type { RunError, RunStatus } from "../runtime/ports/store.ts";
import { type Tracing, withAttributes } from "../runtime/ports/telemetry.ts";
import { Backlog } from "./backlog.ts";
import { BalanceWatch, sentenceOf, sinkName } from "./balance.ts";
import type { Connectors } from "./connectors.ts";
import { openHooks } from "./hooks.ts";
import { Intake, sourceSubject } from "./intake.ts";
import { InvokeIntake, type InvokeIntakeOptions } from "./invoke-intake.ts";
import { RunLedger } from "./ledger.ts";
import { own } from "./ledger-counts.ts";
import { LedgerMeter } from "./ledger-meter.ts";
import { LeftBehindActor } from "./left-behind.ts";
import { LogConsumerActor, type Processor } from "./log-consumer.ts";
import { openSink } from "./open-sink.ts";
import { openSteps } from "./open-steps.ts";
import { persist } from "./persist.ts";
import { openReplay, replaySource } from "./replay-source.ts";
import { endReplay, failedRecords, saveCursors } from "./run-end.ts";
import type { RunOptions, RunParts } from "./run-options.ts";
import { SeriesKeeper } from "./run-series.ts";
import { SourceActor } from "./source.ts";
import { tickSubject } from "./ticker.ts";
import { untilAborted } from "./until-aborted.ts";
import type { RunView } from "./vitals.ts";

export type RunMessage =
  | { readonly type: "ready" | "done"; readonly consumer: string }
  | { readonly type: "cancel" }
  /** A run without an end is to end: the next one goes on from there. */
  | { readonly type: "cut" };

/** The part of a run that sees to what waits for destinations that are gone. */
const leftBehind = "left-behind";
/** What is sent cannot be left where it is, as what is read can: so much of it may wait in the log. */
const sentBytes = 256 * 1024 * 1024;
const commitGraceMs = 2000;
const logLookMs = 500;
/** How often a run that is to end looks whether it can. */
const cutLookMs = 1_000;

/**
 * One run of an integration: its source, its steps and, where there are several destinations, a sink for each. It ends
 * when every record in it is settled, and its row says how.
 */
export class RunActor implements Actor<RunMessage> {
  /**
   * Crashes are restarted; what a restart cannot mend ends the run. What writes to a log cannot be restarted alone, since
   * appends that were under way may still land: the run begins again, as a new owner.
   */
  static readonly supervision: SupervisorStrategy = oneForOne({
    decide: (error, path) => (isFinal(error) ? "stop" : /\/(source(-\d+)?|steps)$/.test(path) ? "escalate" : "restart"),
    exhausted: "stop",
  });

  readonly #options: RunOptions;
  readonly #ledger: RunLedger;
  readonly #balanceWatch: BalanceWatch;
  readonly #meter: LedgerMeter;
  readonly #backlogs = new Map<string, Backlog>();
  readonly #waiting = new Map<string, string>();
  readonly #opening: Set<string>;
  readonly #pending: Set<string>;
  readonly #tracing: Tracing;
  readonly #cut = new AbortController();
  #appended = 0;
  #intake: Intake | undefined;
  #series: SeriesKeeper | undefined;
  #ending = false;
  /** It has ended, or was stopped. */
  #over = false;
  /** Takes no more of what is invoked. */
  #detach: () => void = () => {};

  constructor(options: RunOptions) {
    this.#options = options;
    const { run, name, logger, vitals } = options;
    this.#tracing = withAttributes(options.tracing, { "sluice.integration": name, "sluice.run": run.id });
    const telemetry = { integration: name, tracing: this.#tracing, logger };
    const { integration, logged, ingest, deliver } = options;
    const ends = () => ({ ingest: ingest.confirmed, deliver: deliver.confirmed });
    this.#ledger = new RunLedger(run, options.epoch, options.checkpoints, { telemetry, ends });
    this.#balanceWatch = new BalanceWatch(this.#ledger, { ...integration, replay: Boolean(run.jobId), logged });
    this.#meter = new LedgerMeter(name, options.metrics, run.counts.ledger);
    const destinations = options.integration.destinations.map(({ id }) => id);
    vitals.plan(destinations, logged);
    const sinks = logged ? destinations.map(sinkName) : [];
    // Who sends does not wait until the destinations are there.
    this.#opening = new Set(options.run.trigger === "webhook" ? [] : ["steps", ...sinks]);
    this.#pending = new Set(["steps", ...sinks, ...(run.jobId ? [] : [leftBehind])]);
  }

  started(ctx: Context<RunMessage>): void {
    const { run, settler, stale, integration, ingest, deliver, logged, store } = this.#options;
    settler.add(this.#ledger, stale);
    ctx.signal.addEventListener("abort", () => this.#release());
    this.#options.vitals.begun(() => this.#view);
    // Invariant 8: held against itself at each checkpoint.
    this.#ledger.onCommitted(({ deadLetters, replayed = [] }) => {
      this.#options.vitals.moreDeadLetters(deadLetters.length - replayed.length);
      this.#ledger.series = this.#series?.add(ctx.clock.now(), this.#ledger.counts) ?? this.#ledger.series;
      this.#report(this.#balanceWatch.look());
      if (this.#ledger.counts.ledger) this.#meter.tell(this.#ledger.counts.ledger);
    });
    // Told before a crash: the alert stays.
    if (this.#balanceWatch.imbalances.length > 0) this.#raise(this.#balanceWatch.imbalances);
    // What an earlier life waited for.
    if (run.waiting !== null) this.#ledger.touch();
    this.#say("info", this.#ledger.consumer("steps").progress.batches > 0 ? "run goes on" : "run started", {
      trigger: run.trigger,
      version: run.integrationVersion,
      ...(run.correlation?.requestId !== undefined && { request_id: run.correlation.requestId }),
    });
    ctx.run(async (signal) => {
      const kept = await persist(ctx.clock, signal, () => store.runs.series(run.id));
      this.#series = new SeriesKeeper(run.startedAt.getTime(), kept);
    });
    ctx.run((signal) => this.#watchLog(ctx, signal));
    ctx.run((signal) => this.#cutInTime(ctx, signal));
    const [first] = integration.destinations;
    this.#spawn(ctx, "steps", {
      log: ingest,
      subjects: [sourceSubject, tickSubject],
      destination: logged ? undefined : first?.id,
      appended: () => this.#appended,
      open: (signal) => openSteps(this.#parts(ctx), signal),
    });
    if (logged) {
      for (const destination of integration.destinations) {
        this.#spawn(ctx, sinkName(destination.id), {
          log: deliver,
          subjects: [destination.id],
          destination: destination.id,
          appended: () => own(this.#ledger.consumer("steps").progress.sent, destination.id) ?? 0,
          open: (signal) => openSink(this.#parts(ctx), destination, signal),
        });
      }
    }
    this.#giveUpLeftBehind(ctx);
    if (this.#opening.size === 0) this.#startSources(ctx);
  }

  get #view(): RunView {
    const { run, integration, logged } = this.#options;
    const { counts, waiting } = this.#ledger;
    const read = this.#intake?.read ?? new Map<string, number>();
    return { ledger: counts.ledger, read, row: { ...run, counts, waiting }, integration, logged };
  }

  #giveUpLeftBehind(ctx: Context<RunMessage>): void {
    if (!this.#pending.has(leftBehind)) return;
    const done = () => ctx.self.tell({ type: "done", consumer: leftBehind });
    const create = () => new LeftBehindActor({ parts: this.#parts(ctx), left: this.#options.left, done });
    this.#watch(ctx, ctx.spawn({ create }, leftBehind));
  }

  async receive(message: RunMessage, ctx: Context<RunMessage>): Promise<void> {
    if (this.#ending) return;
    switch (message.type) {
      case "ready":
        // Nothing is read before every destination is known to take it.
        if (this.#opening.delete(message.consumer) && this.#opening.size === 0) this.#startSources(ctx);
        break;
      case "done":
        if (this.#pending.delete(message.consumer) && this.#pending.size === 0) this.#finish(ctx, undefined);
        break;
      case "cut":
        this.#cut.abort(new Error("the run is to end"));
        break;
      case "cancel":
        this.#finish(ctx, undefined, "cancelled");
    }
  }

  async stopped(ctx: Context<RunMessage>): Promise<void> {
    this.#over = true;
    this.#detach();
    // What was settled is committed while the store answers: it is not delivered again.
    const grace = new AbortController();
    const cancel = ctx.clock.after(commitGraceMs, () => grace.abort());
    await untilAborted(grace.signal, this.#ledger.flushed()).catch(() => {});
    cancel();
    this.#options.settler.remove(this.#ledger);
    this.#options.vitals.idle();
  }

  #parts({ clock }: Context<RunMessage>): RunParts {
    return {
      options: this.#options,
      ledger: this.#ledger,
      tracing: this.#tracing,
      clock,
      backlogOf: (consumer) => this.#backlogs.get(consumer) as Backlog,
      waiting: (part, reason) => this.#setWaiting(part, reason),
      say: (level, message, fields) => this.#say(level, message, fields),
      balance: (end) => this.#balance(end),
    };
  }

  #spawn(
    ctx: Context<RunMessage>,
    consumer: string,
    { log, subjects, destination, appended, open }: ConsumerOptions,
  ): void {
    const { share } = this.#options;
    const vitals = this.#options.vitals.consumer(destination);
    vitals.lag = () => appended() - this.#ledger.consumer(consumer).progress.records;
    const backlog = new Backlog(
      ctx.clock,
      share,
      this.#options.run.trigger === "webhook" && consumer === "steps" ? sentBytes : undefined,
    );
    this.#backlogs.set(consumer, backlog);
    vitals.backlog = backlog;
    const create = () =>
      new LogConsumerActor({
        name: consumer,
        log,
        subjects,
        ledger: this.#ledger,
        vitals,
        open: async (signal) => {
          const processor = await open(signal);
          ctx.self.tell({ type: "ready", consumer });
          return processor;
        },
        taken: ({ bytes }: LogMessage) => backlog.give(bytes),
        gone: (message) => {
          const next = "They are dead letters without a payload: read them again from the source.";
          this.#options.lost({ kind: "batch_lost", message: `${message}. ${next}` });
        },
        done: () => ctx.self.tell({ type: "done", consumer }),
      });
    this.#watch(ctx, ctx.spawn({ create }, consumer));
    if (this.#ledger.consumer(consumer).progress.done) ctx.self.tell({ type: "ready", consumer });
  }

  #watch(ctx: Context<RunMessage>, child: Ref<never>): void {
    ctx.watch(child, ({ reason }) => {
      if (reason.kind === "failure" || reason.kind === "timeout") this.#finish(ctx, reason.error);
    });
  }

  #startSources(ctx: Context<RunMessage>): void {
    const { run, integration, ingest, deliver, logged, connectors, space, store, endless, owners } = this.#options;
    const backlog = this.#backlogs.get("steps");
    if (!backlog) return;
    const savedCursor = (source: string) =>
      persist(ctx.clock, ctx.signal, () => store.checkpoints.loadCursor(run.integrationId, source));
    ctx.run(async (signal) => {
      const job = run.jobId ? await persist(ctx.clock, signal, () => store.replays.get(run.jobId as string)) : null;
      // A replay carries the cursors of the sources on, so that the log's last message has them still.
      const replayed = replaySource(run);
      const sources = job ? [...integration.sources, replayed] : integration.sources;
      const intake = await untilAborted(signal, Intake.open({ run, sources, log: ingest, savedCursor }));
      this.#intake = intake;
      this.#options.vitals.begun(() => this.#view);
      if (intake.ended) {
        this.#appended = intake.totals.records;
        return;
      }
      if (job) for (const source of integration.sources) intake.end(source, undefined);
      const logs = { ingest, deliver };
      const { trigger } = integration;
      const hooked = { integrationId: run.integrationId, owners, log: ingest, clock: ctx.clock };
      const read: Pick<Connectors, "source" | "plugin"> = job
        ? {
            source: async (_, options) =>
              openReplay({ store, run, job, integration, logs, logged, clock: ctx.clock }, options),
          }
        : trigger.type === "webhook"
          ? { source: (_, options) => openHooks({ ...hooked, toleranceMs: trigger.auth.toleranceMs }, options) }
          : connectors;
      const isInvoked = run.trigger === "invoke";
      const [first, ...others] = integration.sources;
      if (isInvoked) for (const source of others) intake.end(source, undefined);
      const reading = job ? [replayed] : isInvoked ? [] : integration.sources;
      for (const [index, source] of reading.entries()) {
        const name = reading.length === 1 ? "source" : `source-${index}`;
        const create = () =>
          new SourceActor({
            run,
            source,
            log: ingest,
            backlog,
            connectors: read,
            retry: integration.delivery.retry,
            timeoutMs: integration.delivery.timeout.totalMs,
            tracing: this.#tracing,
            space,
            appended: (records) => {
              this.#appended = Math.max(this.#appended, records);
            },
            intake,
            waiting: (reason) => this.#setWaiting(name, reason),
            quiet: (now) => this.#quiet(now),
            endless: endless && { cut: this.#cut, kept: endless.kept },
          });
        this.#watch(ctx, ctx.spawn({ create }, name));
      }
      if (first)
        this.#takeInvoked({ source: job ? replayed : first, stream: first.stream, intake, backlog }, ctx, signal);
      if (first && isInvoked) await this.#endAtCut(intake, first, ctx.clock, signal);
    });
  }

  /** What is invoked while the run is under way is part of it. */
  #takeInvoked(
    own: Pick<InvokeIntakeOptions, "source" | "stream" | "intake" | "backlog">,
    { clock, self }: Context<RunMessage>,
    signal: AbortSignal,
  ): void {
    const { run, ingest: log, invocations } = this.#options;
    const tracing = this.#tracing;
    const appended = (records: number) => {
      this.#appended = Math.max(this.#appended, records);
    };
    const outdated = run.trigger === "invoke" ? () => self.tell({ type: "cut" }) : undefined;
    const intake = new InvokeIntake({ ...own, run, log, invocations, tracing, clock, signal, appended, outdated });
    this.#detach = invocations.attach(intake);
  }

  /** A run that takes nothing but what is invoked ends when it is told to. */
  async #endAtCut(intake: Intake, source: ResolvedSource, clock: Clock, signal: AbortSignal): Promise<void> {
    const { run, ingest } = this.#options;
    await new Promise<void>((resolve) => {
      const until = AbortSignal.any([signal, this.#cut.signal]);
      if (until.aborted) resolve();
      else until.addEventListener("abort", () => resolve(), { once: true });
    });
    signal.throwIfAborted();
    intake.end(source, undefined);
    const header = intake.header("end", source, clock.now());
    await ingest.append(sourceSubject, { header, body: new Uint8Array() }, { id: `${run.id}:end` }, signal);
  }

  /**
   * Appends and acks wait by themselves while the server that has the logs is away or its disk is full. One that lost what
   * it had confirmed is waited for no more: what is missing never comes.
   */
  async #watchLog(ctx: Context<RunMessage>, signal: AbortSignal): Promise<void> {
    const { logStatus, ingest, deliver } = this.#options;
    while (!signal.aborted) {
      const lost = ingest.lost ?? deliver.lost;
      if (lost) throw lost;
      const { connected, reason } = logStatus;
      this.#setWaiting("log", reason ?? (connected ? null : "nats-server is away"));
      await ctx.clock.sleep(logLookMs, signal).catch(() => {});
    }
  }

  /**
   * A run without an end ends at the full hour; while records wait for a later try, or for a destination, as soon as none
   * does: nothing is read before all that it has read is settled.
   */
  async #cutInTime(ctx: Context<RunMessage>, signal: AbortSignal): Promise<void> {
    const { endless, run } = this.#options;
    if (!endless) return;
    const endsAt = (Math.floor(run.startedAt.getTime() / endless.runMs) + 1) * endless.runMs;
    await ctx.clock.sleep(Math.max(0, endsAt - ctx.clock.now()), signal);
    while (this.#isHeldUp) await ctx.clock.sleep(cutLookMs, signal);
    ctx.self.tell({ type: "cut" });
  }

  get #isHeldUp(): boolean {
    const destinations = Object.values(this.#ledger.counts.ledger?.destinations ?? {});
    return this.#waiting.size > 0 || destinations.some(({ deferred }) => deferred > 0);
  }

  /** A source without an end says that there is nothing new: once all is settled, the destinations are up to date. */
  #quiet(now: number): void {
    const { vitals, endless } = this.#options;
    if (endless && vitals.lag === 0) vitals.upToDate(now);
  }

  #setWaiting(part: string, reason: string | null): void {
    // What is left behind has no say in how the integration does.
    if (this.#over) return;
    if (reason === null) this.#waiting.delete(part);
    else this.#waiting.set(part, `${part}: ${reason}`);
    const shown = this.#waiting.size === 0 ? null : Array.from(this.#waiting.values()).join("; ");
    if (shown === this.#ledger.waiting) return;
    this.#ledger.setWaiting(shown);
    this.#options.waiting(shown);
    if (shown === null) this.#say("info", "integration goes on", {});
    else this.#say("warn", "integration waits", { reason: shown });
  }

  #say(level: keyof Logger, message: string, fields: LogFields): void {
    this.#options.logger[level]({ integration: this.#options.name, run: this.#options.run.id, ...fields }, message);
  }

  /** Invariant 8: the node says so when the ledger does not balance. */
  #report(found: readonly Imbalance[]): void {
    if (found.length === 0) return;
    for (const { at, ...imbalance } of found)
      this.#say("error", "the ledger does not balance", { ...at, ...imbalance });
    this.#raise(found);
  }

  #raise([first]: readonly Imbalance[]): void {
    const { vitals, imbalanced } = this.#options;
    vitals.imbalances = this.#balanceWatch.imbalances;
    if (first) imbalanced(sentenceOf(first));
  }

  /** Invariant 8: what the source counted is what was settled here. */
  #balance({ header }: LogMessage): void {
    const read = header.totals.records;
    const settled = this.#ledger.consumer("steps").progress.records;
    if (read === settled) return;
    this.#report(this.#balanceWatch.lookAtEnd(read, []));
    throw new SluiceError(
      "INTERNAL_ERROR",
      `the ledger does not balance: ${read} records were read, ${settled} settled`,
    );
  }

  /** Before the run is closed: its row has the ledger. */
  #balanceAtEnd({ totals }: BatchHeader): void {
    const { vitals, imbalanced, integration } = this.#options;
    this.#report(this.#balanceWatch.lookAtEnd(totals.records, integration.destinations));
    vitals.imbalances = this.#balanceWatch.imbalances;
    if (vitals.imbalances.length === 0) imbalanced(null);
  }

  #ended(now: number, status: RunStatus, error: RunError | null): void {
    const { run, vitals, metrics, name } = this.#options;
    const { in: records_in, out, filtered, failed } = this.#ledger.counts;
    if (status === "success" || status === "partial") vitals.upToDate(now);
    metrics.runEnded(name, status);
    this.#say(status === "failed" ? "error" : status === "partial" ? "warn" : "info", "run ended", {
      status,
      seconds: (now - run.startedAt.getTime()) / 1000,
      records_in,
      records_out: out,
      records_filtered: filtered,
      records_failed: failed,
      // What says no more than INTERNAL_ERROR may quote a record: it is with the run.
      ...(error && { code: error.code, ...(error.code !== "INTERNAL_ERROR" && { reason: error.message }) }),
    });
  }

  /** Nobody waits for room any more: see Backlog. */
  #release(): void {
    for (const backlog of this.#backlogs.values()) backlog.release();
  }

  #finish(ctx: Context<RunMessage>, error: unknown, as?: RunStatus): void {
    if (this.#ending) return;
    this.#ending = true;
    const { run, store, ingest, stale, finished } = this.#options;
    if (error instanceof StaleOwnerError) {
      stale(error);
      return;
    }
    ctx.run(async (signal) => {
      const last = await untilAborted(signal, ingest.last(sourceSubject));
      const failure =
        error !== undefined ? runError(failureOf(error)) : last?.runId === run.id ? last.error : undefined;
      const stopped = ctx.children.map((child) => ctx.stop(child));
      // Sources stop first, which have nothing in hand.
      this.#release();
      await Promise.all(stopped);
      // Not by a stale owner: the run goes on elsewhere then.
      this.#ledger.touch();
      await untilAborted(signal, this.#ledger.flushed());
      const { counts } = this.#ledger;
      if (counts.failed > 0) counts.failed = await persist(ctx.clock, signal, () => failedRecords(this.#options));
      const status = as ?? (failure ? "failed" : counts.failed > 0 ? "partial" : "success");
      if (error === undefined && as === undefined) await saveCursors(this.#parts(ctx), last, signal);
      if (run.jobId) await endReplay(this.#parts(ctx), run.jobId, failure, as, signal);
      if (error === undefined && as === undefined && last?.runId === run.id) this.#balanceAtEnd(last);
      await persist(ctx.clock, signal, () => store.runs.finish(run.id, { status, error: failure ?? null, counts }));
      this.#ended(ctx.clock.now(), status, failure ?? null);
      this.#over = true;
      finished(status === "failed" ? (failure ?? null) : null);
    });
  }
}

interface ConsumerOptions {
  readonly log: Log;
  readonly subjects: readonly string[];
  /** Undefined: the steps, where several destinations follow them. */
  readonly destination: string | undefined;
  /** Records of the run that were appended for this consumer. */
  readonly appended: () => number;
  readonly open: (signal: AbortSignal) => Promise<Processor>;
}

export function runProps(options: RunOptions): Props<RunMessage> {
  return { create: () => new RunActor(options), supervision: RunActor.supervision };
}

/** What a restart would meet again. */
function isFinal(error: unknown): boolean {
  return isStated(error) || error instanceof StopError || error instanceof StaleOwnerError;
}
