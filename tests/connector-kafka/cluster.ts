import { randomUUID } from "node:crypto";
import type { Admin, Kafka, KafkaMessage } from "kafkajs";
import { afterAll, beforeAll } from "vitest";
import { type KafkaConfig, kafka } from "../../connectors/kafka/index.ts";
import type {
  Connector,
  ConnectorContext,
  Cursor,
  Destination,
  DestinationMode,
  Json,
  ReadBatch,
  Source,
  SourceOptions,
  WriteFailure,
} from "../../connectors/sdk/index.ts";
import { expressions } from "../../runtime/mapping/index.ts";
import { KafkaBroker } from "../support/kafka.ts";
import { tempDir } from "../support/temp-dir.ts";

export const never = new AbortController().signal;
export const aims = { records: 500, bytes: 100_000 };
export const context: ConnectorContext = { dataDir: "/nonexistent", fileRoots: [], expressions };

/** A broker for the tests of a file, started before them, and ways to look into it. */
export function useKafka(settings: readonly string[] = []): KafkaTools {
  const tools = new KafkaTools();
  const ends: (() => unknown)[] = [];
  beforeAll(async () => {
    const atEnd = (end: () => unknown) => ends.push(end);
    tools.broker = await KafkaBroker.start({ folder: tempDir(atEnd), atEnd, settings });
    tools.outside = tools.broker.client();
    tools.admin = tools.outside.admin();
    await tools.admin.connect();
  });
  afterAll(async () => {
    await tools.close();
    for (const end of ends.reverse()) await end();
  });
  return tools;
}

export interface Written {
  readonly key?: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers?: Readonly<Record<string, string | Buffer | (string | Buffer)[]>>;
  readonly partition?: number;
}

/** kafkajs as it comes is the other side: written and read with code that is not ours. */
export class KafkaTools {
  broker!: KafkaBroker;
  outside!: Kafka;
  admin!: Admin;
  readonly #connectors: Connector[] = [];

  /** A new topic's name. */
  async topic(partitions = 1, settings: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = `t-${randomUUID()}`;
    await this.broker.createTopic(name, partitions, settings);
    return name;
  }

  async produce(topic: string, messages: readonly Written[], compression = 0): Promise<void> {
    // Idempotent: where one partition refuses, kafkajs sends those again that took theirs, which would be there twice.
    const producer = this.outside.producer({ allowAutoTopicCreation: false, idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    try {
      await producer.send({
        topic,
        compression,
        messages: messages.map(({ headers, ...message }) => ({
          ...message,
          ...(headers && { headers: { ...headers } }),
        })),
      });
    } finally {
      await producer.disconnect();
    }
  }

  /** All messages of a topic, by partition and offset. */
  async messages(topic: string): Promise<(KafkaMessage & { readonly partition: number })[]> {
    const ends = (await this.admin.fetchTopicOffsets(topic)).filter(({ low, high }) => Number(high) > Number(low));
    const found: (KafkaMessage & { readonly partition: number })[] = [];
    if (ends.length === 0) return found;
    const consumer = this.outside.consumer({
      groupId: `look-${randomUUID()}`,
      maxWaitTimeInMs: 100,
      retry: { retries: 10 },
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const left = new Map(ends.map(({ partition, high }) => [partition, Number(high)]));
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error);
      });
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
        if (Number(payload.lastOffset) + 1 >= (left.get(payload.partition) ?? 0)) left.delete(payload.partition);
        if (left.size === 0) resolve();
      });
      consumer
        .run({
          autoCommit: false,
          eachMessage: async ({ partition, message }) => {
            found.push({ ...message, partition });
          },
        })
        .catch(reject);
    });
    await consumer.disconnect();
    return found.sort((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset));
  }

  async values(topic: string): Promise<Json[]> {
    return (await this.messages(topic)).map(({ value }) => JSON.parse(String(value)) as Json);
  }

  connector(config: Partial<KafkaConfig> = {}): Connector {
    const connector = kafka.create({ brokers: [this.broker.address], ...config }, context);
    this.#connectors.push(connector);
    return connector;
  }

  open(options: Partial<SourceOptions> & { stream: string }, config: Partial<KafkaConfig> = {}): Promise<Source> {
    const all = {
      mode: "incremental" as const,
      cursorField: undefined,
      from: null,
      batch: aims,
      signal: never,
      ...options,
    };
    return this.connector(config).openSource!(all);
  }

  /** All batches up to the end, each told to be in the log. */
  async batches(
    options: Partial<SourceOptions> & { stream: string },
    config: Partial<KafkaConfig> = {},
  ): Promise<ReadBatch[]> {
    const source = await this.open(options, config);
    const batches: ReadBatch[] = [];
    try {
      for await (const batch of source.read()) {
        if (batch.count === 0) continue;
        batches.push(batch);
        source.stored?.(stored(batch.cursor));
      }
    } finally {
      await source.close();
    }
    return batches;
  }

  async records(
    options: Partial<SourceOptions> & { stream: string },
    config: Partial<KafkaConfig> = {},
  ): Promise<Json[]> {
    return (await this.batches(options, config)).flatMap(recordsIn);
  }

  destination(
    stream: string,
    config: Partial<KafkaConfig> = {},
    mode: DestinationMode = "append",
    key: string[] = [],
  ): Promise<Destination> {
    return this.connector(config).openDestination!({ stream, mode, key, runId: "run", state: null, signal: never });
  }

  /** Of the first partition, as retention does. */
  async deleteBefore(topic: string, offset: number): Promise<void> {
    // The one that is there does not know the topic's leader.
    const admin = this.outside.admin();
    await admin.connect();
    try {
      await admin.fetchTopicMetadata({ topics: [topic] });
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
    } finally {
      await admin.disconnect();
    }
  }

  /** What the group has committed, by partition; -1 for nothing. */
  async committed(groupId: string, topic: string): Promise<number[]> {
    const [found] = await this.admin.fetchOffsets({ groupId, topics: [topic] });
    return (found?.partitions ?? []).sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset));
  }

  async close(): Promise<void> {
    for (const connector of this.#connectors) await connector.close();
    await this.admin?.disconnect();
  }
}

export function textsIn({ data, count }: ReadBatch): string[] {
  return count === 0 ? [] : Buffer.from(data).toString().split("\n");
}

export function recordsIn(batch: ReadBatch): Json[] {
  return textsIn(batch).map((text) => JSON.parse(text) as Json);
}

/** As it comes back from the log. */
export function stored(cursor: Cursor): Cursor {
  return JSON.parse(JSON.stringify(cursor)) as Cursor;
}

export async function write(
  destination: Destination,
  records: readonly Json[],
  more: { readonly ordered?: boolean; readonly signal?: AbortSignal } = {},
): Promise<readonly WriteFailure[]> {
  const out = records.map((value, index) => ({ text: JSON.stringify(value), value, id: `id-${index}` }));
  const { failed = [] } = await destination.write({ records: out, signal: never, ...more });
  return failed.toSorted((a, b) => a.index - b.index);
}
