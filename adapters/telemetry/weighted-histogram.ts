interface Series {
  /** `integration="shop",destination="crm"` */
  readonly labels: string;
  /** Weight at or below each bound, not cumulated; the last is above all. */
  readonly buckets: Float64Array;
  sum: number;
  count: number;
  /** Its lines as last rendered, or null where they have changed. */
  text: string | null;
}

export interface HistogramOptions {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[];
}

/**
 * A histogram that takes a value with a weight: a batch of 500 records is one call, and counts 500. It writes its own
 * lines, most of all lines there are, and only those that changed since the last time.
 */
export class WeightedHistogram<L extends string> {
  readonly #options: HistogramOptions;
  readonly #series = new Map<string, Series>();

  constructor(options: HistogramOptions) {
    this.#options = options;
  }

  observe(labels: Readonly<Record<L, string>>, value: number, weight: number): void {
    const bounds = this.#options.buckets;
    const key = Object.values(labels).join("\n");
    let series = this.#series.get(key);
    if (!series) {
      series = { labels: labelsOf(labels), buckets: new Float64Array(bounds.length + 1), sum: 0, count: 0, text: null };
      this.#series.set(key, series);
    }
    let i = 0;
    while (i < bounds.length && value > (bounds[i] as number)) i++;
    series.buckets[i] = (series.buckets[i] as number) + weight;
    series.sum += value * weight;
    series.count += weight;
    series.text = null;
  }

  /** In Prometheus' text format. */
  render(): string {
    const { name, help } = this.#options;
    let text = `# HELP ${name} ${help}\n# TYPE ${name} histogram\n`;
    for (const series of this.#series.values()) text += series.text ??= this.#linesOf(series);
    return text;
  }

  #linesOf({ labels, buckets, sum, count }: Series): string {
    const { name, buckets: bounds } = this.#options;
    let text = "";
    let below = 0;
    for (const [i, bound] of bounds.entries()) {
      below += buckets[i] as number;
      text += `${name}_bucket{le="${bound}",${labels}} ${below}\n`;
    }
    return `${text}${name}_bucket{le="+Inf",${labels}} ${count}\n${name}_sum{${labels}} ${sum}\n${name}_count{${labels}} ${count}\n`;
  }
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };

function labelsOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (special) => escapes[special] as string)}"`)
    .join(",");
}
