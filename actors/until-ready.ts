import { NotReadyError } from "../runtime/errors/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";

const firstMs = 500;
const mostMs = 10_000;

/**
 * Opens what a connector opens, as soon as what this node itself needs for it is there: the Vault with its secrets. That
 * is waited for without an end, and is no failure of the connector's.
 */
export async function untilReady<T>(
  open: () => Promise<T>,
  options: { readonly clock: Clock; readonly signal: AbortSignal; readonly waiting: (reason: string | null) => void },
): Promise<T> {
  const { clock, signal, waiting } = options;
  for (let pauseMs = firstMs; ; pauseMs = Math.min(mostMs, pauseMs * 2)) {
    try {
      const opened = await open();
      if (pauseMs > firstMs) waiting(null);
      return opened;
    } catch (error) {
      if (!(error instanceof NotReadyError)) throw error;
      signal.throwIfAborted();
      waiting(error.message);
      await clock.sleep(pauseMs, signal);
    }
  }
}
