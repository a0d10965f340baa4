import {
  type AppendOptions,
  type BatchHeader,
  type Log,
  type LogBatch,
  type LogConsumer,
  type LogMessage,
  type LogStats,
  StaleOwnerError,
} from "../../runtime/ports/log.ts";
import type { Life } from "./life.ts";

/** Chances, 0 to 1, of what a server may do at any time. */
export interface LogFaults {
  /** A message in hand is delivered again. */
  readonly redeliver: number;
  /** An ack is lost, or taken back after it was confirmed. */
  readonly loseAck: number;
}

interface Entry {
  readonly sequence: number;
  readonly subject: string;
  readonly batch: LogBatch;
  readonly id: string;
}

interface Delivery {
  readonly entry: Entry;
  deliveries: number;
}

/** What a server keeps of one stream, over all lives of its clients. */
export class FakeStream {
  readonly entries: Entry[] = [];
  readonly ids = new Map<string, number>();
  /** By consumer: where it is, and what is delivered and not acknowledged. */
  readonly consumers = new Map<string, { at: number; readonly pending: Map<number, Delivery> }>();
  sequence = 0;
  owner = 0;
}

/** A log in memory that keeps the port's promises and no others: it delivers again, loses acks, dies with its life. */
export class FakeLog implements Log {
  readonly #stream: FakeStream;
  readonly #life: Life;
  readonly #faults: LogFaults;
  #epoch = 0;
  /** Appends land in the order of their calls. */
  #landing: Promise<unknown> = Promise.resolve();

  constructor(stream: FakeStream, life: Life, faults: LogFaults) {
    this.#stream = stream;
    this.#life = life;
    this.#faults = faults;
  }

  async own(): Promise<number> {
    await this.#life.delay();
    this.#epoch = this.#stream.owner = ++this.#stream.sequence;
    return this.#epoch;
  }

  append(subject: string, batch: LogBatch, { id }: AppendOptions, signal?: AbortSignal) {
    const landed = this.#landing.then(async () => {
      await this.#life.delay();
      signal?.throwIfAborted();
      const stream = this.#stream;
      if (stream.owner !== this.#epoch) throw new StaleOwnerError("a later owner");
      const known = stream.ids.get(id);
      if (known !== undefined) return { sequence: known, duplicate: true };
      const sequence = ++stream.sequence;
      stream.entries.push({ sequence, subject, batch: structuredClone(batch), id });
      stream.ids.set(id, sequence);
      return { sequence, duplicate: false };
    });
    this.#landing = landed.catch(() => {});
    // Confirmed later than it lands.
    return landed.then(async (result) => {
      await this.#life.delay();
      return result;
    });
  }

  async last(subject: string): Promise<BatchHeader | null> {
    await this.#life.delay();
    return this.#stream.entries.findLast((entry) => entry.subject === subject)?.batch.header ?? null;
  }

  async next(subject: string, sequence: number): Promise<BatchHeader | null> {
    await this.#life.delay();
    const next = this.#stream.entries.find((entry) => entry.subject === subject && entry.sequence > sequence);
    return next?.batch.header ?? null;
  }

  async get(sequence: number): Promise<LogBatch | null> {
    await this.#life.delay();
    return this.#stream.entries.find((entry) => entry.sequence === sequence)?.batch ?? null;
  }

  async consumer(name: string, subject: string): Promise<LogConsumer> {
    await this.#life.delay();
    const consumer = this.#stream.consumers.get(name) ?? { at: 0, pending: new Map<number, Delivery>() };
    this.#stream.consumers.set(name, consumer);
    /** Delivered to this client: anything else that is pending was delivered to one that is gone. */
    const mine = new Set<number>();
    const { entries } = this.#stream;
    const life = this.#life;
    const next = (): Delivery | undefined => {
      for (const [sequence, delivery] of consumer.pending) {
        if (mine.has(sequence) && life.random() >= this.#faults.redeliver) continue;
        delivery.deliveries++;
        return delivery;
      }
      const entry = entries.find((one) => one.subject === subject && one.sequence > consumer.at);
      if (!entry) return;
      consumer.at = entry.sequence;
      const delivery = { entry, deliveries: 1 };
      consumer.pending.set(entry.sequence, delivery);
      return delivery;
    };
    const message = ({ entry, deliveries }: Delivery): LogMessage => ({
      ...entry.batch,
      sequence: entry.sequence,
      deliveries,
      bytes: entry.batch.body.length,
      ack: async () => {
        await life.delay();
        const lost = life.random() < this.#faults.loseAck;
        if (!lost) consumer.pending.delete(entry.sequence);
        // Nobody works on it any more: it comes again.
        mine.delete(entry.sequence);
        if (lost && life.random() < 0.5) throw new Error("the ack was not confirmed");
      },
      working: () => {},
    });
    async function* pull(limit: number, signal: AbortSignal): AsyncGenerator<LogMessage> {
      for (let idle = 0, given = 0; given < limit && idle < 5 && !signal.aborted; ) {
        const delivery = next();
        if (!delivery) {
          idle++;
          await life.delay(20);
          continue;
        }
        given++;
        mine.add(delivery.entry.sequence);
        await life.delay();
        yield message(delivery);
      }
    }
    return { pull, close: async () => {} };
  }

  async stats(): Promise<LogStats> {
    await this.#life.delay();
    const consumers: Record<string, LogStats["consumers"][string]> = {};
    for (const [name, { at, pending }] of this.#stream.consumers) {
      const ackFloor = Math.min(at, ...Array.from(pending.keys(), (sequence) => sequence - 1));
      consumers[name] = { pending: 0, unacknowledged: pending.size, ackFloor };
    }
    const { entries } = this.#stream;
    const bytes = entries.reduce((sum, { batch }) => sum + batch.body.length, 0);
    return { bytes, messages: entries.length, consumers };
  }

  async beyond({ bytes }: { readonly bytes: number }): Promise<number> {
    await this.#life.delay();
    let kept = 0;
    const { entries } = this.#stream;
    return entries.findLast(({ batch }) => (kept += batch.body.length) > bytes)?.sequence ?? 0;
  }

  async purge(subject: string, sequence: number): Promise<void> {
    await this.#life.delay();
    const { entries } = this.#stream;
    const last = entries.findLast((entry) => entry.subject === subject);
    const kept = entries.filter((one) => one === last || one.subject !== subject || one.sequence > sequence);
    entries.splice(0, entries.length, ...kept);
  }

  async close(): Promise<void> {}
}
