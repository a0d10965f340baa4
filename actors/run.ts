import { randomUUIDv7 } from "node:crypto";
import type { Json } from "../connectors/sdk/index.ts";
import {
  type Actor,
  type Context,
  oneForOne,
  type Props,
  type Ref,
  type SupervisorStrategy,
} from "../runtime/actor/index.ts";
import type { ResolvedDestination, ResolvedIntegration, ResolvedSource } from "../runtime/config/index.ts";
import { failureOf, isStated, RateLimit, runError } from "../runtime/delivery/index.ts";
import { SluiceError } from "../runtime/errors/index.ts";
import { isPure, isRepeatable, type OpenLookUps, openLookUps, Pipeline, StopError } from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { Validator } from "../runtime/ports/connectors.ts";
import type { Imbalance } from "../runtime/ports/ledger.ts";
import { type BatchHeader, type Log, type LogMessage, type LogService, StaleOwnerError } from "../runtime/ports/log.ts";
import type { LogFields, Logger } from "../runtime/ports/logger.ts";
import type { Sandbox } from "../runtime/ports/sandbox.ts";
import type { Space } from "../runtime/ports/space.ts";
import type { Checkpoint, RunError, RunRow, RunStatus, Store } from "../runtime/ports/store.ts";
import { type Metrics, type Tracing, withAttributes } from "../runtime/ports/telemetry.ts";
import type { WorkerPool } from "../runtime/ports/workers.ts";
import { Backlog, type FairShare } from "./backlog.ts";
import { BalanceWatch, sentenceOf, sinkName } from "./balance.ts";
import type { Suspects } from "./careful.ts";
import type { Connectors } from "./connectors.ts";
import { DestinationWriter } from "./destination-writer.ts";
import { inOrder } from "./in-order.ts";
import { Intake, positionIn, sourceSubject } from "./intake.ts";
import { type Outcome, RunLedger } from "./ledger.ts";
import { LedgerMeter } from "./ledger-meter.ts";
import { LogConsumerActor, type Processor } from "./log-consumer.ts";
import { Offload } from "./offload.ts";
import { directOutlet, logOutlet } from "./outlets.ts";
import { persist } from "./persist.ts";
import { openReplay, replaySource } from "./replay-source.ts";
import { giveUpOrphans, Retries } from "./retries.ts";
import type { Settler } from "./settler.ts";
import { processSink } from "./sink.ts";
import { SourceActor } from "./source.ts";
import { sourceName } from "./source-name.ts";
import { hasMerge, inSourceOrder } from "./source-order.ts";
import { processSteps } from "./steps.ts";
import { StreamGate } from "./stream-gate.ts";
import { Ticker, tickSubject } from "./ticker.ts";
import { untilAborted } from "./until-aborted.ts";
import type { Vitals } from "./vitals.ts";

/** What a node lends to its actors. */
export interface Services {
  readonly validator: Validator;
  readonly sandbox: Sandbox;
  readonly store: Store;
  readonly connectors: Connectors;
  readonly settler: Settler;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly logger: Logger;
  readonly space: Space;
  readonly share: FairShare;
  /** Undefined: steps run on the main thread alone. */
  readonly workers?: WorkerPool | undefined;
}

export interface RunOptions extends Services {
  readonly run: RunRow;
  /** The integration's name. */
  readonly name: string;
  readonly integration: ResolvedIntegration;
  readonly ingest: Log;
  readonly deliver: Log;
  readonly epoch: number;
  readonly suspects: Suspects;
  /** Of the server that has the logs. */
  readonly logStatus: LogService["status"];
  readonly checkpoints: readonly Checkpoint[];
  readonly vitals: Vitals;
  /** Why nothing moves, or null once it does again. */
  readonly waiting: (reason: string | null) => void;
  /** What the ledger says that does not balance, or null: the run has ended, and it does. */
  readonly imbalanced: (reason: string | null) => void;
  /** `error`: it failed. */
  readonly finished: (error: RunError | null) => void;
  /** The integration has a later owner: nothing more may be done here. */
  readonly stale: (error: unknown) => void;
}

export type RunMessage = { readonly type: "ready" | "done"; readonly consumer: string } | { readonly type: "cancel" };

const openAttempts = 3;
const commitGraceMs = 2000;
const logLookMs = 500;
const nothing: Outcome = { count: () => {}, deadLetters: [], accounted: 0 };

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
  #appended = 0;
  #ending = false;

  constructor(options: RunOptions) {
    this.#options = options;
    const { run, name, logger, vitals } = options;
    this.#tracing = withAttributes(options.tracing, { "sluice.integration": name, "sluice.run": run.id });
    const telemetry = { integration: name, tracing: this.#tracing, logger };
    this.#ledger = new RunLedger(run, options.epoch, options.checkpoints, telemetry);
    this.#balanceWatch = new BalanceWatch(this.#ledger, { ...options.integration, replay: Boolean(run.jobId) });
    this.#meter = new LedgerMeter(name, options.metrics, run.counts.ledger);
    const destinations = options.integration.destinations.map(({ id }) => id);
    vitals.plan(destinations);
    const sinks = destinations.length > 1 ? destinations.map(sinkName) : [];
    this.#opening = new Set(["steps", ...sinks]);
    this.#pending = new Set(this.#opening);
  }

  started(ctx: Context<RunMessage>): void {
    const { run, settler, stale, integration, ingest, deliver } = this.#options;
    settler.add(this.#ledger, stale);
    // Invariant 8: held against itself at each checkpoint.
    this.#ledger.onCommitted(() => {
      this.#report(this.#balanceWatch.look());
      if (this.#ledger.counts.ledger) this.#meter.tell(this.#ledger.counts.ledger);
    });
    // Told before a crash: the alert stays.
    if (this.#balanceWatch.imbalances.length > 0) this.#raise(this.#balanceWatch.imbalances);
    this.#say("info", this.#ledger.consumer("steps").progress.batches > 0 ? "run goes on" : "run started", {
      trigger: run.trigger,
      version: run.integrationVersion,
    });
    ctx.run((signal) => this.#watchLog(ctx, signal));
    const [first, second] = integration.destinations;
    this.#spawn(ctx, "steps", {
      log: ingest,
      subjects: [sourceSubject, tickSubject],
      destination: second ? undefined : first?.id,
      appended: () => this.#appended,
      open: (signal) => this.#openSteps(ctx, signal),
    });
    if (integration.destinations.length > 1) {
      for (const destination of integration.destinations) {
        this.#spawn(ctx, sinkName(destination.id), {
          log: deliver,
          subjects: [destination.id],
          destination: destination.id,
          appended: () => this.#ledger.consumer("steps").progress.sent[destination.id] ?? 0,
          open: (signal) => this.#openSink(ctx, destination, signal),
        });
      }
    }
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
      case "cancel":
        this.#finish(ctx, undefined, "cancelled");
    }
  }

  async stopped(ctx: Context<RunMessage>): Promise<void> {
    // What was settled is committed while the store answers: it is not delivered again.
    const grace = new AbortController();
    const cancel = ctx.clock.after(commitGraceMs, () => grace.abort());
    await untilAborted(grace.signal, this.#ledger.flushed()).catch(() => {});
    cancel();
    this.#options.settler.remove(this.#ledger);
    this.#options.vitals.idle();
  }

  #spawn(
    ctx: Context<RunMessage>,
    consumer: string,
    { log, subjects, destination, appended, open }: ConsumerOptions,
  ): void {
    const { share } = this.#options;
    const vitals = this.#options.vitals.consumer(destination);
    vitals.lag = () => appended() - this.#ledger.consumer(consumer).progress.records;
    const backlog = new Backlog(ctx.clock, share);
    this.#backlogs.set(consumer, backlog);
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
    const { run, integration, ingest, deliver, connectors, space, store } = this.#options;
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
      if (intake.ended) {
        this.#appended = intake.totals.records;
        return;
      }
      if (job) for (const source of integration.sources) intake.end(source, undefined);
      const logs = { ingest, deliver };
      const read: Pick<Connectors, "source"> = job
        ? {
            source: async (_, options) => openReplay({ store, run, job, integration, logs, clock: ctx.clock }, options),
          }
        : connectors;
      const reading = job ? [replayed] : integration.sources;
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
          });
        this.#watch(ctx, ctx.spawn({ create }, name));
      }
    });
  }

  async #openSteps(ctx: Context<RunMessage>, signal: AbortSignal): Promise<Processor> {
    const { run, name, integration, ingest, deliver, metrics, store, logger } = this.#options;
    const { destinations } = integration;
    const { clock } = ctx;
    const gates = await this.#openGates(ctx, signal);
    const lookUps = await this.#openLookUps(ctx, signal);
    const compile = () => new Pipeline(integration, { ...this.#options, clock, lookUps: lookUps.byStep });
    const pipeline = compile();
    await this.#restoreWindows(ctx, pipeline, signal);
    const only = destinations.length === 1 ? destinations[0] : undefined;
    const sink = only && (await this.#openDestination(ctx, "steps", only, signal));
    const writer = sink?.writer;
    if (!run.jobId) {
      const all = destinations.map(({ id }) => id);
      const ids = { integrationId: run.integrationId, runId: run.id };
      await giveUpOrphans(all, { ...ids, ledger: this.#ledger, store: store.retries, clock, signal });
    }
    const backlog = (destination: string) => this.#backlogs.get(sinkName(destination)) as Backlog;
    const keepsOrder = integration.delivery.ordering !== "none";
    const straight =
      writer && only
        ? directOutlet(only.id, writer)
        : logOutlet({
            log: deliver,
            backlogOf: backlog,
            tracing: this.#tracing,
            signal,
            ordered: keepsOrder,
            repeatable: isRepeatable(integration),
          });
    const outlet = keepsOrder && hasMerge(integration) ? inSourceOrder(straight) : straight;
    const { steps } = integration;
    const workers = isPure(integration)
      ? this.#options.workers?.open(JSON.stringify({ steps, destinations }))
      : undefined;
    const options = {
      run,
      integration: name,
      gate: (header: BatchHeader) => gates.get(gatedSource(header)),
      pipeline,
      offload: workers && new Offload(pipeline, workers),
      outlet,
      care: { suspects: this.#options.suspects, store: store.suspects, trial: compile },
      metrics,
      tracing: this.#tracing,
      logger,
      clock,
      signal,
    };
    const ordered = keepsOrder || pipeline.ordered;
    const process = ordered
      ? inOrder((message, turn) => processSteps(message, options, turn))
      : (message: LogMessage) => processSteps(message, options);
    const { sources } = integration;
    const windowed = sources.find(({ mode }) => mode !== "full") ?? (sources[0] as ResolvedSource);
    const ticker = new Ticker(run, sourceName(windowed), ingest, clock, signal);
    ticker.due(pipeline.nextDue);
    return {
      ...sink?.later,
      ordered,
      process: async (message) => {
        const outcome = await process(message);
        if (message.header.kind === "tick") ticker.passed();
        ticker.due(pipeline.nextDue);
        return outcome;
      },
      flush: () => writer?.flush(),
      end: async (message) => {
        this.#balance(message);
        sink?.ending();
        const outcome = await process(message);
        if (!message.header.error) await writer?.complete();
        if (!writer) {
          for (const { id } of destinations) {
            // The last part of what the windows gave.
            const part = outcome.sent?.has(id) ? { part: "end" } : {};
            const header = { ...message.header, ...part, ingestSequence: message.sequence };
            await deliver.append(id, { header, body: new Uint8Array() }, { id: `${run.id}:end:${id}` }, signal);
          }
        }
        return outcome;
      },
      close: async () => {
        ticker.close();
        workers?.close();
        await Promise.all([writer?.close(), lookUps.close()]);
      },
    };
  }

  /** By what a header says of its source. */
  async #openGates(ctx: Context<RunMessage>, signal: AbortSignal): Promise<ReadonlyMap<string, StreamGate>> {
    const { run, name, integration, store, metrics, logger } = this.#options;
    const { clock } = ctx;
    const { contract } = integration;
    const gates = integration.sources.map(async (source) => {
      const options = { run, name, source, contract, schemas: store.schemas, metrics, logger, clock, signal };
      return [sourceName(source), await StreamGate.open(options)] as const;
    });
    return new Map(await Promise.all(gates));
  }

  /** Windows that were open when the run was interrupted, or an earlier one given up. */
  async #restoreWindows(ctx: Context<RunMessage>, pipeline: Pipeline, signal: AbortSignal): Promise<void> {
    const { run, store, integration } = this.#options;
    const groups = await persist(ctx.clock, signal, () => store.checkpoints.loadGroups(run.integrationId));
    if (groups.length === 0) return;
    const begun = this.#ledger.consumer("steps").progress.batches > 0;
    if (!begun && integration.sources.every(({ mode }) => mode === "full")) {
      // What they hold is read again.
      this.#ledger.change(groups.map((group) => ({ ...group, state: null })));
      return;
    }
    const lost = pipeline.restore(groups);
    for (const { step, key } of lost)
      this.#say("warn", "a window of a step that has changed stays closed", { step, key });
  }

  /** Opens what the `enrich` steps ask. What is wrong with a setting fails the run; a far side that is away is waited for. */
  #openLookUps(ctx: Context<RunMessage>, signal: AbortSignal): Promise<OpenLookUps> {
    const { name, integration, connectors, metrics } = this.#options;
    return openLookUps(integration, {
      lookups: connectors.lookups,
      retry: integration.delivery.retry,
      timeoutMs: integration.delivery.timeout.totalMs,
      clock: ctx.clock,
      signal,
      waiting: (step, reason) => this.#setWaiting(`step ${step}`, reason),
      called: (step, connectorType, outcome) => metrics.request(name, { step }, connectorType, outcome),
    });
  }

  async #openSink(ctx: Context<RunMessage>, destination: ResolvedDestination, signal: AbortSignal): Promise<Processor> {
    const { run, name, integration, ingest, metrics } = this.#options;
    const { writer, later } = await this.#openDestination(ctx, sinkName(destination.id), destination, signal);
    const { clock } = ctx;
    const options = { run, integration: name, destination: destination.id, writer, ingest, metrics, clock };
    const ordered = integration.delivery.ordering !== "none";
    const process = (message: LogMessage) => processSink(message, options);
    // Written in the order of the calls: no batch has to wait for its turn.
    const inTurn = inOrder((message) => process(message));
    return {
      ...later,
      ordered,
      process: ordered ? inTurn : process,
      flush: () => writer.flush(),
      end: async ({ header }) => {
        if (!header.error) await writer.complete();
        return nothing;
      },
      close: () => writer.close(),
    };
  }

  /** A destination, and what it puts off until later. A replay tells what came of each letter when its batch is settled. */
  async #openDestination(
    ctx: Context<RunMessage>,
    consumer: string,
    destination: ResolvedDestination,
    signal: AbortSignal,
  ): Promise<OpenDestination> {
    const { name, run, integration, store, metrics } = this.#options;
    if (run.jobId) {
      return { writer: await this.#openWriter(ctx, consumer, destination, undefined, signal), ending: () => {} };
    }
    const retries = await Retries.open({
      integration: name,
      integrationId: run.integrationId,
      runId: run.id,
      destination: destination.id,
      consumer,
      ledger: this.#ledger,
      store: store.retries,
      clock: ctx.clock,
      metrics,
      signal,
    });
    let ending = false;
    const putsOff = integration.delivery.ordering === "none" ? () => !ending && retries.hasRoom() : undefined;
    const writer = await this.#openWriter(ctx, consumer, destination, putsOff, signal);
    const later: Later = {
      settled: (outcome) => retries.scheduled(outcome.retries ?? []),
      beside: (stopping, through) => retries.run(writer, stopping, through),
      unfinished: () => {
        const { reason } = retries;
        this.#setWaiting(`${destination.id} (retries)`, reason);
        return reason !== null;
      },
    };
    return {
      writer,
      later,
      ending: () => {
        ending = true;
      },
    };
  }

  /** A destination that is away is waited for, save before the run has begun: then the run says so and fails. */
  async #openWriter(
    ctx: Context<RunMessage>,
    consumer: string,
    destination: ResolvedDestination,
    putsOff: (() => boolean) | undefined,
    signal: AbortSignal,
  ): Promise<DestinationWriter> {
    const { name, integration, connectors, run, epoch, stale, metrics, store } = this.#options;
    const vitals = this.#options.vitals.consumer(destination.id);
    const { state, progress } = this.#ledger.consumer(consumer);
    const waiting = (reason: string | null) => this.#setWaiting(destination.id, reason);
    for (let attempt = 1; ; attempt++) {
      try {
        const writer = await DestinationWriter.open({
          integration: name,
          integrationId: run.integrationId,
          // What earlier runs have written stays: a replay adds to it.
          destination: run.jobId && destination.mode === "replace" ? { ...destination, mode: "append" } : destination,
          delivery: integration.delivery,
          connectors,
          store: store.checkpoints,
          runId: run.id,
          epoch,
          owned: () => this.#owned(ctx.clock.now(), signal),
          state: state as Json | null,
          clock: ctx.clock,
          metrics,
          tracing: this.#tracing,
          vitals,
          signal,
          circuit: this.#options.vitals.circuit(destination.id, integration.delivery.circuitBreaker),
          limit: this.#rateLimit(destination.id, ctx.clock),
          putsOff,
          waiting,
          stale,
          warn: (warning) => this.#say("warn", warning, { destination: destination.id }),
          openTooLong: (ms, reason) =>
            this.#say("warn", "a circuit stays open", { destination: destination.id, seconds: ms / 1000, reason }),
        });
        vitals.waiting = false;
        waiting(null);
        return writer;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof StaleOwnerError) throw error;
        const { fault, code, message } = failureOf(error);
        const away = fault === "transient" || code === "UNAVAILABLE" || code === "TIMEOUT";
        const begun = progress.batches > 0;
        if (!away || (!begun && attempt >= openAttempts)) throw error;
        vitals.waiting = true;
        waiting(message);
        await ctx.clock.sleep(Math.min(30_000, 500 * 2 ** Math.min(attempt, 10)), signal);
      }
    }
  }

  /**
   * Invariant 5: a process that stood still asks whether it is the owner yet before it writes on. Where the ledger is
   * closed, who closed it ends this run, too.
   */
  #owned(now: number, signal: AbortSignal): Promise<void> | undefined {
    const asked = this.#ledger.owned(this.#options.settler.wokeAt(now));
    return (
      asked &&
      untilAborted(
        signal,
        asked.catch(() => new Promise<never>(() => {})),
      )
    );
  }

  /** Undefined where there is none. */
  #rateLimit(destination: string, clock: Clock): RateLimit | undefined {
    const { run, integration, store } = this.#options;
    const limits = integration.delivery.rateLimit;
    if (Object.values(limits).every((limit) => limit === null)) return undefined;
    const key = { integrationId: run.integrationId, destination };
    return new RateLimit({ limits, key, quotas: store.quotas, clock });
  }

  /** Appends and acks wait by themselves while the server that has the logs is away or its disk is full. */
  async #watchLog(ctx: Context<RunMessage>, signal: AbortSignal): Promise<void> {
    const { logStatus } = this.#options;
    while (!signal.aborted) {
      const { connected, reason } = logStatus;
      this.#setWaiting("log", reason ?? (connected ? null : "nats-server is away"));
      await ctx.clock.sleep(logLookMs, signal).catch(() => {});
    }
  }

  #setWaiting(part: string, reason: string | null): void {
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
    const { run, vitals } = this.#options;
    const { in: records_in, out, filtered, failed } = this.#ledger.counts;
    if (status === "success" || status === "partial") vitals.upToDate(now);
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

  #failedRecords(): Promise<number> {
    const { run, store } = this.#options;
    return run.jobId ? store.replays.failed(run.jobId, run.id) : store.runs.failedRecords(run.id);
  }

  /** Before the run itself is closed: a crash between the two finds it open, and comes here again. */
  async #endReplay(
    ctx: Context<RunMessage>,
    jobId: string,
    failure: RunError | undefined,
    as: RunStatus | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, run } = this.#options;
    await persist(ctx.clock, signal, async () => {
      if (failure) return store.replays.fail(jobId, failure);
      if (as === "cancelled") await store.replays.move(jobId, ["running", "paused"], "cancelled");
      await store.replays.next(jobId, randomUUIDv7(), run.id);
    });
  }

  /** Every destination has what is before them: should the log be lost, nothing that was not delivered is behind them. */
  async #saveCursors(ctx: Context<RunMessage>, last: BatchHeader | null, signal: AbortSignal): Promise<void> {
    const { run, integration, store } = this.#options;
    if (last?.runId !== run.id) return;
    for (const source of integration.sources) {
      const name = sourceName(source);
      const cursor = positionIn(last, name)?.cursor ?? null;
      await persist(ctx.clock, signal, () => store.checkpoints.saveCursor(run.integrationId, name, cursor));
    }
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
      await Promise.all(ctx.children.map((child) => ctx.stop(child)));
      // Not by a stale owner: the run goes on elsewhere then.
      this.#ledger.touch();
      await untilAborted(signal, this.#ledger.flushed());
      const { counts } = this.#ledger;
      // A record that failed at two destinations is one failed record.
      if (counts.failed > 0) counts.failed = await persist(ctx.clock, signal, () => this.#failedRecords());
      const status = as ?? (failure ? "failed" : counts.failed > 0 ? "partial" : "success");
      if (error === undefined && as === undefined) await this.#saveCursors(ctx, last, signal);
      if (run.jobId) await this.#endReplay(ctx, run.jobId, failure, as, signal);
      if (error === undefined && as === undefined && last?.runId === run.id) this.#balanceAtEnd(last);
      await persist(ctx.clock, signal, () => store.runs.finish(run.id, { status, error: failure ?? null, counts }));
      this.#ended(ctx.clock.now(), status, failure ?? null);
      finished(status === "failed" ? (failure ?? null) : null);
    });
  }
}

/** Whose schema contract holds a batch: none those records that were let in before. */
function gatedSource({ source, replay }: BatchHeader): string {
  if (replay === undefined) return source;
  return replay.entry.at === "head" ? (replay.source ?? "") : "";
}

/** What a consumer does about records that are tried again later. */
type Later = Pick<Processor, "settled" | "beside" | "unfinished">;

interface OpenDestination {
  readonly writer: DestinationWriter;
  readonly later?: Later;
  /** What the run's end itself gives is tried in place: nothing waits for what is put off any more. */
  ending(): void;
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
