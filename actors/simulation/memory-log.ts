import {
  type AppendOptions,
  type BatchHeader,
  type Log,
  type LogBatch,
  type LogConsumer,
  type LoggedHeader,
  LogLostError,
  type LogMessage,
  type LogStats,
  StaleOwnerError,
} from "../../runtime/ports/log.ts";
import type { Life } from "./life.ts";

/** A message and the consumer that has it. */
export interface Delivered {
  readonly consumer: string;
  readonly entry: Entry;
  /** Deliveries so far, from 1. */
  readonly deliveries: number;
}

/** What the server does at its own time, and what is told before it happens; all of it may be left out. */
export interface LogScript {
  /** How long a pull waits for a message, in milliseconds, before it looks again; five times it does. */
  readonly idleMs?: () => number;
  /** Whether a message in hand is delivered again now. */
  readonly redelivers?: (delivered: Delivered) => boolean;
  /** `lost`: the ack never arrives, and its sender is told that it did; `refused`: the sender is told. */
  readonly ack?: (delivered: Delivered) => "taken" | "lost" | "refused";
  /** Goes on when it resolves. */
  readonly beforeAppend?: (subject: string, batch: LogBatch) => Promise<void>;
  readonly beforeAck?: (delivered: Delivered) => Promise<void>;
}

export interface Entry {
  readonly sequence: number;
  readonly subject: string;
  readonly batch: LogBatch;
  readonly id: string;
  /** As in LogMessage. */
  readonly gone?: string;
}

interface Delivery {
  readonly entry: Entry;
  deliveries: number;
}

interface Position {
  readonly subjects: readonly string[];
  /** Sequence of the last message delivered. */
  at: number;
  /** Delivered and not acknowledged. */
  readonly pending: Map<number, Delivery>;
}

const idleTimes = 5;
const defaultIdleMs = 5_000;

/** What a server keeps of one stream, over all lives of its clients. */
export class MemoryStream {
  readonly entries: Entry[] = [];
  readonly ids = new Map<string, number>();
  readonly consumers = new Map<string, Position>();
  /** The sequence it began with. */
  readonly born: number;
  sequence: number;
  owner = 0;
  /** By so many that have not closed it. */
  opened = 0;
  /** Called when there may be something to deliver. */
  readonly waiters = new Set<() => void>();

  constructor(born = 1) {
    this.born = born;
    this.sequence = born - 1;
  }

  wake(): void {
    for (const waiter of this.waiters) waiter();
  }

  /** Remembers all of it as it is now; called, the result puts it back to that, under whoever uses it. */
  keep(): () => void {
    const { entries, ids, consumers, sequence, owner } = this;
    const kept = [...entries];
    const keptIds = [...ids];
    const positions = Array.from(consumers, ([name, { subjects, at, pending }]) => {
      return [
        name,
        { subjects, at, pending: Array.from(pending, ([key, delivery]) => [key, { ...delivery }] as const) },
      ] as const;
    });
    return () => {
      entries.splice(0, entries.length, ...kept);
      ids.clear();
      for (const [id, at] of keptIds) ids.set(id, at);
      consumers.clear();
      for (const [name, { subjects, at, pending }] of positions)
        consumers.set(name, { subjects, at, pending: new Map(pending) });
      Object.assign(this, { sequence, owner });
      this.wake();
    };
  }
}

/** A log in memory that keeps the port's promises and no others: it delivers again, loses acks, dies with its life. */
export class MemoryLog implements Log {
  readonly #stream: MemoryStream;
  readonly #life: Life;
  readonly #script: LogScript;
  #epoch = 0;
  #confirmed = 0;
  /** Appends land in the order of their calls. */
  #landing: Promise<unknown> = Promise.resolve();

  constructor(stream: MemoryStream, life: Life, script: LogScript) {
    this.#stream = stream;
    this.#life = life;
    this.#script = script;
    stream.opened++;
  }

  get confirmed(): number {
    return this.#confirmed;
  }

  get lost(): LogLostError | undefined {
    const { sequence } = this.#stream;
    return sequence < this.#confirmed ? new LogLostError(`the log ends at ${sequence}`) : undefined;
  }

  async own(): Promise<number> {
    await this.#life.delay();
    if (this.lost) throw this.lost;
    this.#epoch = this.#confirmed = this.#stream.owner = ++this.#stream.sequence;
    return this.#epoch;
  }

  append(subject: string, batch: LogBatch, { id }: AppendOptions, signal?: AbortSignal) {
    const landed = this.#landing.then(async () => {
      await this.#life.delay();
      signal?.throwIfAborted();
      await this.#script.beforeAppend?.(subject, batch);
      const stream = this.#stream;
      if (this.lost) throw this.lost;
      if (stream.owner !== this.#epoch) throw new StaleOwnerError("a later owner");
      const known = stream.ids.get(id);
      if (known !== undefined) return { sequence: known, duplicate: true };
      const sequence = ++stream.sequence;
      stream.entries.push({ sequence, subject, batch: structuredClone(batch), id });
      stream.ids.set(id, sequence);
      stream.wake();
      return { sequence, duplicate: false };
    });
    this.#landing = landed.catch(() => {});
    // Confirmed later than it lands.
    return landed.then(async (result) => {
      await this.#life.delay();
      if (!result.duplicate) this.#confirmed = Math.max(this.#confirmed, result.sequence);
      return result;
    });
  }

  async last(subject: string): Promise<BatchHeader | null> {
    await this.#life.delay();
    return this.#stream.entries.findLast((entry) => entry.subject === subject)?.batch.header ?? null;
  }

  async next(subject: string, sequence: number): Promise<LoggedHeader | null> {
    await this.#life.delay();
    const next = this.#stream.entries.find((entry) => entry.subject === subject && entry.sequence > sequence);
    return next ? { sequence: next.sequence, header: next.batch.header } : null;
  }

  async get(sequence: number): Promise<LogBatch | null> {
    await this.#life.delay();
    return this.#stream.entries.find((entry) => entry.sequence === sequence)?.batch ?? null;
  }

  async consumer(name: string, subjects: readonly string[], { again } = { again: false }): Promise<LogConsumer> {
    await this.#life.delay();
    const stream = this.#stream;
    const life = this.#life;
    const { idleMs, redelivers, ack, beforeAck } = this.#script;
    if (!stream.consumers.has(name)) stream.consumers.set(name, { subjects, at: 0, pending: new Map() });
    const current = (): Position => {
      const position = stream.consumers.get(name);
      if (!position) throw new Error(`the consumer ${name} is gone`);
      return position;
    };
    if (again) {
      const position = current();
      position.at = Math.min(position.at, ...Array.from(position.pending.keys(), (sequence) => sequence - 1));
      position.pending.clear();
    }
    /** Delivered to this client: anything else that is pending was delivered to one that is gone. */
    const mine = new Set<number>();
    const next = (): Delivery | undefined => {
      const position = current();
      for (const [sequence, delivery] of position.pending) {
        if (mine.has(sequence) && !redelivers?.({ consumer: name, ...delivery })) continue;
        delivery.deliveries++;
        return delivery;
      }
      const entry = stream.entries.find(
        ({ subject, sequence }) => subjects.includes(subject) && sequence > position.at,
      );
      if (!entry) return;
      position.at = entry.sequence;
      const delivery = { entry, deliveries: 1 };
      position.pending.set(entry.sequence, delivery);
      return delivery;
    };
    const message = ({ entry, deliveries }: Delivery): LogMessage => ({
      ...entry.batch,
      sequence: entry.sequence,
      deliveries,
      bytes: entry.batch.body.length,
      ...(entry.gone !== undefined && { body: new Uint8Array(), gone: entry.gone }),
      ack: async () => {
        await life.delay();
        const delivered = { consumer: name, entry, deliveries };
        await beforeAck?.(delivered);
        const outcome = ack?.(delivered) ?? "taken";
        if (outcome === "taken") current().pending.delete(entry.sequence);
        // Nobody works on it any more: it comes again.
        mine.delete(entry.sequence);
        stream.wake();
        if (outcome === "refused") throw new Error("the ack was not confirmed");
      },
      working: () => {},
    });
    const idle = (signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        const done = () => {
          cancel();
          stream.waiters.delete(done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        const cancel = life.clock.after(idleMs?.() ?? defaultIdleMs, done);
        stream.waiters.add(done);
        signal.addEventListener("abort", done, { once: true });
      });
    async function* pull(limit: number, signal: AbortSignal): AsyncGenerator<LogMessage> {
      for (let idled = 0, given = 0; given < limit && idled < idleTimes && !signal.aborted; ) {
        const delivery = next();
        if (!delivery) {
          idled++;
          await idle(signal);
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
    const { entries } = this.#stream;
    const consumers: Record<string, LogStats["consumers"][string]> = {};
    for (const [name, { subjects, at, pending }] of this.#stream.consumers) {
      const ackFloor = Math.min(at, ...Array.from(pending.keys(), (sequence) => sequence - 1));
      const behind = entries.filter(({ sequence, subject }) => sequence > at && subjects.includes(subject));
      consumers[name] = { pending: behind.length, unacknowledged: pending.size, ackFloor };
    }
    const bytes = entries.reduce((sum, { batch }) => sum + batch.body.length, 0);
    const { born, sequence: last } = this.#stream;
    return { born, last, bytes, messages: entries.length, consumers };
  }

  async subjects(): Promise<readonly string[]> {
    await this.#life.delay();
    return [...new Set(this.#stream.entries.map(({ subject }) => subject))];
  }

  async rewind(name: string, subjects: readonly string[], sequence: number): Promise<void> {
    await this.#life.delay();
    this.#stream.consumers.set(name, { subjects, at: sequence - 1, pending: new Map() });
  }

  async *headers(subjects: readonly string[], from: number): AsyncGenerator<LoggedHeader> {
    await this.#life.delay();
    for (const { sequence, subject, batch } of [...this.#stream.entries]) {
      if (sequence >= from && subjects.includes(subject)) yield { sequence, header: batch.header };
    }
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

  async close(): Promise<void> {
    this.#stream.opened--;
  }
}
