import type { Undelivered } from "../runtime/delivery/index.ts";
import type { PipelineRecord } from "../runtime/pipeline/index.ts";
import type { DeliveryCall } from "../runtime/ports/delivery-call.ts";
import type { InvokedHeader } from "../runtime/ports/log.ts";
import type { Cause } from "./dead-letter.ts";
import type { Call } from "./invocation.ts";

/** Of a record that nobody waits for any more, and that is to be dropped then. */
const gone: DeliveryCall = { withdrawn: true, perishable: true, begin: () => {} };

/** Records that were invoked and went to the log together, by their places in the batch, with those who wait for them. */
export class InvokedBatch {
  readonly #calls: ReadonlyMap<number, Call>;
  readonly #perishable: ReadonlySet<number>;

  /** Told of one that its destination tries again later. */
  readonly #putOff: (call: Call) => void;

  constructor(calls: ReadonlyMap<number, Call>, { perishable }: InvokedHeader, putOff: (call: Call) => void) {
    this.#calls = calls;
    this.#putOff = putOff;
    this.#perishable = new Set(perishable);
  }

  /** The steps begin with it. Origins of the records that they are not given: nobody waits for them any more. */
  begin(): ReadonlySet<number> {
    const out = new Set<number>();
    for (const origin of this.#perishable) if (this.#isGone(origin)) out.add(origin);
    for (const call of this.#calls.values()) call.begin();
    return out;
  }

  /** They left the steps. */
  sent(destination: string, records: readonly PipelineRecord[]): void {
    for (const record of records) {
      this.#calls.get(record.origin)?.at(destination).sent(record);
      this.#attach(destination, record);
    }
  }

  /** They come from a deliver log. */
  attach(destination: string, records: readonly PipelineRecord[]): void {
    for (const record of records) this.#attach(destination, record);
  }

  #attach(destination: string, record: PipelineRecord): void {
    if (this.#isGone(record.origin)) record.call = gone;
    else record.call = this.#calls.get(record.origin)?.at(destination);
  }

  #isGone(origin: number): boolean {
    return this.#perishable.has(origin) && this.#calls.get(origin)?.withdrawn !== false;
  }

  /** In a step, or before. `dropped`: its `on_error` lets it go. */
  failed(origin: number, { step, rule, code, message, errors = [] }: Omit<Cause, "state">, dropped: boolean): void {
    this.#calls.get(origin)?.failed({ step, rule, code, message, errors, dropped });
  }

  absorbed(origins: readonly number[]): void {
    for (const origin of origins) this.#calls.get(origin)?.absorbed();
  }

  /** A destination gave it up, or put it off. */
  undelivered(origin: number, destination: string, failure: Omit<Undelivered, "index">): void {
    const call = this.#calls.get(origin);
    if (!call) return;
    const at = call.at(destination);
    if (failure.retryInMs === undefined) at.gaveUp(failure);
    else {
      at.putOff(failure);
      this.#putOff(call);
    }
  }

  /** The steps are through; `delivered`: the destination that has had all that did not fail. */
  through(delivered: string | undefined): void {
    for (const call of this.#calls.values()) {
      if (delivered !== undefined) call.at(delivered).restConfirmed();
      call.through();
    }
  }

  /** What a destination gave for records of a deliver log. */
  written(destination: string, records: readonly PipelineRecord[], undelivered: readonly Undelivered[]): void {
    const failed = new Map(undelivered.map((failure) => [failure.index, failure]));
    for (const [index, { origin }] of records.entries()) {
      const failure = failed.get(index);
      if (failure) this.undelivered(origin, destination, failure);
      else this.#calls.get(origin)?.at(destination).confirmed();
    }
    for (const call of this.#calls.values()) call.check();
  }
}
