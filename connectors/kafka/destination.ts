import { EventWriter } from "../sdk/events.ts";
import {
  ConnectorError,
  clipped,
  compiled,
  type Destination,
  type Expressions,
  fromBase64,
  type Json,
  type JsonObject,
  type OutRecord,
  settingError,
  textOf,
  type WriteBatch,
  type WriteFailure,
  type WriteResult,
} from "../sdk/index.ts";
import type { Format, StreamSettings } from "./config.ts";
import type { KafkaClient } from "./kafkajs.ts";
import { type Partitioner, partitioners } from "./partitioner.ts";
import { type Item, type Job, TopicProducer } from "./producer.ts";
import type { OutMessage } from "./record-batch.ts";
import type { Led, TopicChoice } from "./topics.ts";

/** So many writes gather in the producer while a request is under way. */
const concurrency = 8;
/** Partitions that were added are written to from then on. */
const partitionsMs = 60_000;
const defaultBatchBytes = 900_000;

type Make<T> = (record: OutRecord) => T;

export interface DestinationSettings {
  readonly settings: StreamSettings;
  /** Where they stand in the config. */
  readonly at: string;
  readonly choice: TopicChoice;
  /** Of mode upsert; else none. */
  readonly key: readonly string[];
  readonly expressions: Expressions;
  readonly patienceMs: number;
}

/** Writes records to a topic. */
export class KafkaDestination implements Destination {
  readonly concurrency = concurrency;
  readonly #client: KafkaClient;
  readonly #choice: TopicChoice;
  readonly #topic: string;
  readonly #producer: TopicProducer;
  readonly #message: Make<OutMessage>;
  readonly #partition: Make<number | undefined>;
  readonly #partitioner: Partitioner | undefined;
  #partitions: readonly Led[] = [];
  #askedAt = Number.NEGATIVE_INFINITY;
  /** The partition that messages without a key go to, another one for each write. */
  #turn = Math.floor(Math.random() * 1000);

  constructor(client: KafkaClient, given: DestinationSettings) {
    const { settings, at, choice, expressions, patienceMs } = given;
    const {
      partition,
      partitioner = "murmur2",
      compression = "none",
      batch_bytes = defaultBatchBytes,
    } = settings.write ?? {};
    this.#client = client;
    this.#choice = choice;
    this.#topic = choice.single;
    this.#message = messageMaker(given);
    this.#partitioner = partitioner === "round_robin" ? undefined : partitioners[partitioner];
    this.#partition =
      partition === undefined ? () => undefined : partitionMaker(partition, `${at}.write.partition`, expressions);
    this.#producer = new TopicProducer(client, {
      topic: this.#topic,
      compression,
      batchBytes: batch_bytes,
      patienceMs,
      partitions: () => choice.partitions(client),
    });
  }

  /** Throws where the topic is missing. */
  async open(): Promise<void> {
    this.#partitions = await this.#choice.partitions(this.#client);
    if (this.#partitions.length === 0) {
      throw new ConnectorError("UNAVAILABLE", `Topic ${this.#topic} has no partition yet.`, { fault: "transient" });
    }
    this.#askedAt = performance.now();
    this.#producer.led(this.#partitions);
  }

  async write({ records, ordered = false, signal }: WriteBatch): Promise<WriteResult> {
    signal.throwIfAborted();
    if (performance.now() - this.#askedAt > partitionsMs) await this.open();
    const outcome = new Outcome(records.length);
    const items = this.#items(records, outcome);
    // In order one partition after another; else each gets its own at once.
    const groups = ordered ? runsOf(items) : [...Map.groupBy(items, ({ partition }) => partition).values()];
    const stop = () => outcome.stop();
    signal.addEventListener("abort", stop);
    try {
      for (const group of groups) {
        // None behind one that failed.
        if (outcome.isGone || outcome.error) break;
        this.#producer.send(group[0]!.partition, outcome.expect(group));
        if (ordered) await outcome.settled;
      }
      await outcome.settled;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    return outcome.result(signal);
  }

  async complete(): Promise<void> {}

  async close(): Promise<void> {
    this.#producer.close();
    this.#client.close();
  }

  #items(records: readonly OutRecord[], job: Outcome): PlacedItem[] {
    const count = this.#partitions.length;
    const turn = this.#turn++ % count;
    const items: PlacedItem[] = [];
    for (let index = 0; index < records.length; index++) {
      try {
        const record = records[index] as OutRecord;
        const { key, value, headers } = this.#message(record);
        const chosen =
          this.#partition(record) ??
          (key === null || !this.#partitioner ? turn : this.#partitioner(Buffer.from(key), count));
        if (chosen >= count) throw refusal(`The topic has no partition ${chosen}, only ${count}.`);
        items.push({ key, value, headers, job, index, partition: chosen });
      } catch (error) {
        if (!(error instanceof ConnectorError) || error.fault !== "record") throw error;
        job.refused({ index, code: error.code, message: error.message });
      }
    }
    return items;
  }
}

interface PlacedItem extends Item {
  readonly partition: number;
}

/** Neighbours that go to the same partition. */
function runsOf(items: readonly PlacedItem[]): PlacedItem[][] {
  const runs: PlacedItem[][] = [];
  for (const item of items) {
    const last = runs.at(-1);
    if (last && last[0]!.partition === item.partition) last.push(item);
    else runs.push([item]);
  }
  return runs;
}

/** What became of the records of one write. */
class Outcome implements Job {
  isGone = false;
  /** The first that says nothing of a record. */
  error: ConnectorError | undefined;
  readonly #failed: WriteFailure[] = [];
  /** By record: 1 where it is known what became of it. */
  readonly #known: Uint8Array;
  #pending = 0;
  #done = Promise.withResolvers<void>();

  constructor(records: number) {
    this.#known = new Uint8Array(records);
  }

  expect(items: readonly PlacedItem[]): readonly PlacedItem[] {
    if (this.#pending === 0) this.#done = Promise.withResolvers();
    this.#pending += items.length;
    return items;
  }

  get settled(): Promise<void> {
    return this.#pending === 0 ? Promise.resolve() : this.#done.promise;
  }

  confirmed(index: number): void {
    this.#known[index] = 1;
    this.#settle(1);
  }

  refused(failure: WriteFailure): void {
    this.#fail(failure);
    this.#settle(this.#pending > 0 ? 1 : 0);
  }

  failed(index: number, error: ConnectorError): void {
    const { code, message, fault } = error;
    if (fault !== "destination") this.#fail({ index, code, message });
    this.left(index, error);
  }

  left(_index: number, error: ConnectorError): void {
    this.error ??= error;
    this.#settle(1);
  }

  /** The write was given up. */
  stop(): void {
    this.isGone = true;
    this.#done.resolve();
  }

  /** Throws where nothing is known of any record. What is listed nowhere counts as written. */
  result(signal: AbortSignal): WriteResult {
    const left: number[] = [];
    for (let index = 0; index < this.#known.length; index++) if (this.#known[index] === 0) left.push(index);
    if (left.length === 0) return { failed: this.#failed };
    if (left.length === this.#known.length) throw signal.aborted ? signal.reason : this.error;
    return { failed: this.#failed, left };
  }

  #fail(failure: WriteFailure): void {
    this.#failed.push(failure);
    this.#known[failure.index] = 1;
  }

  #settle(count: number): void {
    this.#pending -= count;
    if (this.#pending === 0) this.#done.resolve();
  }
}

/** How a message is made of a record. */
function messageMaker({ settings, at, key: fields, expressions }: DestinationSettings): Make<OutMessage> {
  const { format = "json", cloudevents, write = {} } = settings;
  const { id_header: idHeader } = write;
  const key = keyMaker(write.key, fields, `${at}.write.key`, expressions);
  const headers =
    write.headers && compiled(`${at}.write.headers`, () => expressions.template(write.headers as JsonObject));
  const events = cloudevents && new EventWriter(cloudevents, expressions, `${at}.cloudevents`, "ce_");
  if (events?.isBatch === false && write.value !== undefined) {
    throw settingError(
      "VALIDATION_ERROR",
      `${at}.write.value is of no use here: an event is the value`,
      `${at}.write.value`,
    );
  }
  const value =
    write.value === undefined
      ? undefined
      : compiled(`${at}.write.value`, () => expressions.template(write.value as Json));
  const valueFor: Make<Uint8Array | string | null> =
    value === undefined && format === "json"
      ? ({ text }) => (text === "null" ? null : text)
      : ({ value: record }) => bytesOf(value === undefined ? record : value(record), format);
  return (record) => {
    const own: (readonly [string, string])[] = idHeader === undefined ? [] : [[idHeader, record.id]];
    if (headers) {
      for (const [name, each] of Object.entries(headers(record.value) as JsonObject)) {
        if (each !== null) own.push([name, textOf(each)]);
      }
    }
    if (!events) return { key: key(record), value: valueFor(record), headers: own };
    const event = events.write(record);
    if (Object.keys(event.headers).length === 0) own.push(["content-type", events.contentType]);
    return { key: key(record), value: event.text, headers: [...own, ...Object.entries(event.headers)] };
  };
}

function keyMaker(
  template: Json | undefined,
  fields: readonly string[],
  at: string,
  expressions: Expressions,
): Make<string | null> {
  if (template !== undefined) {
    const made = compiled(at, () => expressions.template(template));
    return ({ value }) => {
      const key = made(value);
      return key === null || key === "" ? null : textOf(key);
    };
  }
  if (fields.length === 0) return () => null;
  const readers = fields.map((field) => compiled("destination.key", () => expressions.field(field)));
  return ({ value }) => {
    const values = readers.map((read, index) => {
      const found = read(value);
      if (found === undefined || found === null) throw refusal(`The record has no ${fields[index]}, which is its key.`);
      return found;
    });
    return values.length === 1 ? textOf(values[0] as Json) : JSON.stringify(values);
  };
}

function partitionMaker(template: string, at: string, expressions: Expressions): Make<number | undefined> {
  const made = compiled(at, () => expressions.template(template));
  return ({ value }) => {
    const found = made(value);
    if (found === null || found === "") return undefined;
    const partition = Number(textOf(found));
    if (Number.isInteger(partition) && partition >= 0) return partition;
    throw refusal(`${clipped(textOf(found), 100)} is no number of a partition.`);
  };
}

function bytesOf(value: Json, format: Format): Uint8Array | string | null {
  if (value === null) return null;
  if (format === "json") return JSON.stringify(value);
  if (typeof value !== "string") throw refusal(`With format: ${format} the value has to be a text.`);
  if (format === "text") return value;
  const bytes = fromBase64(value);
  if (bytes === undefined) throw refusal("The value is no Base64.");
  return bytes;
}

function refusal(message: string): ConnectorError {
  return new ConnectorError("VALIDATION_ERROR", message, { fault: "record" });
}
