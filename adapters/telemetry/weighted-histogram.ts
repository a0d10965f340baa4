import { Histogram, type HistogramConfiguration } from "prom-client";

interface Series<L extends string> {
  readonly labels: Record<L, string>;
  /** Weight at or below each bound, not cumulated; the last is above all. */
  readonly buckets: Float64Array;
  sum: number;
  count: number;
}

/** A histogram that takes a value with a weight: a batch of 500 records is one call, and counts 500. */
export class WeightedHistogram<L extends string> extends Histogram<L> {
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Series<L>>();

  constructor(configuration: HistogramConfiguration<L> & { readonly buckets: number[] }) {
    super(configuration);
    this.#bounds = configuration.buckets;
  }

  observeWeighted(labels: Record<L, string>, value: number, weight: number): void {
    const key = Object.values(labels).join("\n");
    let series = this.#series.get(key);
    if (!series) {
      series = { labels, buckets: new Float64Array(this.#bounds.length + 1), sum: 0, count: 0 };
      this.#series.set(key, series);
    }
    let i = 0;
    while (i < this.#bounds.length && value > (this.#bounds[i] as number)) i++;
    series.buckets[i] = (series.buckets[i] as number) + weight;
    series.sum += value * weight;
    series.count += weight;
  }

  override async get(): ReturnType<Histogram<L>["get"]> {
    const metric = await super.get();
    const { name } = metric as unknown as { name: string };
    const values: { metricName: string; labels: Record<string, string | number>; value: number }[] = [];
    for (const { labels, buckets, sum, count } of this.#series.values()) {
      let below = 0;
      for (const [i, bound] of this.#bounds.entries()) {
        below += buckets[i] as number;
        values.push({ metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: below });
      }
      values.push({ metricName: `${name}_bucket`, labels: { le: "+Inf", ...labels }, value: count });
      values.push(
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      );
    }
    return { ...metric, values } as unknown as Awaited<ReturnType<Histogram<L>["get"]>>;
  }
}
