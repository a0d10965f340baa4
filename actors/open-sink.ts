import type { ResolvedDestination } from "../runtime/config/index.ts";
import type { LogMessage } from "../runtime/ports/log.ts";
import { sinkName } from "./balance.ts";
import { inOrder } from "./in-order.ts";
import type { Outcome } from "./ledger.ts";
import type { Processor } from "./log-consumer.ts";
import { beginLives, openDestination } from "./open-destination.ts";
import type { RunParts } from "./run-options.ts";
import { processSink } from "./sink.ts";

const nothing: Outcome = { count: () => {}, deadLetters: [], accounted: 0 };

/** What takes from a destination's part of the deliver log. */
export async function openSink(
  parts: RunParts,
  destination: ResolvedDestination,
  signal: AbortSignal,
): Promise<Processor> {
  const { clock } = parts;
  const { run, name, integration, ingest, metrics, invocations } = parts.options;
  const consumer = sinkName(destination.id);
  const ordered = integration.delivery.ordering !== "none";
  const lives = ordered ? await beginLives(parts, consumer, signal) : undefined;
  const { writer, later } = await openDestination(parts, consumer, destination, { lives }, signal);
  const options = { run, integration: name, destination: destination.id, writer, ingest, invocations, metrics, clock };
  const process = (message: LogMessage) => processSink(message, options);
  // Written in the order of the calls: no batch has to wait for its turn.
  const inTurn = inOrder((message) => process(message));
  return {
    ...later,
    ordered,
    settled: (outcome) => {
      lives?.settled();
      later?.settled?.(outcome);
    },
    process: ordered ? inTurn : process,
    flush: () => writer.flush(),
    end: async ({ header }) => {
      if (!header.error) await writer.complete();
      return nothing;
    },
    close: () => writer.close(),
  };
}
