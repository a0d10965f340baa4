import type { ResolvedIntegration } from "../runtime/config/index.ts";
import { isRepeatable } from "../runtime/pipeline/index.ts";
import { type Imbalance, type Ledger, noDestinationLedger, noLedger, noStepCounts } from "../runtime/ports/ledger.ts";
import type { Progress, RunLedger } from "./ledger.ts";
import { own } from "./ledger-counts.ts";

type Difference = Omit<Imbalance, "sequences">;

/** What of an integration the ledger is held against. */
export interface BalancePlan extends Pick<ResolvedIntegration, "steps" | "destinations"> {
  /** Records enter in the midst, and what is not missing goes nowhere. */
  readonly replay: boolean;
  /** As in RunOptions. */
  readonly logged: boolean;
}

/** A destination's consumer: named so that none can be called `steps`. */
export const sinkName = (destination: string): string => `sink-${destination}`;

/** What does not balance at a checkpoint (invariant 8), from counters that are kept each by itself. */
export function differences({ steps, destinations }: Ledger, plan: BalancePlan): Difference[] {
  const found: Difference[] = [];
  const compare = (at: Difference["at"], between: string, expected: number, counted: number, consumer = "steps") => {
    if (expected !== counted) found.push({ at, between, expected, counted, consumer });
  };
  const stepOf = (id: string) => own(steps, id) ?? noStepCounts();
  const destinationOf = (id: string) => own(destinations, id) ?? noDestinationLedger();
  /** What those that something needs gave it. */
  const given = (id: string, needs: readonly string[]) => {
    let sum = 0;
    for (const need of needs) {
      const { out, to } = stepOf(need);
      const isRoute = plan.steps.some((step) => step.id === need && step.type === "route");
      sum += isRoute ? (own(to ?? {}, id) ?? 0) : out;
    }
    return sum;
  };
  for (const id of ["source", ...plan.steps.map(({ id }) => id)]) {
    const { in: taken, expanded, out, filtered, absorbed, dropped, failed } = stepOf(id);
    const what =
      id === "source" ? "source and what became of its records" : `step ${id} and what became of its records`;
    compare({ step: id }, what, taken + expanded, out + filtered + absorbed + dropped + failed);
  }
  for (const { id } of plan.destinations) {
    const { published, inherited, confirmed, failed, pending, deferred } = destinationOf(id);
    const between = `destination ${id} and what became of its records`;
    const settled = confirmed + failed + pending + deferred;
    compare({ destination: id }, between, published + inherited, settled, consumerOf(id, plan.logged));
  }
  if (plan.replay) return found;
  for (const { id, needs } of plan.steps) {
    compare({ step: id }, `${needs.join(", ")} and step ${id}`, given(id, needs), stepOf(id).in);
  }
  for (const { id, needs } of plan.destinations) {
    const { published } = destinationOf(id);
    compare({ destination: id }, `${needs.join(", ")} and destination ${id}`, given(id, needs), published);
  }
  return found;
}

/**
 * What does not balance at a run's end besides: what the source read is compared with what the steps settled, what they
 * settled with what became of it, and what they passed on with what the destinations settled. Nothing is put off any more.
 */
export function differencesAtEnd(
  ledger: Pick<Watched, "consumer" | "counts">,
  read: number,
  destinations: readonly { readonly id: string }[],
  { logged, repeatable }: { readonly logged: boolean; readonly repeatable: boolean },
): Difference[] {
  const found: Difference[] = [];
  const compare = (at: Difference["at"], between: string, expected: number, counted: number, consumer = "steps") => {
    if (expected !== counted) found.push({ at, between, expected, counted, consumer });
  };
  const steps = ledger.consumer("steps").progress;
  const source = { step: "source" };
  compare(source, "source and steps", read, steps.records);
  compare(source, "steps and what became of their records", steps.records, steps.accounted);
  for (const { id } of destinations) {
    const deferred = own(ledger.counts.ledger?.destinations ?? {}, id)?.deferred ?? 0;
    compare({ destination: id }, `destination ${id}, put off and tried again`, deferred, 0, consumerOf(id, logged));
    if (!logged) continue;
    const sink = ledger.consumer(sinkName(id)).progress;
    // Of a batch that came out otherwise when a crash repeated it, a destination has both versions.
    const sent = own(steps.sent, id) ?? 0;
    if (!repeatable && sink.records > sent) continue;
    compare({ destination: id }, `steps and destination ${id}`, sent, sink.records, sinkName(id));
  }
  return found;
}

interface Watched extends Pick<RunLedger, "counts" | "sinceChecked"> {
  consumer(name: string): { readonly progress: Progress };
}

/** For people. */
export function sentenceOf({ between, expected, counted, sequences }: Imbalance): string {
  const where = sequences === null ? "" : `, in messages ${sequences[0]} to ${sequences[1]} of the log`;
  return `the ledger does not balance: ${between}: ${expected} expected, ${counted} counted${where}`;
}

/** Tells each difference once, when it appears or changes, with where in the log that was. */
export class BalanceWatch {
  readonly #ledger: Watched;
  readonly #plan: BalancePlan;
  readonly #known: Map<string, Imbalance>;

  constructor(ledger: Watched, plan: BalancePlan) {
    this.#ledger = ledger;
    // Told before a crash.
    this.#known = new Map(ledger.counts.ledger?.imbalances?.map((one) => [one.between, one]));
    this.#plan = plan;
  }

  /** To be asked at each checkpoint. */
  look(): Imbalance[] {
    const { counts } = this.#ledger;
    const settled = new Map(this.#consumers().map((name) => [name, this.#ledger.sinceChecked(name)]));
    return this.#fresh(differences(counts.ledger ?? noLedger(), this.#plan), (name) => settled.get(name) ?? null);
  }

  /** As `look`, at the run's end: `read` is what the source counted. `destinations`: those that have come to it as well. */
  lookAtEnd(read: number, destinations: BalancePlan["destinations"]): Imbalance[] {
    const found = differencesAtEnd(this.#ledger, read, destinations, {
      logged: this.#plan.logged,
      repeatable: isRepeatable(this.#plan),
    });
    return [...this.look(), ...this.#fresh(found, () => null)];
  }

  /** All that there are. */
  get imbalances(): readonly Imbalance[] {
    return [...this.#known.values()];
  }

  #fresh(found: readonly Difference[], settled: (consumer: string) => Imbalance["sequences"]): Imbalance[] {
    const fresh: Imbalance[] = [];
    for (const difference of found) {
      const { between, expected, counted, consumer } = difference;
      const known = this.#known.get(between);
      if (known && known.expected - known.counted === expected - counted) continue;
      const sequences = settled(consumer) ?? this.#ledger.consumer(consumer).progress.sequences;
      fresh.push({ ...difference, sequences });
    }
    for (const imbalance of fresh) this.#known.set(imbalance.between, imbalance);
    if (fresh.length > 0) (this.#ledger.counts.ledger ??= noLedger()).imbalances = this.imbalances;
    return fresh;
  }

  #consumers(): string[] {
    const { destinations, logged } = this.#plan;
    return [...new Set(["steps", ...destinations.map(({ id }) => consumerOf(id, logged))])];
  }
}

/** Who settles what is handed to a destination. */
function consumerOf(id: string, logged: boolean): string {
  return logged ? sinkName(id) : "steps";
}
