import { overflow } from "./bounded-series.ts";

interface Series {
  readonly integration: string;
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
  readonly labelNames: readonly ["integration", ...string[]];
  /** Label sets at most; what comes beyond them counts in one more, whose integration is `_other`. */
  readonly maxSeries: number;
  readonly onFull: (metric: string) => void;
}

/**
 * A histogram that takes a value with a weight: a batch of 500 records is one call, and counts 500. It writes its own
 * lines, most of all lines there are, and only those that changed since the last time.
 */
export class WeightedHistogram {
  readonly #options: HistogramOptions;
  readonly #series = new Map<string, Series>();

  constructor(options: HistogramOptions) {
    this.#options = options;
  }

  /** `labels` has all of the label names. */
  observe(labels: Readonly<Record<string, string>>, value: number, weight: number): void {
    const bounds = this.#options.buckets;
    const series = this.#seriesOf(labels);
    let i = 0;
    while (i < bounds.length && value > (bounds[i] as number)) i++;
    series.buckets[i] = (series.buckets[i] as number) + weight;
    series.sum += value * weight;
    series.count += weight;
    series.text = null;
  }

  #seriesOf(labels: Readonly<Record<string, string>>): Series {
    const { name, buckets, labelNames, maxSeries, onFull } = this.#options;
    const key = labelNames.map((label) => labels[label]).join("\0");
    const known = this.#series.get(key);
    if (known) return known;
    const { integration = "" } = labels;
    if (this.#series.size >= maxSeries && integration !== overflow) {
      onFull(name);
      return this.#seriesOf(Object.fromEntries(labelNames.map((label) => [label, overflow])));
    }
    const counts = { buckets: new Float64Array(buckets.length + 1), sum: 0, count: 0 };
    const series = { integration, labels: labelsOf(labels), ...counts, text: null };
    this.#series.set(key, series);
    return series;
  }

  /** Takes away what was observed of these integrations. */
  forget(integrations: ReadonlySet<string>): void {
    for (const [key, { integration }] of this.#series) if (integrations.has(integration)) this.#series.delete(key);
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
