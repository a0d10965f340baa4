import type { RunCounts, RunSeries } from "../runtime/ports/store.ts";

/** Beyond so many points every second one goes, and they are twice as far apart from then on. */
const pointsMax = 240;
const firstIntervalMs = 1_000;

/** A run's counters over time, in so many points however long it takes. */
export class SeriesKeeper {
  #intervalMs: number;
  #points: RunSeries["points"][number][];
  readonly #startedAt: number;

  /** Times are milliseconds since the epoch; `kept`: what was kept of the run before a crash. */
  constructor(startedAt: number, kept: RunSeries | null) {
    this.#startedAt = startedAt;
    this.#intervalMs = kept?.intervalMs ?? firstIntervalMs;
    this.#points = [...(kept?.points ?? [])];
  }

  /** What to keep, where a point was due. */
  add(now: number, { in: read, out, filtered, failed }: RunCounts): RunSeries | undefined {
    const at = Math.round(now - this.#startedAt);
    if (at - (this.#points.at(-1)?.[0] ?? 0) < this.#intervalMs) return undefined;
    this.#points.push([at, read, out, filtered, failed]);
    if (this.#points.length > pointsMax) {
      this.#points = this.#points.filter((_, i) => i % 2 === 1);
      this.#intervalMs *= 2;
    }
    return { intervalMs: this.#intervalMs, points: [...this.#points] };
  }
}
