import type { Clock } from "../runtime/ports/clock.ts";

/** For a slow flow of small batches; a batch that is larger passes alone. */
const minBytes = 64 * 1024;
const maxBytes = 16 * 1024 * 1024;
/** How long a record should wait in a log when its consumer keeps its pace. */
const aimSeconds = 0.2;
const windowMs = 100;
/** How much more than its own pace a consumer is given room for, until it has its share. */
const growth = 4;
/** A consumer that took nothing for so long has no part in the share. */
const quietMs = 1000;

/**
 * The share of those consumers of a node whose writers wait for room: the mean of their paces. Room by each one's own pace
 * alone would give the fast ones more and more of it.
 */
export class FairShare {
  readonly #paces = new Map<Backlog, { readonly bytesPerSecond: number; readonly at: number }>();

  /** `bytesPerSecond` undefined: nobody waits for room in this backlog. */
  tell(backlog: Backlog, bytesPerSecond: number | undefined, now: number): void {
    if (bytesPerSecond === undefined) this.#paces.delete(backlog);
    else this.#paces.set(backlog, { bytesPerSecond, at: now });
  }

  /** In bytes a second. */
  at(now: number): number {
    let sum = 0;
    for (const [backlog, { bytesPerSecond, at }] of this.#paces) {
      if (now - at > quietMs) this.#paces.delete(backlog);
      else sum += bytesPerSecond;
    }
    return sum / this.#paces.size;
  }
}

/**
 * Bounds what waits in a log for its consumer to take it in hand, in bytes (invariant 4). The bound follows the consumer's
 * pace, so that records do not grow old in a long queue: reading further ahead would not deliver anything sooner.
 */
export class Backlog {
  readonly #clock: Clock;
  readonly #share: FairShare;
  readonly #least: number;
  #pending = 0;
  #limit: number;
  #windowStart: number;
  #windowBytes = 0;
  #hadWaiters = false;
  #waiters: (() => void)[] = [];
  #released = false;

  /** `least`: what may wait whatever the pace. */
  constructor(clock: Clock, share: FairShare, least = minBytes) {
    this.#clock = clock;
    this.#share = share;
    this.#least = least;
    this.#limit = Math.max(least, 256 * 1024);
    this.#windowStart = clock.now();
  }

  get pendingBytes(): number {
    return this.#pending;
  }

  get limitBytes(): number {
    return this.#limit;
  }

  /** Somebody waits for room. */
  get isFull(): boolean {
    return this.#waiters.length > 0;
  }

  /** Waits until there is room, then takes it. A batch larger than the bound passes alone. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    while (!this.#released && this.#pending > 0 && this.#pending + bytes > this.#limit) {
      signal.throwIfAborted();
      this.#hadWaiters = true;
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

  /**
   * The run stops, and nobody takes from the log here any more: what its writers still have in hand does not wait for
   * room, which would hold the stop up until its grace is over.
   */
  release(): void {
    this.#released = true;
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /** Takes it whether there is room or not: its own bound holds for it elsewhere. */
  takeNow(bytes: number): void {
    this.#pending += bytes;
  }

  /** The consumer has taken so many bytes in hand. */
  give(bytes: number): void {
    // What was in the log before this run's start was never taken.
    this.#pending = Math.max(0, this.#pending - bytes);
    this.#windowBytes += bytes;
    const now = this.#clock.now();
    // Where the machine's clock was set back, the window begins anew.
    if (now < this.#windowStart) {
      this.#windowStart = now;
      this.#windowBytes = bytes;
    }
    const elapsedMs = now - this.#windowStart;
    if (elapsedMs >= windowMs) {
      const pace = (this.#windowBytes / elapsedMs) * 1000;
      this.#share.tell(this, this.#hadWaiters ? pace : undefined, now);
      const room = this.#hadWaiters ? Math.min(growth * pace, this.#share.at(now)) : pace;
      // Half the way at a time: a pause of the consumer must not shut the door.
      this.#limit = Math.max(this.#least, Math.min(maxBytes, (this.#limit + room * aimSeconds) / 2));
      this.#windowStart = now;
      this.#windowBytes = 0;
      this.#hadWaiters = false;
    }
    for (const wake of this.#waiters.splice(0)) wake();
  }
}
