import type { LogMessage } from "../runtime/ports/log.ts";
import type { Outcome } from "./ledger.ts";

/** A batch's place behind those before it. */
export interface Turn {
  /** Rejects where a batch before this one did not pass. */
  readonly before: Promise<void>;
  /** The next one may go. */
  passed(): void;
}

/**
 * Batches pass one after another, as far as `process` holds its turn, and are settled in that order: windows hold just
 * what is settled, and after a crash what is repeated begins with the first batch that was in hand, and leaves out none
 * behind it.
 */
export function inOrder(
  process: (message: LogMessage, turn: Turn) => Promise<Outcome>,
): (message: LogMessage) => Promise<Outcome> {
  let before: Promise<void> = Promise.resolve();
  let settled: Promise<unknown> = Promise.resolve();
  return (message) => {
    const passed = Promise.withResolvers<void>();
    // Where nobody comes behind it.
    passed.promise.catch(() => {});
    const turn = { before, passed: passed.resolve };
    const previous = settled;
    const take = async () => {
      try {
        const outcome = await process(message, turn);
        // Whoever waits for that one, to settle it, was there before.
        await previous;
        return outcome;
      } catch (error) {
        // Behind a batch that did not pass, windows would hold what comes after it.
        passed.reject(error);
        throw error;
      }
    };
    const outcome = take();
    before = passed.promise;
    settled = outcome;
    return outcome;
  };
}
