import type { Actor, Context } from "../runtime/actor/index.ts";
import { resolveIntegration } from "../runtime/config/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { Log, LogMessage } from "../runtime/ports/log.ts";
import { sinkName } from "./balance.ts";
import { fingerprint } from "./dead-letter.ts";
import type { Outcome, RetryOutcome } from "./ledger.ts";
import { persist } from "./persist.ts";
import type { RunParts } from "./run-options.ts";
import { isSettled } from "./settled-keys.ts";
import { processSink } from "./sink.ts";
import { isFullRead } from "./source-name.ts";
import { untilAborted } from "./until-aborted.ts";

/** Destinations, also former ones, for which the deliver log holds what is not settled. */
export async function destinationsLeft(deliver: Log): Promise<string[]> {
  const subjects = await deliver.subjects();
  if (subjects.length === 0) return [];
  const { consumers } = await deliver.stats();
  return subjects.filter((destination) => {
    const consumer = consumers[sinkName(destination)];
    // Without one nothing was acknowledged.
    return consumer === undefined || consumer.pending + consumer.unacknowledged > 0;
  });
}

/** Of the log at once, each with its dead letters; of the store at once. */
const messagesAtOnce = 8;
const retriesAtOnce = { records: 2_000, bytes: 4 * 1024 * 1024 };

const dropped: Outcome = { count: () => {}, deadLetters: [], accounted: 0 };

const reasonOf = (destination: string): string => `the integration has no destination ${destination} any more`;

export interface LeftBehindOptions {
  readonly parts: RunParts;
  /** As `destinationsLeft` says. */
  readonly left: readonly string[];
  /** Nothing waits any more for what is gone. */
  readonly done: () => void;
}

/**
 * What earlier runs left for destinations that the integration no longer has becomes dead letters, beside the run's own
 * work: what was put off, and what is in the deliver log. Of the latter no more is held than of a few messages.
 */
export class LeftBehindActor implements Actor<never> {
  readonly #options: LeftBehindOptions;

  constructor(options: LeftBehindOptions) {
    this.#options = options;
  }

  started(ctx: Context<never>): void {
    const { parts, left, done } = this.#options;
    ctx.run(async (signal) => {
      const { run, integration, store } = parts.options;
      const current = await persist(ctx.clock, signal, () => store.integrations.get(run.integrationId));
      // A run of an older version does not know what came to it since.
      const destinations = [integration, ...(current ? [resolveIntegration(current.spec)] : [])].flatMap((one) =>
        one.destinations.map(({ id }) => id),
      );
      await giveUpRetries(destinations, parts, ctx.clock, signal);
      for (const destination of left) {
        if (!destinations.includes(destination)) await giveUpLogged(destination, parts, signal);
      }
      done();
    });
  }

  receive(): void {}
}

async function giveUpRetries(
  destinations: readonly string[],
  { options, ledger }: RunParts,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { run, store } = options;
  const { id: runId, integrationId } = run;
  // What this run reads again is no loss.
  await persist(clock, signal, () => store.retries.dropRead(integrationId, runId));
  for (;;) {
    const tried = await persist(clock, signal, () =>
      store.retries.orphaned(integrationId, destinations, retriesAtOnce),
    );
    if (tried.length === 0) return;
    const deadLetters = tried.map(({ letter }) => {
      const given = { ...letter, runId, code: "NOT_FOUND" as const, message: reasonOf(letter.destination) };
      return { ...given, fingerprint: fingerprint(given) };
    });
    const count: RetryOutcome["count"] = (total) => {
      total.failed += deadLetters.length;
    };
    ledger.settleRetries("steps", { tried, retries: [], deadLetters, count });
    await untilAborted(signal, ledger.flushed());
  }
}

async function giveUpLogged(destination: string, parts: RunParts, signal: AbortSignal): Promise<void> {
  const { options, ledger, clock, say } = parts;
  const { run, name: integration, ingest, deliver, metrics, invocations } = options;
  const name = sinkName(destination);
  const message = reasonOf(destination);
  const sink = {
    run,
    integration,
    destination,
    ingest,
    invocations,
    metrics,
    clock,
    writer: {
      write: async (
        records: readonly unknown[],
        { failing }: { readonly failing?: (() => Promise<void>) | undefined },
      ) => {
        await failing?.();
        return {
          undelivered: records.map((_, index) => ({ index, code: "NOT_FOUND" as const, message, attempts: [] })),
          state: undefined,
        };
      },
    },
  };
  let letters = 0;
  /** Settles one; resolves at once where it is settled already. Its ack is added to `acks`. */
  const settle = async (given: LogMessage, acks: Promise<void>[]) => {
    const ack = () => {
      const acked = given.ack();
      acks.push(acked);
      return acked;
    };
    if (isSettled(ledger.consumer(name), given)) return void ack().catch(() => {});
    const again = given.header.kind !== "records" || isFullRead(given.header);
    const outcome = again ? dropped : await processSink(given, sink);
    letters += outcome.deadLetters.length;
    ledger.settle(name, { ...given, ack }, outcome);
  };
  // What an earlier life of this actor settled is committed, or comes again.
  await untilAborted(signal, ledger.flushed());
  const consumer = await untilAborted(signal, deliver.consumer(name, [destination], { again: true }));
  try {
    for (;;) {
      const { pending = 0, unacknowledged = 0 } = (await untilAborted(signal, deliver.stats())).consumers[name] ?? {};
      if (pending + unacknowledged === 0) break;
      const acks: Promise<void>[] = [];
      for await (const given of consumer.pull(Math.min(messagesAtOnce, pending + unacknowledged), signal)) {
        await settle(given, acks);
      }
      signal.throwIfAborted();
      await untilAborted(signal, ledger.flushed());
      await untilAborted(signal, Promise.allSettled(acks));
    }
  } finally {
    await consumer.close();
  }
  if (letters > 0) {
    say("warn", "what waited for a destination that is gone became dead letters", { destination, records: letters });
  }
}
