import { Counter, Gauge, type Registry } from "prom-client";

/** Label sets that a metric has on a node at most; a thousand integrations need about a tenth of it. */
export const maxSeries = 20_000;
/** The integration of what a metric has no room for. No integration can be called so. */
export const overflow = "_other";

export interface BoundedOptions<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly L[];
  readonly registers: Registry[];
  readonly maxSeries: number;
  /** Something had no room. */
  readonly onFull: (metric: string) => void;
}

export type Labels<L extends string> = Partial<Record<L, string>>;

/** A counter with a limit of label sets: what comes beyond it counts in one more, whose integration is `_other`. */
export class BoundedCounter<L extends string> {
  readonly #options: BoundedOptions<L>;
  readonly #counter: Counter<L>;
  readonly #series = new Map<string, Labels<L>>();

  constructor(options: BoundedOptions<L>) {
    const { name, help, labelNames, registers } = options;
    this.#options = options;
    this.#counter = new Counter({ name, help, labelNames: [...labelNames], registers });
  }

  inc(labels: Labels<L>, value = 1): void {
    const { name, labelNames, maxSeries, onFull } = this.#options;
    const key = labelNames.map((label) => labels[label] ?? "").join("\0");
    if (!this.#series.has(key)) {
      if (this.#series.size >= maxSeries) {
        onFull(name);
        this.#counter.inc({ integration: overflow } as Labels<string> as Labels<L>, value);
        return;
      }
      this.#series.set(key, labels);
    }
    this.#counter.inc(labels, value);
  }

  /** Takes away what was counted of these integrations. */
  forget(integrations: ReadonlySet<string>): void {
    for (const [key, labels] of this.#series) {
      const { integration } = labels as Labels<string>;
      if (integration === undefined || !integrations.has(integration)) continue;
      this.#series.delete(key);
      this.#counter.remove(labels);
    }
  }
}

/** A gauge that is set anew at each scrape, up to a limit of label sets; what comes beyond it is left out. */
export class BoundedGauge<L extends string> {
  readonly #options: BoundedOptions<L>;
  readonly #gauge: Gauge<L>;
  #left = 0;

  constructor(options: BoundedOptions<L>) {
    const { name, help, labelNames, registers } = options;
    this.#options = options;
    this.#gauge = new Gauge({ name, help, labelNames: [...labelNames], registers });
  }

  reset(): void {
    this.#gauge.reset();
    this.#left = this.#options.maxSeries;
  }

  /** Adds to what was set of the same labels since the reset. */
  add(labels: Labels<L>, value: number): void {
    if (this.#left-- > 0) this.#gauge.inc(labels, value);
    else this.#options.onFull(this.#options.name);
  }
}
