import { type Ledger, noLedger } from "../runtime/ports/ledger.ts";
import type { Samples } from "../runtime/ports/live.ts";

/** Seconds that are kept, and those that a rate is the mean of. */
const kept = 60;
const rated = 5;

/** What of a run is looked at once a second. */
export interface Flowing {
  readonly ledger: Ledger | undefined;
  /** Records read, by source as `sourceKey` has it. */
  readonly read: ReadonlyMap<string, number>;
}

/** Records by what counted them: `in`, `out`, `failed`, `step ID in`, `step ID to ID`, `destination ID out`, and sources. */
type Counts = Map<string, number>;

/** Rates in records a second. */
export interface FlowRates {
  readonly in: number;
  readonly out: number;
  readonly failed: number;
  readonly of: (name: string) => number;
}

/**
 * How records flow through an integration, second by second, over its runs: what their ledgers count, looked at once a
 * second. Nothing is done for a record.
 */
export class FlowMeter {
  #flowing: (() => Flowing) | undefined;
  /** As the run's ledger was looked at last. */
  #told: Counts = new Map();
  #open: Counts = new Map();
  /** Of the latest seconds, the newest last. */
  readonly #seconds: Counts[] = [];
  readonly #totals: { readonly in: number; readonly out: number; readonly failed: number }[] = [];

  /** A run begins, or goes on: what it has counted before is not told. */
  begin(flowing: () => Flowing): void {
    this.end();
    this.#told = countsOf(flowing());
    this.#flowing = flowing;
  }

  /** The run is over. */
  end(): void {
    this.#look();
    this.#flowing = undefined;
    this.#told = new Map();
  }

  /** Called once a second. */
  sample(): void {
    this.#look();
    const second = this.#open;
    this.#open = new Map();
    this.#seconds.push(second);
    if (this.#seconds.length > rated) this.#seconds.shift();
    const of = (name: string) => second.get(name) ?? 0;
    this.#totals.push({ in: of("in"), out: of("out"), failed: of("failed") });
    if (this.#totals.length > kept) this.#totals.shift();
  }

  rates(): FlowRates {
    const seconds = Math.max(1, this.#seconds.length);
    const of = (name: string) => {
      const sum = this.#seconds.reduce((total, second) => total + (second.get(name) ?? 0), 0);
      return Math.round((sum / seconds) * 10) / 10;
    };
    return { in: of("in"), out: of("out"), failed: of("failed"), of };
  }

  get samples(): Samples {
    const totals = this.#totals;
    return {
      interval_seconds: 1,
      in: totals.map((second) => second.in),
      out: totals.map(({ out }) => out),
      failed: totals.map(({ failed }) => failed),
    };
  }

  /** Of all that came to its end in the last minute, 0 to 1. */
  get errorRatio(): number {
    let out = 0;
    let failed = 0;
    for (const second of this.#totals) {
      out += second.out;
      failed += second.failed;
    }
    return failed === 0 ? 0 : failed / (out + failed);
  }

  #look(): void {
    if (!this.#flowing) return;
    const now = countsOf(this.#flowing());
    for (const [name, count] of now) {
      const more = count - (this.#told.get(name) ?? 0);
      if (more > 0) this.#open.set(name, (this.#open.get(name) ?? 0) + more);
    }
    this.#told = now;
  }
}

function countsOf({ ledger = noLedger(), read }: Flowing): Counts {
  const counts: Counts = new Map();
  const add = (name: string, count: number) => void counts.set(name, (counts.get(name) ?? 0) + count);
  for (const [source, records] of read) add(source, records);
  for (const [id, { in: taken, out, filtered, absorbed, dropped, failed, to }] of Object.entries(ledger.steps)) {
    if (id === "source") add("in", taken);
    add("failed", failed);
    add(`step ${id} in`, taken);
    add(`step ${id} out`, out);
    add(`step ${id} filtered`, filtered + absorbed + dropped);
    add(`step ${id} failed`, failed);
    for (const [next, count] of Object.entries(to ?? {})) add(`step ${id} to ${next}`, count);
  }
  for (const [id, { published, confirmed, failed }] of Object.entries(ledger.destinations)) {
    add("out", confirmed);
    add("failed", failed);
    add(`destination ${id} in`, published);
    add(`destination ${id} out`, confirmed);
    add(`destination ${id} failed`, failed);
  }
  return counts;
}
