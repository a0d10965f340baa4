import type { Series } from "../../api/types.ts";
import type { PlotSeries } from "../../components/plot.tsx";

export type SeriesKind = "total" | "rate";

export interface Lines {
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly series: readonly PlotSeries[];
}

const counters = [
  ["In", "records_in", 1],
  ["Out", "records_out", 4],
  ["Filtered", "records_filtered", 2],
  ["Failed", "records_failed", 3],
] as const;

/** A run's counters as a plot takes them: as they were counted, or how many a second since the point before. */
export function seriesLines({ points }: Series, kind: SeriesKind): Lines {
  const times = points.map((point) => Date.parse(point.at) / 1000);
  const series = counters.map(([name, counter, color]) => {
    const values = points.map((point, index) => {
      if (kind === "total") return point[counter];
      const before = points[index - 1];
      const seconds = before === undefined ? 0 : times[index]! - times[index - 1]!;
      return before === undefined || seconds <= 0 ? 0 : (point[counter] - before[counter]) / seconds;
    });
    return { name, values, color };
  });
  return { times, series };
}
