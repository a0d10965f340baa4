import type { ResolvedIntegration } from "../runtime/config/index.ts";
import type { PipelineRecord } from "../runtime/pipeline/index.ts";
import type { Outlet } from "./outlets.ts";

/** As the steps give them to whoever follows. */
const sliceRecords = 500;

/** Whether branches come together: of two records the later one may be through before the other. */
export function hasMerge({ steps, destinations }: Pick<ResolvedIntegration, "steps" | "destinations">): boolean {
  return [...steps, ...destinations].some(({ needs }) => needs.length > 1);
}

/**
 * Whether pieces of several batches would come among each other to a destination that undoes, when it is opened again,
 * what stands behind the last state that was committed: that state would be in the middle of a batch.
 */
export function undoesPieces({ steps, destinations }: Pick<ResolvedIntegration, "steps" | "destinations">): boolean {
  const cutsUp = steps.some(({ type, rateLimit }) => type === "split" || type === "transform" || rateLimit !== null);
  return destinations.every(({ mode }) => mode === "replace") && (cutsUp || hasMerge({ steps, destinations }));
}

/**
 * Gives what a batch becomes in the order of the source, once the whole of it is through the steps: held in memory until
 * then.
 */
export function inSourceOrder(outlet: Outlet): Outlet {
  return {
    ...outlet,
    open(message, traceparent) {
      const delivery = outlet.open(message, traceparent);
      const held = new Map<string, PipelineRecord[]>();
      return {
        send(destination, records) {
          const known = held.get(destination);
          if (known) for (const record of records) known.push(record);
          else held.set(destination, [...records]);
        },
        async end() {
          const waits: (void | Promise<void>)[] = [];
          for (const [destination, records] of held) {
            records.sort((a, b) => a.origin - b.origin);
            for (let from = 0; from < records.length; from += sliceRecords) {
              const part = records.length > sliceRecords ? `=${from}` : undefined;
              waits.push(delivery.send(destination, records.slice(from, from + sliceRecords), part));
            }
          }
          const [sent] = await Promise.all([delivery.end(), ...waits]);
          return sent;
        },
      };
    },
  };
}
