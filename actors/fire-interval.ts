import type { Cron } from "../runtime/ports/cron.ts";
import { latestMissed } from "./scheduler.ts";

const yearMs = 366 * 86_400_000;
/** Fires that are walked one by one; after longer away it looks anew. */
const mostSteps = 100;

/** How long a schedule lets pass between two fires, at a time: over a night or a weekend longer than in between. */
export class FireInterval {
  readonly #cron: Cron;
  readonly #expression: string;
  readonly #timezone: string;
  /** In order: two that were due, as far as known, and the next two. */
  #fires: Date[] = [];

  constructor(cron: Cron, expression: string, timezone: string) {
    this.#cron = cron;
    this.#expression = expression;
    this.#timezone = timezone;
  }

  isOf(expression: string, timezone: string): boolean {
    return this.#expression === expression && this.#timezone === timezone;
  }

  /** In seconds, the longest of those around `now` (milliseconds since the epoch); null where it fires no more. */
  at(now: number): number | null {
    this.#moveTo(now);
    let longest = 0;
    for (const [i, fire] of this.#fires.entries()) {
      const before = this.#fires[i - 1];
      if (before) longest = Math.max(longest, fire.getTime() - before.getTime());
    }
    return longest === 0 ? null : longest / 1000;
  }

  #moveTo(now: number): void {
    const due = () => this.#fires.filter((fire) => fire.getTime() <= now).length;
    for (let step = 0; this.#fires.length === 0 || this.#fires.length - due() < 2; step++) {
      if (step % mostSteps === 0 && (step > 0 || this.#fires.length === 0)) this.#lookBack(now);
      const next = this.#cron.next(this.#expression, this.#timezone, this.#fires.at(-1) ?? new Date(now));
      if (next === null) break;
      this.#fires.push(next);
      while (due() > 2) this.#fires.shift();
    }
  }

  /** Begins anew with the latest that was due. */
  #lookBack(now: number): void {
    const expression = { cron: this.#expression, timezone: this.#timezone };
    const last = latestMissed(this.#cron, expression, new Date(now - yearMs), new Date(now));
    this.#fires = last ? [last] : [];
  }
}
