import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  type JetStreamManager,
  type StreamInfo,
} from "@nats-io/jetstream";
import { createInbox, type Msg, nanos, type Subscription } from "@nats-io/transport-node";
import { ConnectorError, type Cursor, type ReadBatch, type Source, type SourceOptions } from "../sdk/index.ts";
import { Arrivals } from "./arrivals.ts";
import { type Begin, beginning, dropped, type Place } from "./beginning.ts";
import type { StreamConfig } from "./config.ts";
import type { Link } from "./connection.ts";
import { apiError, away } from "./errors.ts";
import { Collector, textsOf } from "./payload.ts";
import { Ranges } from "./ranges.ts";

export interface StreamSourceOptions {
  readonly link: Link;
  readonly manager: JetStreamManager;
  readonly stream: string;
  readonly config: StreamConfig;
  readonly options: SourceOptions;
}

const quietMs = 5_000;
/** Messages that a pull asks for, how long the server keeps it open, and how often it says so. */
const pull = { messages: 1_000, bytes: 4 * 1024 * 1024, expiresMs: 30_000, heartbeatMs: 2_000 };
/** Of a durable consumer, and so what a crash has to be given again at most. */
const maxAckPending = 10_000;
/** Until the server gives a consumer up that is not durable, and gives again what is not acknowledged. */
const inactiveMs = 60_000;
const ackWaitMs = 30_000;
/** How often at most it is asked why messages are missing. */
const askMs = 1_000;
const ack = new TextEncoder().encode("+ACK");
const nak = new TextEncoder().encode("-NAK");

/** Reads a JetStream stream, by sequence or by a durable consumer. Whatever goes wrong ends it; it is opened anew then. */
export class StreamSource implements Source {
  readonly #options: StreamSourceOptions;
  readonly #consumer: ConsumerInfo;
  readonly #created: string;
  /** All up to this sequence that is to be read is in the log, or was given here. */
  #sequence: number;
  /** Sequence of the last message that is to be read; undefined: there is no end. */
  readonly #last: number | undefined;
  /** What was lost before the reading began. */
  #lost: { readonly message: string; readonly from: number; readonly to: number } | undefined;
  /** Of a durable consumer. */
  readonly #ranges: Ranges;
  /** Sequence of what was given last for the first time, whoever got it; undefined: not known. */
  #first: number | undefined;
  /** Not acknowledged: what a batch was made of. */
  readonly #unacked: { readonly batch: number; readonly replies: string[]; readonly sequences: number[] }[] = [];
  readonly #inHand = new Set<number>();
  /** Replies to what came after the reading's end, by sequence: it goes back when the source closes, lest it comes again. */
  readonly #beyond = new Map<number, string>();
  /** When something came last that is a record of this reading. */
  #newAt = performance.now();
  readonly #arrived = new Arrivals<Msg>();
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  #asked = 0;
  #heardAt = performance.now();
  #consumed = 0;
  #batch = 0;
  #failure: ConnectorError | undefined;
  #askedAt = 0;

  private constructor(options: StreamSourceOptions, info: StreamInfo, consumer: ConsumerInfo, begin: Begin) {
    const { link, options: source } = options;
    this.#options = options;
    this.#consumer = consumer;
    this.#created = info.created;
    const isDurable = options.config.durable !== undefined;
    this.#sequence = Math.max(begin.after, (isDurable && begin.read?.at(-1)?.[1]) || 0);
    this.#lost = begin.lost;
    this.#last = source.endless ? undefined : info.state.last_seq;
    this.#ranges = new Ranges(begin.read);
    if (isDurable) {
      this.#ranges.through(consumer.ack_floor.stream_seq);
      this.#first = consumer.delivered.stream_seq;
      this.#consumed = consumer.delivered.consumer_seq;
    }
    link.lost.addEventListener("abort", () => this.#arrived.end(), { once: true });
    this.#subscription = link.connection.subscribe(this.#inbox, { callback: (_, message) => this.#take(message) });
  }

  static async open(options: StreamSourceOptions): Promise<StreamSource> {
    const { manager, stream } = options;
    const what = `Stream ${stream}`;
    let info: StreamInfo;
    try {
      info = await manager.streams.info(stream);
    } catch (error) {
      throw apiError(error, what, "source.stream");
    }
    const begin = beginning(info, stream, options.config, options.options.from);
    try {
      return new StreamSource(options, info, await consumerOf(options, info, begin), begin);
    } catch (error) {
      throw apiError(error, `${what} cannot be read`, "source.stream");
    }
  }

  async *read(): AsyncGenerator<ReadBatch> {
    const { stream, config, options, link } = this.#options;
    const { signal, batch: aims } = options;
    const collector = new Collector(`${stream}@${this.#created}`, aims);
    const textOf = textsOf(config);
    const isDurable = config.durable !== undefined;
    if (this.#lost) {
      const { message, from, to } = this.#lost;
      collector.lost(message, { stream, from, to }, from);
      yield collector.take(this.#place());
    }
    const isCounted = isDurable && this.#last !== undefined;
    if (isCounted ? this.#isAllGiven(this.#consumer) : this.#isRead(this.#consumer.num_pending)) return;
    for (;;) {
      this.#demand();
      await this.#arrived.some(isCounted ? askMs : quietMs, signal);
      if (this.#arrived.length === 0) {
        if (this.#failure) throw this.#failure;
        link.lost.throwIfAborted();
        if (performance.now() - this.#heardAt > 4 * pull.heartbeatMs) throw away("nats-server says nothing any more");
        if (this.#isCovered() || (this.#last !== undefined && (await this.#isDrained()))) return;
        yield collector.take(this.#place());
        continue;
      }
      const taken = { batch: ++this.#batch, replies: [] as string[], sequences: [] as number[] };
      let isRead = false;
      while (!isRead) {
        const message = this.#arrived.peek();
        if (!message || collector.isFullFor(message.data.length)) break;
        const at = deliveryOf(message.reply ?? "");
        if (at.consumed !== this.#consumed + 1) {
          if (!isDurable) throw away("A message was lost on its way");
          // Somebody else was given some.
          this.#first = undefined;
        }
        if (this.#isAhead(at.sequence) && performance.now() - this.#askedAt > askMs) {
          // What was read before goes first, with its own cursor.
          if (collector.count > 0) break;
          const lost = await this.#lostBefore(at.sequence);
          if (lost) {
            collector.lost(lost.message, { stream, from: lost.from, to: lost.to }, lost.from);
            this.#sequence = lost.to;
          }
        }
        this.#arrived.shift();
        this.#consumed = at.consumed;
        if (isDurable) {
          if (!this.#isNew(at, message)) continue;
        } else if (this.#last !== undefined) {
          isRead = at.sequence >= this.#last || at.pending === 0;
          if (at.sequence > this.#last) break;
        }
        const { subject, headers, data } = message;
        const wantsTime = config.record === "message";
        const place = { sequence: at.sequence, ...(wantsTime && { time: timeOf(at.nanos) }) };
        collector.add(textOf({ subject, headers, data, ...place }), at.sequence, data);
        if (isDurable) {
          taken.replies.push(message.reply as string);
          taken.sequences.push(at.sequence);
          this.#inHand.add(at.sequence);
        }
        this.#sequence = Math.max(this.#sequence, at.sequence);
      }
      if (taken.replies.length > 0) this.#unacked.push(taken);
      if (collector.count > 0) yield collector.take(this.#place());
      if (isRead) return;
      if (!isCounted || this.#arrived.length > 0) continue;
      if (this.#isCovered() || (performance.now() - this.#askedAt > askMs && (await this.#isDrained()))) return;
    }
  }

  stored(cursor: Cursor): void {
    const { batch = 0 } = cursor as unknown as Place;
    const { link } = this.#options;
    while (this.#unacked.length > 0 && (this.#unacked[0]?.batch ?? 0) <= batch) {
      const { replies, sequences } = this.#unacked.shift()!;
      for (const sequence of sequences) this.#inHand.delete(sequence);
      if (link.connection.isClosed()) continue;
      for (const reply of replies) link.connection.publish(reply, ack);
    }
  }

  async close(): Promise<void> {
    const { link, manager, stream, config } = this.#options;
    if (!link.connection.isClosed()) {
      this.#subscription.unsubscribe();
      // What is not in the log yet goes back at once, to whoever reads next.
      const arrived = Array.from({ length: this.#arrived.length }, () => this.#arrived.shift()?.reply as string);
      const unacked = [...this.#unacked.flatMap(({ replies }) => replies), ...this.#beyond.values(), ...arrived];
      for (const reply of config.durable ? unacked : []) {
        link.connection.publish(reply, nak);
      }
      await link.connection.flush().catch(() => {});
      if (!config.durable) await manager.consumers.delete(stream, this.#consumer.name).catch(() => {});
    }
    await link.close();
  }

  #place(): Place {
    const place = { created: this.#created, sequence: this.#sequence, batch: this.#batch };
    return this.#options.config.durable === undefined ? place : { ...place, read: this.#ranges.toJSON() };
  }

  /** What was to be read may have been deleted meanwhile. */
  async #isDrained(): Promise<boolean> {
    const { manager, stream, config } = this.#options;
    this.#askedAt = performance.now();
    const info = await manager.consumers.info(stream, this.#consumer.name).catch((error) => {
      throw apiError(error, `Stream ${stream}`, "source.stream");
    });
    return config.durable === undefined ? this.#isRead(info.num_pending) : this.#isAllGiven(info);
  }

  #isRead(pending: number): boolean {
    return this.#last !== undefined && (pending === 0 || this.#sequence >= this.#last);
  }

  /** Of a durable consumer: whether all up to the end was read. What is filtered may have to be asked for. */
  #isCovered(): boolean {
    return this.#last !== undefined && this.#options.config.durable !== undefined && this.#ranges.end >= this.#last;
  }

  /** Of a durable consumer: whether all up to the end was given, and all that is not acknowledged was given here. */
  #isAllGiven({ num_pending: pending, num_ack_pending: unacked, delivered, config }: ConsumerInfo): boolean {
    if (this.#last === undefined || (pending > 0 && delivered.stream_seq < this.#last)) return false;
    if (unacked <= this.#inHand.size + this.#beyond.size) return true;
    // What was deleted from the stream may stay unacknowledged, and never comes.
    const waitMs = Math.max(config.ack_wait ?? 0, ...(config.backoff ?? [])) / 1_000_000;
    return performance.now() - this.#newAt > waitMs + pull.expiresMs;
  }

  #take(message: Msg): void {
    this.#heardAt = performance.now();
    // The server's own messages come to the inbox, those of the stream under their subject.
    if (message.subject !== this.#inbox) {
      this.#asked--;
      this.#arrived.push(message);
      return;
    }
    const { code = 0, description = "" } = message.headers ?? {};
    if (code === 100) return;
    this.#asked = 0;
    // The time or the room of a pull is over. The next one is asked for at once.
    const isOver = code === 404 || code === 408 || /batch completed|exceeds maxbytes/i.test(description);
    if (!isOver) {
      this.#failure = away(`nats-server ends the reading: ${description || `status ${code}`}`);
      this.#arrived.end();
    } else if (this.#arrived.length === 0) this.#demand();
  }

  /** Asks for more where less than half of a pull is on its way or waits. */
  #demand(): void {
    const { link, stream } = this.#options;
    if (this.#asked > 0 || this.#arrived.length > pull.messages / 2 || link.connection.isClosed()) return;
    this.#asked = pull.messages;
    const request = {
      batch: pull.messages,
      // Room for one message, however large the server lets it be.
      max_bytes: Math.max(pull.bytes, 2 * (link.connection.info?.max_payload ?? 0)),
      expires: nanos(pull.expiresMs),
      idle_heartbeat: nanos(pull.heartbeatMs),
    };
    link.connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${this.#consumer.name}`, JSON.stringify(request), {
      reply: this.#inbox,
    });
  }

  /** False for what was read before (it is in the log, or in hand, and only its acknowledgement is missing), or is not to be. */
  #isNew({ sequence, deliveries, pending }: Delivery, { reply = "" }: Msg): boolean {
    // First deliveries come in order: between two that follow each other there is nothing else.
    const previous = deliveries === 1 ? this.#first : undefined;
    if (deliveries === 1) this.#first = sequence;
    const last = this.#last ?? Number.POSITIVE_INFINITY;
    if (sequence > last) {
      this.#beyond.set(sequence, reply);
      if (previous !== undefined && previous < last) this.#ranges.add(last, previous);
      return false;
    }
    if (this.#inHand.has(sequence)) return false;
    const isNew = !this.#ranges.has(sequence);
    if (isNew) this.#newAt = performance.now();
    else this.#options.link.connection.publish(reply, ack);
    this.#ranges.add(sequence, previous);
    if (previous !== undefined && pending === 0 && this.#last !== undefined) this.#ranges.add(last, sequence);
    return isNew;
  }

  /** Whether another sequence should have come. Of what is filtered, nobody can tell. */
  #isAhead(sequence: number): boolean {
    const { durable, subject } = this.#options.config;
    return durable === undefined && subject === undefined && this.#sequence > 0 && sequence > this.#sequence + 1;
  }

  /** What the stream has dropped before it was read. Single messages may well have been deleted. */
  async #lostBefore(sequence: number): Promise<{ message: string; from: number; to: number } | undefined> {
    const { manager, stream, config } = this.#options;
    this.#askedAt = performance.now();
    const info = await manager.streams.info(stream).catch((error) => {
      throw apiError(error, `Stream ${stream}`, "source.stream");
    });
    return dropped(info, this.#sequence, sequence, config);
  }
}

interface Delivery {
  readonly sequence: number;
  readonly deliveries: number;
  /** Number of the delivery. */
  readonly consumed: number;
  readonly nanos: string;
  readonly pending: number;
}

async function consumerOf(
  { manager, stream, config }: StreamSourceOptions,
  info: StreamInfo,
  { after, isFirst }: Begin,
): Promise<ConsumerInfo> {
  const { durable, subject, start = "earliest" } = config;
  const filter = subject === undefined ? {} : { filter_subject: subject };
  const isLimits = info.config.retention === "limits";
  const from: Partial<ConsumerConfig> =
    !isFirst && isLimits
      ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: after + 1 }
      : !isLimits || start === "earliest"
        ? { deliver_policy: DeliverPolicy.All }
        : start === "latest"
          ? { deliver_policy: DeliverPolicy.New }
          : { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(start).toISOString() };
  if (durable === undefined) {
    if (!isLimits) {
      const message = `Stream ${stream} has retention ${info.config.retention}, and is read with a durable consumer only: name one in durable.`;
      throw new ConnectorError("VALIDATION_ERROR", message, { fault: "destination", path: "source.stream" });
    }
    return manager.consumers.add(stream, {
      ...from,
      ...filter,
      ack_policy: AckPolicy.None,
      inactive_threshold: nanos(inactiveMs),
      mem_storage: true,
    });
  }
  const known = await manager.consumers.info(stream, durable).catch(() => undefined);
  if (known === undefined) {
    const acks = { ack_policy: AckPolicy.Explicit, ack_wait: nanos(ackWaitMs), max_ack_pending: maxAckPending };
    return manager.consumers.add(stream, { durable_name: durable, ...from, ...filter, ...acks });
  }
  const { deliver_subject, ack_policy } = known.config;
  if (deliver_subject !== undefined || ack_policy !== AckPolicy.Explicit) {
    const message = `Consumer ${durable} of stream ${stream} is ${deliver_subject ? "a push consumer" : `of ack policy ${ack_policy}`}, and has to be a pull consumer with explicit acks.`;
    throw new ConnectorError("VALIDATION_ERROR", message, { fault: "destination", path: "source.stream" });
  }
  return known;
}

/** `$JS.ACK.[domain.account.]stream.consumer.deliveries.sequence.consumed.time.pending[.random]` */
function deliveryOf(reply: string): Delivery {
  const tokens = reply.split(".");
  const at = tokens.length === 9 ? 5 : 7;
  return {
    deliveries: Number(tokens[at - 1]),
    sequence: Number(tokens[at]),
    consumed: Number(tokens[at + 1]),
    nanos: tokens[at + 2] as string,
    pending: Number(tokens[at + 3]),
  };
}

function timeOf(nanoseconds: string): string {
  return new Date(Number(BigInt(nanoseconds) / 1_000_000n)).toISOString();
}
