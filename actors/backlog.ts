import type { Clock } from "../runtime/ports/clock.ts";

/** For a slow flow of small batches; a batch that is larger passes alone. */
const minBytes = 64 * 1024;
const maxBytes = 16 * 1024 * 1024;
/** How long a record should wait in a log when its consumer keeps its pace. */
const aimSeconds = 0.2;
const windowMs = 100;

/**
 * Bounds what waits in a log for its consumer to take it in hand, in bytes (invariant 4). The bound follows the consumer's own
 * pace, so that records do not grow old in a long queue: reading further ahead would not deliver anything sooner.
 */
export class Backlog {
  readonly #clock: Clock;
  #pending = 0;
  #limit = 256 * 1024;
  #windowStart: number;
  #windowBytes = 0;
  #waiters: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#windowStart = clock.now();
  }

  get pendingBytes(): number {
    return this.#pending;
  }

  /** Waits until there is room, then takes it. A batch larger than the bound passes alone. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    while (this.#pending > 0 && this.#pending + bytes > this.#limit) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const done = () => {
          signal.removeEventListener("abort", done);
          resolve();
        };
        signal.addEventListener("abort", done, { once: true });
        this.#waiters.push(done);
      });
    }
    signal.throwIfAborted();
    this.#pending += bytes;
  }

  /** The consumer has taken so many bytes in hand. */
  give(bytes: number): void {
    // What was in the log before this run's start was never taken.
    this.#pending = Math.max(0, this.#pending - bytes);
    this.#windowBytes += bytes;
    const elapsedMs = this.#clock.now() - this.#windowStart;
    if (elapsedMs >= windowMs) {
      const aim = (this.#windowBytes / elapsedMs) * 1000 * aimSeconds;
      // Half the way at a time: a pause of the consumer must not shut the door.
      this.#limit = Math.min(maxBytes, Math.max(minBytes, (this.#limit + aim) / 2));
      this.#windowStart = this.#clock.now();
      this.#windowBytes = 0;
    }
    for (const wake of this.#waiters.splice(0)) wake();
  }
}
