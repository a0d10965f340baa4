import type { Observable } from "rxjs";

/**
 * Runs a stream to its end under a signal: a task for an actor (`ctx.run((signal) => consume(stream, signal))`).
 * Rejects with the stream's error, or with the signal's reason when it aborts, and then nobody listens any more.
 */
export function consume(stream: Observable<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = () => {
      subscription.unsubscribe();
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const subscription = stream.subscribe({ error: reject, complete: resolve });
    subscription.add(() => signal.removeEventListener("abort", onAbort));
  });
}
