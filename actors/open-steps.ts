import type { ResolvedSource } from "../runtime/config/index.ts";
import { Gate } from "../runtime/delivery/index.ts";
import { isPure, isRepeatable, type OpenLookUps, openLookUps, Pipeline } from "../runtime/pipeline/index.ts";
import type { BatchHeader, LogMessage } from "../runtime/ports/log.ts";
import { sinkName } from "./balance.ts";
import { inOrder } from "./in-order.ts";
import type { Processor } from "./log-consumer.ts";
import { Offload } from "./offload.ts";
import { beginLives, openDestination, openRateLimit } from "./open-destination.ts";
import { directOutlet, logOutlet } from "./outlets.ts";
import { persist } from "./persist.ts";
import type { RunParts } from "./run-options.ts";
import { sourceName } from "./source-name.ts";
import { hasMerge, inSourceOrder, undoesPieces } from "./source-order.ts";
import { processSteps } from "./steps.ts";
import { StreamGate } from "./stream-gate.ts";
import { Ticker } from "./ticker.ts";
import { untilReady } from "./until-ready.ts";

/** The steps, and the destination where there is one. */
export async function openSteps(parts: RunParts, signal: AbortSignal): Promise<Processor> {
  const gates = await openGates(parts, signal);
  const lookUps = await openRunLookUps(parts, signal);
  try {
    return await openWith(lookUps, gates, parts, signal);
  } catch (error) {
    // Nobody else would.
    await lookUps.close().catch(() => {});
    throw error;
  }
}

async function openWith(
  lookUps: OpenLookUps,
  gates: ReadonlyMap<string, StreamGate>,
  parts: RunParts,
  signal: AbortSignal,
): Promise<Processor> {
  const { options: given, tracing, clock } = parts;
  const { run, name, integration, ingest, deliver, metrics, logger } = given;
  const { destinations } = integration;
  const compile = () => new Pipeline(integration, { ...given, clock, lookUps: lookUps.byStep });
  const pipeline = compile();
  await restoreWindows(parts, pipeline, signal);
  const only = given.logged ? undefined : destinations[0];
  const keepsOrder = integration.delivery.ordering !== "none";
  const inPieces = only !== undefined && undoesPieces(integration);
  const ordered = keepsOrder || pipeline.ordered || inPieces;
  const lives = ordered ? await beginLives(parts, "steps", signal) : undefined;
  const sink = only && (await openDestination(parts, "steps", only, { lives, inPieces }, signal));
  const writer = sink?.writer;
  const sameSteps = isRepeatable(integration);
  const backlog = (destination: string) => parts.backlogOf(sinkName(destination));
  const straight =
    writer && only
      ? directOutlet(only.id, writer)
      : logOutlet({
          log: deliver,
          backlogOf: backlog,
          tracing,
          signal,
          ordered: keepsOrder,
          // What a run of an earlier version had in hand may have gone to some destinations already, by other steps.
          repeatable: ({ integrationVersion }) => sameSteps && integrationVersion === run.integrationVersion,
        });
  const outlet = keepsOrder && hasMerge(integration) ? inSourceOrder(straight) : straight;
  const { steps } = integration;
  const workers = isPure(integration) ? given.workers?.open(JSON.stringify({ steps, destinations })) : undefined;
  const options = {
    run,
    integration: name,
    gate: (header: BatchHeader) => gates.get(gatedSource(header)),
    pipeline,
    offload: workers && new Offload(pipeline, workers),
    outlet,
    invocations: given.invocations,
    care: { suspects: given.suspects, lives, store: given.store.suspects, trial: compile },
    taps: given.taps,
    metrics,
    tracing,
    logger,
    clock,
    signal,
  };
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
    settled: (outcome) => {
      lives?.settled();
      sink?.later?.settled?.(outcome);
    },
    process: async (message) => {
      const outcome = await process(message);
      if (message.header.kind === "tick") ticker.passed();
      ticker.due(pipeline.nextDue);
      return outcome;
    },
    flush: () => writer?.flush(),
    end: async (message) => {
      parts.balance(message);
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
async function openGates({ options, clock }: RunParts, signal: AbortSignal): Promise<ReadonlyMap<string, StreamGate>> {
  const { run, name, integration, store, metrics, logger } = options;
  const { contract } = integration;
  const gates = integration.sources.map(async (source) => {
    const gate = { run, name, source, contract, schemas: store.schemas, metrics, logger, clock, signal };
    return [sourceName(source), await StreamGate.open(gate)] as const;
  });
  return new Map(await Promise.all(gates));
}

/** Windows that were open when the run was interrupted, or an earlier one given up. */
async function restoreWindows(
  { options, ledger, clock, say }: RunParts,
  pipeline: Pipeline,
  signal: AbortSignal,
): Promise<void> {
  const { run, store, integration } = options;
  const groups = await persist(clock, signal, () => store.checkpoints.loadGroups(run.integrationId));
  if (groups.length === 0) return;
  const begun = ledger.consumer("steps").progress.batches > 0;
  if (!begun && integration.sources.every(({ mode }) => mode === "full")) {
    // What they hold is read again.
    ledger.change(groups.map((group) => ({ ...group, state: null })));
    return;
  }
  const lost = pipeline.restore(groups);
  for (const { step, key } of lost) say("warn", "a window of a step that has changed stays closed", { step, key });
}

/** Opens what the `enrich` steps ask. What is wrong with a setting fails the run; a far side that is away is waited for. */
function openRunLookUps(parts: RunParts, signal: AbortSignal): Promise<OpenLookUps> {
  const { options, tracing, clock, waiting, say } = parts;
  const { name, integration, connectors, metrics, vitals } = options;
  const open = () =>
    openLookUps(integration, {
      lookups: connectors.lookups,
      retry: integration.delivery.retry,
      timeoutMs: integration.delivery.timeout.totalMs,
      gate: (step, waiting) =>
        new Gate({
          circuit: vitals.lookUp(step, integration.delivery.circuitBreaker),
          limit: openRateLimit(parts, `step ${step}`),
          clock,
          waiting,
          openTooLong: (ms, reason) => say("warn", "a circuit stays open", { step, seconds: ms / 1000, reason }),
        }),
      tracing,
      clock,
      signal,
      waiting: (step, reason) => waiting(`step ${step}`, reason),
      called: (step, connector, outcome) => metrics.request(name, { step }, connector, outcome),
    });
  return untilReady(open, { clock, signal, waiting: (reason) => waiting("steps", reason) });
}

/** Whose schema contract holds a batch: none those records that were let in before. */
function gatedSource({ source, replay }: BatchHeader): string {
  if (replay === undefined) return source;
  return replay.entry.at === "head" ? (replay.source ?? "") : "";
}
