import { SluiceError } from "../runtime/errors/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";

const pauseMs = 500;

/** Asks the store until it answers: while it is away, an actor waits where it is. Rejects when the signal aborts. */
export async function persist<T>(clock: Clock, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      signal.throwIfAborted();
      // What the product itself refuses stays refused.
      if (error instanceof SluiceError && error.code !== "UNAVAILABLE" && error.code !== "TIMEOUT") throw error;
      await clock.sleep(pauseMs, signal);
    }
  }
}
