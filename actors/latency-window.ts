import type { Latency } from "../runtime/ports/live.ts";

/** Each bound is so much above the one before it: what is told is off by a tenth at most. */
const growth = 1.2;
const leastSeconds = 0.0005;
const buckets = 90;
/** Two of them: what is told is of the last half minute to a minute. */
const windowMs = 30_000;

/** How long records took of late, weighted by their number. */
export class LatencyWindow {
  #now = new Float64Array(buckets);
  #before = new Float64Array(buckets);
  #begunAt = 0;

  add(records: number, seconds: number, now: number): void {
    if (records <= 0) return;
    this.#turn(now);
    const at = Math.ceil(Math.log(Math.max(seconds, leastSeconds) / leastSeconds) / Math.log(growth));
    this.#now[Math.min(at, buckets - 1)]! += records;
  }

  /** Null where there were no records. */
  at(now: number): Latency | null {
    this.#turn(now);
    return merged([this.#now, this.#before]);
  }

  /** Of several. */
  static of(windows: readonly LatencyWindow[], now: number): Latency | null {
    for (const window of windows) window.#turn(now);
    return merged(windows.flatMap((window) => [window.#now, window.#before]));
  }

  #turn(now: number): void {
    const turns = Math.floor((now - this.#begunAt) / windowMs);
    if (turns < 1) return;
    const empty = this.#before.fill(0);
    this.#before = turns === 1 ? this.#now : empty;
    this.#now = turns === 1 ? empty : this.#now.fill(0);
    this.#begunAt += turns * windowMs;
  }
}

function merged(windows: readonly Float64Array[]): Latency | null {
  const total = windows.reduce((sum, window) => sum + window.reduce((all, count) => all + count, 0), 0);
  if (total === 0) return null;
  const quantile = (share: number) => {
    let seen = 0;
    for (let at = 0; at < buckets; at++) {
      for (const window of windows) seen += window[at] as number;
      if (seen >= total * share) return Math.round(leastSeconds * growth ** at * 1e5) / 1e5;
    }
    return leastSeconds * growth ** (buckets - 1);
  };
  return { p50_seconds: quantile(0.5), p99_seconds: quantile(0.99) };
}
