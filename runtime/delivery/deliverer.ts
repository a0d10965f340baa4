import type { Destination } from "../../connectors/sdk/index.ts";
import type { Clock } from "../ports/clock.ts";
import { gathered, type SpanOrigin, type Tracing } from "../ports/telemetry.ts";
import { type Deliverable, type Delivered, deliver, type RetryPolicy, type Undelivered } from "./deliver.ts";
import type { Gate } from "./gate.ts";

/** Records of one log message: all that a destination gets of it, or a piece where a step cut it up. */
export interface Parcel {
  readonly records: readonly Deliverable[];
  /** Size for the batch's aim; an estimate will do. */
  readonly bytes: number;
  /** Of a piece: what it was cut from, the same object for all its pieces. */
  readonly cutFrom?: object | undefined;
  /** Of its span: those of a write are its parcels'. */
  readonly traceparent?: string | undefined;
  /**
   * What has to be waited for where records were not delivered. No parcel of the same write is told its result before:
   * all of them can be settled in one turn, so that no commit has the destination's state after them all and not each of
   * them.
   */
  readonly failing?: (() => Promise<void>) | undefined;
  /** Somebody waits for it: it does not linger for others. */
  readonly urgent?: boolean | undefined;
}

export interface DelivererOptions {
  readonly destination: Pick<Destination, "write" | "concurrency">;
  /** As for `deliver`. */
  readonly connector?: string | undefined;
  readonly batch: { readonly records: number; readonly bytes: number; readonly lingerMs: number };
  readonly retry: RetryPolicy;
  /** As for `deliver`; with a concurrency of 1, of all that is handed in. */
  readonly ordered?: boolean | undefined;
  readonly putsOff?: (() => boolean) | undefined;
  readonly tracing?: Tracing | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly gate?: Gate | undefined;
  readonly waiting: (reason: string | null) => void;
}

interface Queued {
  readonly parcel: Parcel;
  readonly since: number;
  readonly resolve: (result: Delivered) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers parcels until a batch is worth a write (records, bytes or linger), and keeps as many writes under way as the
 * destination allows. Holds no more than its callers hand in: their credit bounds it.
 *
 * Where there is one write at a time, pieces of a message share it with no other message: of messages that come one after
 * another, no destination's state is behind some of one and settled with another.
 */
export class Deliverer {
  readonly #options: DelivererOptions;
  #queue: Queued[] = [];
  #records = 0;
  #bytes = 0;
  /** Parcels in the queue that do not linger. */
  #urgent = 0;
  #writing = 0;
  #cancelLinger: (() => void) | undefined;

  constructor(options: DelivererOptions) {
    this.#options = options;
  }

  /** Resolves when each record of the parcel is confirmed or given up (`undelivered` indexes are the parcel's). */
  submit(parcel: Parcel): Promise<Delivered> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ parcel, since: this.#options.clock.now(), resolve, reject });
      this.#records += parcel.records.length;
      this.#bytes += parcel.bytes;
      if (parcel.urgent) this.#urgent++;
      this.#pump(false);
    });
  }

  /** Drops what has not begun to be written; those who wait for it are told `reason`. */
  close(reason: unknown): void {
    this.#cancelLinger?.();
    for (const { reject } of this.#queue.splice(0)) reject(reason);
  }

  /** Writes what has gathered without waiting for more. */
  flush(): void {
    this.#pump(true);
  }

  #pump(flush: boolean): void {
    const { batch, destination, clock } = this.#options;
    while (this.#queue.length > 0 && this.#writing < destination.concurrency) {
      const full = this.#urgent > 0 || this.#records >= batch.records || this.#bytes >= batch.bytes;
      const lingerMs = Math.min(batch.lingerMs, (this.#queue[0] as Queued).since + batch.lingerMs - clock.now());
      if (!full && !flush && lingerMs > 0) {
        this.#linger(lingerMs);
        return;
      }
      void this.#write(this.#take());
    }
  }

  #linger(ms: number): void {
    const [first] = this.#queue;
    this.#cancelLinger ??= this.#options.clock.after(ms, () => {
      this.#cancelLinger = undefined;
      // By the timer, for the one that it was set for: the machine's clock may have been set back.
      this.#pump(this.#queue[0] === first);
    });
  }

  /** The next batch: whole parcels up to the aim, at least one. */
  #take(): Queued[] {
    const { batch, destination } = this.#options;
    const { cutFrom } = (this.#queue[0] as Queued).parcel;
    let records = 0;
    let bytes = 0;
    let n = 0;
    while (n < this.#queue.length) {
      const { parcel } = this.#queue[n] as Queued;
      if (destination.concurrency === 1 && parcel.cutFrom !== cutFrom) break;
      if (n > 0 && (records + parcel.records.length > batch.records || bytes + parcel.bytes > batch.bytes)) break;
      records += parcel.records.length;
      bytes += parcel.bytes;
      if (parcel.urgent) this.#urgent--;
      n++;
    }
    this.#records -= records;
    this.#bytes -= bytes;
    return this.#queue.splice(0, n);
  }

  async #write(taken: readonly Queued[]): Promise<void> {
    this.#writing++;
    try {
      const only = taken.length === 1 ? (taken[0] as Queued) : undefined;
      const records = only ? only.parcel.records : taken.flatMap(({ parcel }) => parcel.records);
      const bytes = taken.reduce((sum, { parcel }) => sum + parcel.bytes, 0);
      const origin = gathered(taken.map(({ parcel }) => parcel.traceparent));
      const { undelivered, state } = await this.#deliver(records, bytes, origin);
      if (undelivered.length === 0) {
        for (const { resolve } of taken) resolve({ undelivered, state });
        return;
      }
      let from = 0;
      const results: Delivered[] = [];
      const waits: Promise<void>[] = [];
      for (const { parcel } of taken) {
        const to = from + parcel.records.length;
        const own = undelivered.filter(({ index }) => index >= from && index < to);
        results.push({ undelivered: own.map((each) => ({ ...each, index: each.index - from })), state });
        if (own.length > 0 && parcel.failing) waits.push(parcel.failing());
        from = to;
      }
      await Promise.all(waits);
      for (const [n, { resolve }] of taken.entries()) resolve(results[n] as Delivered);
    } catch (error) {
      for (const { reject } of taken) reject(error);
    } finally {
      this.#writing--;
      this.#pump(false);
    }
  }

  /** What is larger than the aim, as one parcel may be, is written in equal parts, one after another. */
  async #deliver(records: readonly Deliverable[], bytes: number, origin: SpanOrigin): Promise<Delivered> {
    const options = { ...this.#options, origin };
    const { batch } = options;
    const parts = Math.max(Math.ceil(records.length / batch.records), Math.round(bytes / batch.bytes));
    if (parts <= 1) return deliver(records, options);
    const size = Math.ceil(records.length / parts);
    const undelivered: Undelivered[] = [];
    let state: Delivered["state"];
    for (let from = 0; from < records.length; from += size) {
      const part = await deliver(records.slice(from, from + size), { ...options, begun: from > 0 });
      for (const each of part.undelivered) undelivered.push({ ...each, index: each.index + from });
      if (part.state !== undefined) state = part.state;
    }
    return { undelivered, state };
  }
}
