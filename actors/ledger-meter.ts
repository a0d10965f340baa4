import { type Ledger, noLedger } from "../runtime/ports/ledger.ts";
import type { Metrics } from "../runtime/ports/telemetry.ts";

/** Tells the metrics what a run's ledger has counted since it was asked last. */
export class LedgerMeter {
  readonly #integration: string;
  readonly #metrics: Pick<Metrics, "ledgerRecords">;
  readonly #told: Ledger;

  /** `from`: what was counted, and told, before a crash. */
  constructor(integration: string, metrics: Pick<Metrics, "ledgerRecords">, from: Ledger | undefined) {
    this.#integration = integration;
    this.#metrics = metrics;
    this.#told = structuredClone(from ?? noLedger());
  }

  tell({ steps, destinations }: Ledger): void {
    for (const [step, { to: _, ...counts }] of Object.entries(steps))
      this.#more(this.#told.steps, step, { step }, counts);
    // What is pending comes and goes: the difference of the others.
    for (const [id, { published, inherited, confirmed, failed }] of Object.entries(destinations)) {
      const counts = { published, inherited, confirmed, failed };
      this.#more(this.#told.destinations, id, { destination: id }, counts);
    }
  }

  #more(
    told: Record<string, object>,
    id: string,
    where: { readonly step: string } | { readonly destination: string },
    counts: Readonly<Record<string, number>>,
  ): void {
    const before = (Object.hasOwn(told, id) ? told[id] : {}) as Readonly<Record<string, number>>;
    for (const [kind, count] of Object.entries(counts)) {
      const more = count - (before[kind] ?? 0);
      if (more > 0) this.#metrics.ledgerRecords(this.#integration, where, kind, more);
    }
    told[id] = counts;
  }
}
