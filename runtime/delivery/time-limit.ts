import { SluiceError } from "../errors/index.ts";
import type { Clock } from "../ports/clock.ts";

/** How long what was aborted may take to end before nobody waits for it any more. */
const graceMs = 1_000;

/**
 * Gives `work` at most `ms` (undefined: any time), then aborts its signal; what does not heed that is left behind a
 * second later, and its late answer is ignored. An answer within that second still counts. Rejects with TIMEOUT, or with
 * the outer signal's reason.
 */
export function within<T>(
  ms: number | undefined,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const inner = new AbortController();
    let cancel = () => {};
    /** Why it was ended. */
    let reason: { readonly error: unknown } | undefined;
    const abort = () => end(signal.reason);
    const end = (error: unknown) => {
      cancel();
      reason ??= { error };
      cancel = clock.after(graceMs, () => reject(reason?.error));
      inner.abort(error);
    };
    const settle = () => {
      cancel();
      signal.removeEventListener("abort", abort);
    };
    signal.addEventListener("abort", abort, { once: true });
    if (ms !== undefined)
      cancel = clock.after(ms, () => end(new SluiceError("TIMEOUT", `no answer within ${ms / 1000} s`)));
    work(inner.signal)
      .then(resolve, (error) => reject(reason ? reason.error : error))
      .finally(settle);
  });
}
