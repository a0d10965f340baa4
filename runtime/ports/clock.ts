/** Time and chance, so that tests and `sluice test` decide both. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `callback` once, `ms` from now, never synchronously. The function returned cancels it. */
  after(ms: number, callback: () => void): () => void;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Uniform in [0, 1). */
  random(): number;
}

/** setTimeout fires at once past this. */
const longestTimeoutMs = 2 ** 31 - 1;

export const realClock: Clock = {
  now: Date.now,
  random: Math.random,
  sleep: sleepBy(after),
  after,
};

function after(ms: number, callback: () => void): () => void {
  let left = ms;
  let timer: NodeJS.Timeout;
  const arm = () => {
    const part = Math.min(left, longestTimeoutMs);
    left -= part;
    timer = setTimeout(left > 0 ? arm : callback, part);
  };
  arm();
  return () => clearTimeout(timer);
}

/** The `sleep` that goes with an `after`. */
export function sleepBy(after: Clock["after"]): Clock["sleep"] {
  return (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = after(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
}
