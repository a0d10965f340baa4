import type { JsonObject } from "../../connectors/sdk/index.ts";
import type { ResolvedDestination, ResolvedIntegration, ResolvedStep } from "../config/index.ts";
import type { Flow, StepFailure, StepOutput } from "../pipeline/index.ts";

/** A record between two steps. */
export interface ShownRecord {
  /** Which of the records that a step made of one it is; the empty text for the record itself. */
  readonly child: string;
  /** The step or destination that a route sends it to. */
  readonly to?: string;
  readonly record: JsonObject;
}

/** How many there were, and the first of them. */
export interface ShownRecords {
  count: number;
  readonly records: ShownRecord[];
}

/** What a step did with one record of the source and what came of it. */
export interface StepTrace {
  readonly step: string;
  readonly type: ResolvedStep["type"];
  readonly in: ShownRecords;
  readonly out: ShownRecords;
  readonly failures: FailureTrace[];
}

export interface FailureTrace extends Pick<StepFailure, "child" | "rule" | "code" | "message" | "errors"> {
  /** What the step's `on_error` would do. */
  readonly on_error: ResolvedStep["onError"];
}

/** What a destination would receive. */
export interface DestinationTrace extends Pick<ResolvedDestination, "connector" | "stream" | "mode"> {
  readonly destination: string;
  readonly in: ShownRecords;
}

/** The way through the pipeline: only steps and destinations that were reached, in their order. */
export interface Way {
  readonly steps: readonly StepTrace[];
  readonly destinations: readonly DestinationTrace[];
}

/** Of one record, at one step or destination. */
const mostShown = 20;
/** Of all that is shown, in characters of JSON. */
const mostText = 4 * 1024 * 1024;

/** Notes what each step takes and gives, by the source record that it descends from. */
export class Tracer {
  readonly #steps: ReadonlyMap<string, ResolvedStep>;
  readonly #destinations: ReadonlyMap<string, ResolvedDestination>;
  readonly #ways = new Map<number, { steps: Map<string, StepTrace>; destinations: Map<string, DestinationTrace> }>();
  /** Flows that a step has taken: one that gives in slices tells of the same again. */
  readonly #taken = new Map<string, WeakSet<Flow>>();
  /** Windows on their way to be reshaped, within the step that closed them. */
  readonly #windows = new WeakSet<Flow["values"]>();
  #textLeft = mostText;
  /** Whether something is counted and not shown. */
  truncated = false;

  constructor({ steps, destinations }: ResolvedIntegration) {
    this.#steps = new Map(steps.map((step) => [step.id, step]));
    this.#destinations = new Map(destinations.map((destination) => [destination.id, destination]));
  }

  observe(id: string, input: Flow, output: StepOutput): void {
    const step = this.#steps.get(id) as ResolvedStep;
    if (!this.#windows.has(input.values)) {
      this.#take(step, input);
      if (step.type === "aggregate") {
        this.#windows.add((output as Flow).values);
        return;
      }
    }
    for (const [to, flow] of output instanceof Map ? output : [[undefined, output as Flow] as const]) {
      each(flow, (origin, child, record) => this.#show(this.#step(origin, step).out, child, record, to));
    }
  }

  failed({ origin, step: id, child, rule, code, message, errors }: StepFailure): void {
    const step = this.#steps.get(id) as ResolvedStep;
    this.#step(origin, step).failures.push({ child, rule, code, message, errors, on_error: step.onError });
  }

  delivered(id: string, flow: Flow): void {
    const { connector, stream, mode } = this.#destinations.get(id) as ResolvedDestination;
    each(flow, (origin, child, record) => {
      const { destinations } = this.#way(origin);
      let trace = destinations.get(id);
      if (trace === undefined) {
        trace = { destination: id, connector, stream, mode, in: none() };
        destinations.set(id, trace);
      }
      this.#show(trace.in, child, record);
    });
  }

  /** Of a source record by its index, or of the windows that aggregates closed (-1). */
  way(origin: number): Way {
    const { steps, destinations } = this.#way(origin);
    const inOrder = <T>(order: ReadonlyMap<string, unknown>, found: ReadonlyMap<string, T>) =>
      [...order.keys()].flatMap((id) => found.get(id) ?? []);
    return { steps: inOrder(this.#steps, steps), destinations: inOrder(this.#destinations, destinations) };
  }

  #take(step: ResolvedStep, input: Flow): void {
    const taken = this.#taken.get(step.id) ?? new WeakSet();
    this.#taken.set(step.id, taken);
    if (taken.has(input)) return;
    taken.add(input);
    each(input, (origin, child, record) => this.#show(this.#step(origin, step).in, child, record));
  }

  #way(origin: number) {
    let way = this.#ways.get(origin);
    if (way === undefined) {
      way = { steps: new Map(), destinations: new Map() };
      this.#ways.set(origin, way);
    }
    return way;
  }

  #step(origin: number, { id, type }: ResolvedStep): StepTrace {
    const { steps } = this.#way(origin);
    let trace = steps.get(id);
    if (trace === undefined) {
      trace = { step: id, type, in: none(), out: none(), failures: [] };
      steps.set(id, trace);
    }
    return trace;
  }

  #show(shown: ShownRecords, child: string, record: JsonObject, to?: string): void {
    shown.count++;
    if (shown.records.length < mostShown && this.#textLeft > 0) {
      this.#textLeft -= JSON.stringify(record).length;
      shown.records.push({ child, ...(to !== undefined && { to }), record });
    } else this.truncated = true;
  }
}

const none = (): ShownRecords => ({ count: 0, records: [] });

function each(
  { origins, values, children }: Flow,
  tell: (origin: number, child: string, record: JsonObject) => void,
): void {
  for (const [index, origin] of origins.entries()) {
    tell(origin, children?.[index] ?? "", values[index] as JsonObject);
  }
}
