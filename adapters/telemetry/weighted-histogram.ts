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
  readonly #configuration: HistogramConfiguration<L> & { readonly buckets: readonly number[] };
  readonly #series = new Map<string, Series<L>>();

  constructor(configuration: HistogramConfiguration<L> & { readonly buckets: number[] }) {
    super(configuration);
    this.#configuration = configuration;
  }

  observeWeighted(labels: Record<L, string>, value: number, weight: number): void {
    const bounds = this.#configuration.buckets;
    const key = Object.values(labels).join("\n");
    let series = this.#series.get(key);
    if (!series) {
      series = { labels, buckets: new Float64Array(bounds.length + 1), sum: 0, count: 0 };
      this.#series.set(key, series);
    }
    let i = 0;
    while (i < bounds.length && value > (bounds[i] as number)) i++;
    series.buckets[i] = (series.buckets[i] as number) + weight;
    series.sum += value * weight;
    series.count += weight;
  }

  override get(): ReturnType<Histogram<L>["get"]> {
    return this.getForPromString();
  }

  /** What the registry renders: it asks for this rather than for `get`. */
  async getForPromString(): ReturnType<Histogram<L>["get"]> {
    const { name, help } = this.#configuration;
    const values: { metricName: string; labels: Record<string, string | number>; value: number }[] = [];
    for (const { labels, buckets, sum, count } of this.#series.values()) {
      let below = 0;
      for (const [i, bound] of this.#configuration.buckets.entries()) {
        below += buckets[i] as number;
        values.push({ metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: below });
      }
      values.push({ metricName: `${name}_bucket`, labels: { le: "+Inf", ...labels }, value: count });
      values.push(
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      );
    }
    const metric = { name, help, type: "histogram", aggregator: "sum", values };
    return metric as unknown as Awaited<ReturnType<Histogram<L>["get"]>>;
  }
}
