import { type Clock, sleepBy } from "./clock.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is advanced. Chance is a seeded sequence. */
export class VirtualClock implements Clock {
  #now: number;
  #seed: number;
  readonly #timers = new Set<Timer>();

  constructor(startMs = 0, seed = 1) {
    this.#now = startMs;
    this.#seed = seed;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  readonly sleep = sleepBy((ms, callback) => this.after(ms, callback));

  /** mulberry32 */
  readonly random = (): number => {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };

  /** When the next timer is due, or null when none waits. */
  get nextAt(): number | null {
    return this.#earliest()?.at ?? null;
  }

  /** Fires what falls due within `ms`, in order of time; what each firing sets off settles before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await turn();
    while (await this.jump(end));
    this.#now = end;
  }

  /** Fires the next timer, unless it is due later than `end`; what that sets off settles first. False: none was fired. */
  async jump(end: number): Promise<boolean> {
    const next = this.#earliest();
    if (next === undefined || next.at > end) return false;
    this.#timers.delete(next);
    this.#now = next.at;
    next.callback();
    await turn();
    return true;
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) if (earliest === undefined || timer.at < earliest.at) earliest = timer;
    return earliest;
  }
}

/** One turn of the event loop: every promise job that is ready has run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
