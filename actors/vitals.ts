import { isDeepStrictEqual } from "node:util";
import type { ResolvedIntegration } from "../runtime/config/index.ts";
import { Circuit, type CircuitOptions } from "../runtime/delivery/index.ts";
import type { Imbalance } from "../runtime/ports/ledger.ts";
import type { IntegrationRow, OpenCircuit, OpenCircuits, RunRow } from "../runtime/ports/store.ts";
import type { ConsumerGauges, IntegrationGauges } from "../runtime/ports/telemetry.ts";
import type { Backlog } from "./backlog.ts";
import type { FireInterval } from "./fire-interval.ts";
import { type Flowing, FlowMeter } from "./flow-meter.ts";
import { LatencyWindow } from "./latency-window.ts";

/** Messages and bytes that a consumer has in hand at most: its credit. */
export const window = { messages: 16, bytes: 4 * 1024 * 1024 };

/** How a consumer does: set by its actors as they go, read when metrics are scraped. */
export interface ConsumerVitals {
  /** Asked for, since the run's ledger counts already: records in the log that are not settled. */
  lag: () => number;
  /** Batches that may still be taken in hand. */
  credit: number;
  /** The destination cannot be opened, and is waited for. */
  waiting: boolean;
  /** Of a destination that was written to. */
  circuit?: Circuit;
  /** When the destination was last up to date or confirmed a record, in milliseconds since the epoch. */
  freshAt: number | null;
  /** How long records took of late until the destination confirmed them. */
  readonly latency: LatencyWindow;
  /** Given to the destination, and not confirmed. */
  readonly writing: { batches: number; records: number };
  /** Of the log that it takes from, while a run is under way. */
  backlog?: Backlog | undefined;
}

/** A run that is under way, to be looked at at any time. */
export interface RunView extends Flowing {
  /** With its counts as they are now. */
  readonly row: RunRow;
  readonly integration: ResolvedIntegration;
  /** Each destination has a log of its own. */
  readonly logged: boolean;
}

/** How an integration does, kept over its runs and the crashes of its actors. */
export class Vitals {
  /** The integration's name. */
  name: string;
  /** As the store had it when this node looked last. */
  row: Pick<IntegrationRow, "enabled" | "version" | "spec"> | undefined;
  /** Unresolved, as the store counted them last; null: it has not yet. */
  deadLetters: number | null = null;
  /** What the latest run's ledger cannot account for. */
  imbalances: readonly Imbalance[] = [];
  /** Dead letters above which an alert is raised; null: none is. */
  alertDepth: number | null = null;
  /** Ids of its steps. */
  steps: readonly string[] = [];
  /** Its schedule's; "always": its sources are read all the time; null: it runs when somebody asks, or not at all. */
  due: FireInterval | "always" | null = null;
  /** How records flow, over the runs. */
  readonly flow = new FlowMeter();
  /** Undefined: none is under way. */
  run: (() => RunView) | undefined;
  /** Called when a circuit opens, closes or stays open. */
  circuitsChanged: () => void = () => {};
  #consumers = new Map<string | undefined, ConsumerVitals>();
  /** Of the steps that look up, by their ids, while a run is going on. */
  readonly #lookUps = new Map<string, Circuit>();
  /** No run is going on: no circuit holds anything up, and nobody finds out whether it might close. */
  #isIdle = false;

  /** `freshAt`: when its destinations were up to date, in milliseconds since the epoch; null: not known. */
  constructor(name: string, destinations: readonly string[], freshAt: number | null = null) {
    this.name = name;
    this.plan(destinations);
    if (freshAt !== null) this.upToDate(freshAt);
  }

  /** What the integration consists of now. What is known of a destination that stays is kept. `logged` as in RunOptions. */
  plan(destinations: readonly string[], logged = destinations.length > 1): void {
    const names = logged ? [undefined, ...destinations] : destinations;
    this.#consumers = new Map(names.map((name) => [name, this.consumer(name)]));
    this.#isIdle = false;
    this.circuitsChanged();
  }

  /** Of a destination, or of the steps where several destinations follow them. */
  consumer(destination: string | undefined): ConsumerVitals {
    const known = this.#consumers.get(destination);
    if (known) return known;
    const writing = { batches: 0, records: 0 };
    return {
      ...{ lag: () => 0, credit: window.messages, waiting: false, freshAt: null },
      ...{ latency: new LatencyWindow(), writing },
    };
  }

  /**
   * The circuit of a destination. It is kept over the runs, so that the next one does not call what is known to fail, and
   * made anew where its settings change, or on another node.
   */
  circuit(destination: string, options: CircuitOptions): Circuit {
    const consumer = this.consumer(destination);
    if (consumer.circuit && isDeepStrictEqual(consumer.circuit.options, options)) return consumer.circuit;
    consumer.circuit = new Circuit(options);
    consumer.circuit.onChange(() => this.circuitsChanged());
    this.circuitsChanged();
    return consumer.circuit;
  }

  /** A circuit of the look-ups of a step: a new one each time that they are opened. */
  lookUp(step: string, options: CircuitOptions): Circuit {
    const circuit = new Circuit(options);
    this.#lookUps.set(step, circuit);
    circuit.onChange(() => this.circuitsChanged());
    this.circuitsChanged();
    return circuit;
  }

  /** What a destination was refused for may be mended: it is tried at once. */
  tryNow(destination: string, now: number): void {
    this.consumer(destination).circuit?.tryNow(now);
  }

  /** Those that hold up the run that is going on. */
  get shownCircuits(): OpenCircuits {
    return this.#isIdle ? {} : this.openCircuits;
  }

  /** By destination, and by `step ID` those of look-ups; the former also while no run is going on. */
  get openCircuits(): OpenCircuits {
    const open: Record<string, OpenCircuit> = {};
    const show = (name: string, circuit: Circuit | undefined) => {
      if (!circuit?.open) return;
      const { since, until, reason, failureRatio } = circuit.open;
      open[name] = { since, until, reason, failureRatio };
    };
    for (const [destination, { circuit }] of this.#consumers) if (destination !== undefined) show(destination, circuit);
    for (const [step, circuit] of this.#lookUps) show(`step ${step}`, circuit);
    return open;
  }

  /** Entered, or resolved, since the store counted them: until it counts them again. */
  moreDeadLetters(count: number): void {
    if (this.deadLetters !== null) this.deadLetters = Math.max(0, this.deadLetters + count);
  }

  /** A run begins, or goes on. */
  begun(run: () => RunView): void {
    this.run = run;
    this.flow.begin(run);
  }

  /** No run is going on: nothing is waited for. */
  idle(): void {
    this.flow.end();
    this.run = undefined;
    for (const consumer of this.#consumers.values()) {
      consumer.waiting = false;
      consumer.backlog = undefined;
    }
    this.#lookUps.clear();
    this.#isIdle = true;
    this.circuitsChanged();
  }

  /** A run has taken everything over: every destination has what the source had. */
  upToDate(now: number): void {
    for (const consumer of this.#consumers.values()) consumer.freshAt = now;
  }

  /** By destination; undefined: the steps, where several destinations follow them. */
  get consumers(): ReadonlyMap<string | undefined, ConsumerVitals> {
    return this.#consumers;
  }

  /** Records in the logs that are not settled. */
  get lag(): number {
    return this.#consumers.values().reduce((sum, { lag }) => sum + Math.max(0, lag()), 0);
  }

  gauges(now: number, deadLetters: number | null): IntegrationGauges {
    const consumers = Array.from(
      this.#consumers,
      ([destination, { lag, credit, waiting, circuit, freshAt }]): ConsumerGauges => {
        const freshnessSeconds =
          destination === undefined || freshAt === null ? null : Math.max(0, now - freshAt) / 1000;
        const open = this.#isIdle ? undefined : circuit?.open;
        return {
          destination,
          lag: Math.max(0, lag()),
          credit,
          circuitOpen: waiting || open !== undefined,
          circuitOpenSeconds: open ? Math.max(0, now - open.since) / 1000 : 0,
          freshnessSeconds,
        };
      },
    );
    const lookUps = Array.from(this.#lookUps, ([step, { open }]) => ({
      step,
      circuitOpen: open !== undefined,
      circuitOpenSeconds: open ? Math.max(0, now - open.since) / 1000 : 0,
    }));
    const deadLetterAlert = deadLetters === null || this.alertDepth === null ? null : deadLetters > this.alertDepth;
    const { name: integration, steps, imbalances, due } = this;
    const intervalSeconds = due === "always" ? 0 : (due?.at(now) ?? null);
    return { integration, steps, intervalSeconds, deadLetters, deadLetterAlert, imbalances, consumers, lookUps };
  }
}
