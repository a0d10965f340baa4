import { ConnectorError, type WriteFailure } from "../sdk/index.ts";
import type { Compression } from "./compression.ts";
import { protocolError } from "./errors.ts";
import { errorName, type KafkaClient } from "./kafkajs.ts";
import { type OutMessage, type Producer, sizeOf, writeBatch } from "./record-batch.ts";
import { type Produced, produceRequest } from "./requests.ts";
import type { Led } from "./topics.ts";
import { Writer } from "./wire.ts";

/** Of one request, to all partitions of a broker. */
const requestBytes = 8 * 1024 * 1024;
const pauseMs = 200;

/** What became of the messages of one write. */
export interface Job {
  /** Nobody waits for it any more: what was not sent yet is not. */
  isGone: boolean;
  confirmed(index: number): void;
  /** Not written, by its own fault. */
  refused(failure: WriteFailure): void;
  /** Not known to be written. */
  failed(index: number, error: ConnectorError): void;
  /** Not sent, since those before it were given up. */
  left(index: number, error: ConnectorError): void;
}

export interface Item extends OutMessage {
  readonly job: Job;
  readonly index: number;
}

/** A batch that was sent: to be sent again just as it is, or the broker would not know it for the same. */
interface Current {
  readonly items: readonly Item[];
  readonly producer: Producer;
  readonly batch: Buffer;
  readonly until: number;
  /** The broker may have it. */
  isSent: boolean;
}

interface Lane {
  readonly partition: number;
  leader: number;
  queue: Item[];
  /** Of a batch that was refused as a whole: parts of it, before the queue. */
  readonly halves: (readonly Item[])[];
  current: Current | undefined;
  /** It is in a request that is under way. */
  isBusy: boolean;
  producer: Producer | undefined;
  sequence: number;
}

interface Taken {
  readonly lane: Lane;
  readonly current: Current;
}

export interface ProducerOptions {
  readonly topic: string;
  readonly compression: Compression;
  readonly batchBytes: number;
  /** How long a batch whose fate is not known is sent again. */
  readonly patienceMs: number;
  readonly partitions: () => Promise<readonly Led[]>;
}

/**
 * An idempotent producer of one topic. There is one request under way to each broker; what comes meanwhile gathers, and
 * goes with the next. A batch whose answer was lost is sent again as it was, under the same number, so that it is there
 * once. Only where that was given up do later batches come from another producer: under the old one's numbers a
 * different batch would count as the lost one and be dropped.
 */
export class TopicProducer {
  readonly #client: KafkaClient;
  readonly #options: ProducerOptions;
  readonly #lanes = new Map<number, Lane>();
  readonly #sending = new Set<number>();
  /** By broker: kafkajs copies a request only some ticks after it was given, and others may be under way by then. */
  readonly #requests = new Map<number, Writer>();
  readonly #out = new Writer(256 * 1024);
  readonly #body = new Writer(256 * 1024);
  #producer: Promise<Producer> | undefined;
  #isClosed = false;
  #refreshing: Promise<void> | undefined;

  constructor(client: KafkaClient, options: ProducerOptions) {
    this.#client = client;
    this.#options = options;
  }

  send(partition: number, items: readonly Item[]): void {
    const lane = this.#lane(partition);
    for (const item of items) lane.queue.push(item);
    this.#kick(lane.leader);
  }

  /** Nothing is sent again. */
  close(): void {
    this.#isClosed = true;
  }

  /** Their leaders are known from now on. */
  led(partitions: readonly Led[]): void {
    for (const { partition, leader } of partitions) this.#lane(partition).leader = leader;
  }

  #lane(partition: number): Lane {
    let lane = this.#lanes.get(partition);
    if (!lane) {
      lane = {
        partition,
        leader: -1,
        queue: [],
        halves: [],
        current: undefined,
        isBusy: false,
        producer: undefined,
        sequence: 0,
      };
      this.#lanes.set(partition, lane);
    }
    return lane;
  }

  #kick(leader: number): void {
    if (this.#sending.has(leader)) return;
    this.#sending.add(leader);
    // What a write gives to several partitions goes in one request.
    queueMicrotask(() => {
      this.#drain(leader).finally(() => {
        this.#sending.delete(leader);
        for (const lane of this.#lanes.values()) if (isWaiting(lane)) this.#kick(lane.leader);
      });
    });
  }

  /** Never rejects. */
  async #drain(leader: number): Promise<void> {
    for (;;) {
      const lanes = [...this.#lanes.values()].filter((lane) => lane.leader === leader && isWaiting(lane));
      if (lanes.length === 0) return;
      for (const lane of lanes) lane.isBusy = true;
      let batches: readonly Taken[] = [];
      try {
        batches = await this.#take(lanes);
        // None where all that waited is of writes that were given up.
        if (batches.length > 0) await this.#produce(leader, batches);
      } catch (error) {
        this.#broke(lanes, asConnectorError(error));
      }
      for (const lane of lanes) lane.isBusy = false;
      if (lanes.some(({ current }) => current !== undefined)) await this.#refresh();
    }
  }

  async #produce(leader: number, batches: readonly Taken[]): Promise<void> {
    const parts = batches.map(({ lane: { partition }, current: { batch } }) => ({
      topic: this.#options.topic,
      partition,
      batch,
    }));
    const produced = await this.#client.send(
      leader,
      produceRequest(parts, this.#options.patienceMs),
      this.#requestTo(leader),
      () => {
        for (const { current } of batches) current.isSent = true;
      },
    );
    for (const { lane, current } of batches) {
      this.#settle(
        lane,
        current,
        produced.find(({ partition }) => partition === lane.partition),
      );
    }
  }

  #requestTo(leader: number): Writer {
    let request = this.#requests.get(leader);
    if (!request) this.#requests.set(leader, (request = new Writer(256 * 1024)));
    request.clear();
    return request;
  }

  /** The next batch of each partition; what is to be sent again comes first. */
  async #take(lanes: readonly Lane[]): Promise<Taken[]> {
    this.#producer ??= this.#newProducer();
    const producer = await this.#producer.catch((error: unknown) => {
      this.#producer = undefined;
      throw error;
    });
    const batches: Taken[] = [];
    let bytes = 0;
    for (const lane of lanes) {
      if (bytes >= requestBytes) break;
      lane.current ??= this.#next(lane, producer);
      if (!lane.current) continue;
      bytes += lane.current.batch.length;
      batches.push({ lane, current: lane.current });
    }
    return batches;
  }

  async #newProducer(): Promise<Producer> {
    for (const until = performance.now() + this.#options.patienceMs; ; ) {
      try {
        const { producerId, producerEpoch } = await this.#client.producerId();
        return { id: BigInt(producerId), epoch: producerEpoch };
      } catch (error) {
        // A broker that has just started gives none yet.
        const passes = error instanceof ConnectorError && error.fault === "transient" && performance.now() < until;
        if (!passes) throw error;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  #next(lane: Lane, producer: Producer): Current | undefined {
    const { batchBytes, compression, patienceMs } = this.#options;
    const isWanted = ({ job }: Item) => !job.isGone;
    let items = lane.halves.shift()?.filter(isWanted) ?? [];
    if (items.length === 0) {
      let end = 0;
      for (let size = 0; end < lane.queue.length; end++) {
        size += sizeOf(lane.queue[end] as Item);
        if (size > batchBytes && end > 0) break;
      }
      items = lane.queue.slice(0, end).filter(isWanted);
      lane.queue = end === lane.queue.length ? [] : lane.queue.slice(end);
    }
    if (items.length === 0) return undefined;
    if (lane.producer !== producer) [lane.producer, lane.sequence] = [producer, 0];
    const { sequence } = lane;
    this.#out.clear();
    this.#body.clear();
    writeBatch(this.#out, items, { producer, sequence, time: Date.now(), compression, body: this.#body });
    const batch = Buffer.from(this.#out.bytes);
    return { items, producer, batch, until: performance.now() + patienceMs, isSent: false };
  }

  #settle(lane: Lane, current: Current, produced: Produced | undefined): void {
    const { items } = current;
    const name =
      produced === undefined ? "UNKNOWN" : produced.errorCode === 0 ? undefined : errorName(produced.errorCode);
    switch (name) {
      case undefined:
      case "DUPLICATE_SEQUENCE_NUMBER":
        lane.current = undefined;
        // Numbers are of 31 bits, and begin at 0 again.
        lane.sequence = (lane.sequence + items.length) % 2 ** 31;
        for (const { job, index } of items) job.confirmed(index);
        return;
      case "MESSAGE_TOO_LARGE":
      case "RECORD_LIST_TOO_LARGE":
      case "INVALID_RECORD":
      case "INVALID_TIMESTAMP":
        lane.current = undefined;
        this.#halve(lane, items, name);
        return;
      case "OUT_OF_ORDER_SEQUENCE_NUMBER":
      case "UNKNOWN_PRODUCER_ID":
      case "INVALID_PRODUCER_EPOCH":
      case "INVALID_PRODUCER_ID_MAPPING":
        // The broker lost what it knew of this producer, and has refused the batch: it goes from another one.
        this.#forget(current.producer);
        lane.current = undefined;
        lane.halves.unshift(items);
        return;
    }
    const error = protocolError(name, `Topic ${this.#options.topic}`, "destination.stream");
    const mayPass = error.fault === "transient" || name === "UNKNOWN_TOPIC_OR_PARTITION";
    if (!mayPass || performance.now() > current.until) this.#giveUp(lane, error);
  }

  /** A batch is refused as a whole: which record it is shows in smaller ones. */
  #halve(lane: Lane, items: readonly Item[], name: string): void {
    if (items.length > 1) {
      const half = items.length >> 1;
      lane.halves.unshift(items.slice(0, half), items.slice(half));
      return;
    }
    const [{ job, index } = { job: undefined, index: 0 }] = items;
    const reason =
      name === "INVALID_RECORD"
        ? "the topic refuses it; a topic that is compacted takes no message without a key"
        : "it is larger than the topic takes (max.message.bytes)";
    const message = `Kafka answered ${name}: ${name === "INVALID_TIMESTAMP" ? "the topic refuses its time" : reason}.`;
    job?.refused({ index, code: "VALIDATION_ERROR", message });
  }

  /** A request without an answer. */
  #broke(lanes: readonly Lane[], error: ConnectorError): void {
    for (const lane of lanes) {
      const { current } = lane;
      // What was never sent is not waited for here: the records wait where they come from.
      if (!current?.isSent || this.#isClosed || performance.now() > current.until) this.#giveUp(lane, error);
    }
  }

  #giveUp(lane: Lane, error: ConnectorError): void {
    const { current, halves, queue } = lane;
    if (current?.isSent) this.#forget(current.producer);
    lane.current = undefined;
    lane.queue = [];
    for (const { job, index } of current?.items ?? []) {
      if (current?.isSent) job.failed(index, error);
      else job.left(index, error);
    }
    for (const { job, index } of [...halves.splice(0).flat(), ...queue]) job.left(index, error);
  }

  #forget(producer: Producer): void {
    for (const lane of this.#lanes.values()) if (lane.producer === producer) lane.producer = undefined;
    this.#producer = undefined;
  }

  /** A moment later, the leaders as they are by then. */
  #refresh(): Promise<void> {
    this.#refreshing ??= (async () => {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      try {
        this.led(await this.#options.partitions());
      } catch {
        // Seen again by what is sent.
      }
      this.#refreshing = undefined;
    })();
    return this.#refreshing;
  }
}

function isWaiting({ isBusy, current, halves, queue }: Lane): boolean {
  if (isBusy) return false;
  return current !== undefined || halves.length > 0 || queue.length > 0;
}

function asConnectorError(error: unknown): ConnectorError {
  if (error instanceof ConnectorError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ConnectorError("INTERNAL_ERROR", `The records could not be sent: ${message}.`, {
    fault: "transient",
    cause: error,
  });
}
