import { SluiceError } from "../errors/index.ts";
import type { Clock } from "../ports/clock.ts";

/** How long what was aborted may take to end before nobody waits for it any more. */
const graceMs = 1_000;

/** Carries out a wait that is no part of the time that is limited. */
export type Unhurried = <T>(wait: () => Promise<T>) => Promise<T>;

/**
 * Gives `work` at most `ms`, then aborts its signal; what does not heed that is left behind a second later, and its
 * late answer is ignored. An answer within that second still counts. Rejects with TIMEOUT, or with the outer signal's
 * reason.
 */
export function within<T>(
  ms: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  work: (signal: AbortSignal, unhurried: Unhurried) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const inner = new AbortController();
    let leftMs = ms;
    let since = 0;
    /** Waits that take none of the time. */
    let waits = 0;
    let cancel = () => {};
    /** Why it was ended. */
    let reason: { readonly error: unknown } | undefined;
    let settled = false;
    const late = () => end(new SluiceError("TIMEOUT", `no answer within ${ms / 1000} s`));
    const run = () => {
      since = clock.now();
      cancel = clock.after(leftMs, late);
    };
    const unhurried: Unhurried = async (wait) => {
      if (waits++ === 0 && !reason && !settled) {
        cancel();
        leftMs = Math.max(0, leftMs - (clock.now() - since));
      }
      try {
        return await wait();
      } finally {
        if (--waits === 0 && !reason && !settled) run();
      }
    };
    const abort = () => end(signal.reason);
    const end = (error: unknown) => {
      cancel();
      reason ??= { error };
      cancel = clock.after(graceMs, () => reject(reason?.error));
      inner.abort(error);
    };
    const settle = () => {
      settled = true;
      cancel();
      signal.removeEventListener("abort", abort);
    };
    signal.addEventListener("abort", abort, { once: true });
    run();
    work(inner.signal, unhurried)
      .then(resolve, (error) => reject(reason ? reason.error : error))
      .finally(settle);
  });
}
