import type { Json } from "../connectors/sdk/index.ts";
import type { ResolvedDestination } from "../runtime/config/index.ts";
import { failureOf, RateLimit } from "../runtime/delivery/index.ts";
import { StaleOwnerError } from "../runtime/ports/log.ts";
import type { RunRow } from "../runtime/ports/store.ts";
import { DestinationWriter, type DestinationWriterOptions } from "./destination-writer.ts";
import type { Processor } from "./log-consumer.ts";
import { Retries } from "./retries.ts";
import type { RunParts } from "./run-options.ts";
import { Lives } from "./suspects.ts";
import { untilAborted } from "./until-aborted.ts";
import { untilReady } from "./until-ready.ts";

/** What a consumer does about records that are tried again later. */
type Later = Pick<Processor, "settled" | "beside" | "unfinished">;

export interface OpenDestination {
  readonly writer: DestinationWriter;
  readonly later?: Later;
  /** What the run's end itself gives is tried in place: nothing waits for what is put off any more. */
  ending(): void;
}

/** Of a consumer of a run that is made anew with each life. */
export function beginLives(
  { options, ledger, clock }: RunParts,
  consumer: string,
  signal: AbortSignal,
): Promise<Lives> {
  const { run, store } = options;
  const floor = ledger.consumer(consumer).settled.bounds.at(-1) ?? 0;
  return Lives.begin(run.integrationId, `${consumer} ${floor}`, {
    store: store.suspects,
    committed: () => ledger.flushed(),
    clock,
    signal,
  });
}

/** A destination that cannot even be opened is given up soon, unless the run has begun. */
const openAttempts = 3;

/** A destination, and what it puts off until later. A replay tells what came of each letter when its batch is settled. */
export async function openDestination(
  parts: RunParts,
  consumer: string,
  destination: ResolvedDestination,
  /** `inPieces`: nothing is written between the pieces of a batch, what is tried again neither. */
  { lives, inPieces = false }: { readonly lives: Lives | undefined; readonly inPieces?: boolean },
  signal: AbortSignal,
): Promise<OpenDestination> {
  const { options, ledger, clock, waiting } = parts;
  const { name, run, integration, store, metrics } = options;
  if (run.jobId) {
    return { writer: await openWriter(parts, consumer, destination, { lives }, signal), ending: () => {} };
  }
  const retries = await Retries.open({
    integration: name,
    integrationId: run.integrationId,
    runId: run.id,
    destination: destination.id,
    consumer,
    ledger,
    invocations: options.invocations,
    store: store.retries,
    suspects: store.suspects,
    clock,
    metrics,
    signal,
  });
  let ending = false;
  const mayPutOff = integration.delivery.ordering === "none" && !inPieces;
  const putsOff = mayPutOff ? () => !ending && retries.hasRoom() : undefined;
  const writer = await openWriter(parts, consumer, destination, { putsOff, lives }, signal);
  const later: Later = {
    settled: (outcome) => retries.scheduled(outcome.retries ?? []),
    beside: (stopping, through) => retries.run(writer, stopping, through),
    unfinished: () => {
      const { reason } = retries;
      waiting(`${destination.id} (retries)`, reason);
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

/**
 * A destination that is away is waited for, save before the run has begun: then the run says so and fails. A run without
 * an end waits for whatever may be mended without a change of the integration.
 */
async function openWriter(
  parts: RunParts,
  consumer: string,
  destination: ResolvedDestination,
  own: Pick<DestinationWriterOptions, "putsOff" | "lives">,
  signal: AbortSignal,
): Promise<DestinationWriter> {
  const { options, ledger, tracing, clock, say } = parts;
  const { name, integration, connectors, run, epoch, stale, metrics, store } = options;
  const vitals = options.vitals.consumer(destination.id);
  const { state, progress } = ledger.consumer(consumer);
  const waiting = (reason: string | null) => parts.waiting(destination.id, reason);
  for (let attempt = 1; ; attempt++) {
    try {
      const open = () =>
        DestinationWriter.open({
          integration: name,
          integrationId: run.integrationId,
          // What earlier runs have written stays: a replay adds to it, and what is invoked.
          destination: addsTo(run) && destination.mode === "replace" ? { ...destination, mode: "append" } : destination,
          delivery: integration.delivery,
          connectors,
          store: store.checkpoints,
          runId: run.id,
          correlation: run.correlation,
          epoch,
          owned: () => owned(parts, signal),
          state: state as Json | null,
          clock,
          metrics,
          taps: options.taps,
          tracing,
          vitals,
          signal,
          circuit: options.vitals.circuit(destination.id, integration.delivery.circuitBreaker),
          limit: openRateLimit(parts, destination.id),
          ...own,
          suspects: store.suspects,
          waiting,
          stale,
          warn: (warning) => say("warn", warning, { destination: destination.id }),
          openTooLong: (ms, reason) =>
            say("warn", "a circuit stays open", { destination: destination.id, seconds: ms / 1000, reason }),
        });
      const writer = await untilReady(open, { clock, signal, waiting });
      vitals.waiting = false;
      waiting(null);
      return writer;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof StaleOwnerError) throw error;
      const { fault, code, message, notReady } = failureOf(error);
      const away = fault === "transient" || code === "UNAVAILABLE" || code === "TIMEOUT";
      const begun = progress.batches > 0;
      const isFinal = options.endless ? code === "VALIDATION_ERROR" : !away || (!begun && attempt >= openAttempts);
      if (isFinal && !notReady) throw error;
      vitals.waiting = true;
      waiting(message);
      await clock.sleep(Math.min(30_000, 500 * 2 ** Math.min(attempt, 10)), signal);
    }
  }
}

function addsTo({ jobId, trigger }: Pick<RunRow, "jobId" | "trigger">): boolean {
  return Boolean(jobId) || trigger === "invoke";
}

/**
 * Invariant 5: a process that stood still asks whether it is the owner yet before it writes on. Where the ledger is
 * closed, who closed it ends this run, too.
 */
function owned({ options, ledger, clock }: RunParts, signal: AbortSignal): Promise<void> | undefined {
  const asked = ledger.owned(options.settler.wokeAt(clock.now()));
  return (
    asked &&
    untilAborted(
      signal,
      asked.catch(() => new Promise<never>(() => {})),
    )
  );
}

/** Of a destination, or of a step's look-ups; undefined where there is none. */
export function openRateLimit({ options, clock }: RunParts, destination: string): RateLimit | undefined {
  const { run, integration, store } = options;
  const limits = integration.delivery.rateLimit;
  if (Object.values(limits).every((limit) => limit === null)) return undefined;
  const key = { integrationId: run.integrationId, destination };
  return new RateLimit({ limits, key, quotas: store.quotas, clock });
}
