import { settingError } from "../sdk/index.ts";
import type { StreamConfig } from "./config.ts";
import { protocolError } from "./errors.ts";
import { errorName, type KafkaClient, type TopicMetadata } from "./kafkajs.ts";

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A partition, and the broker that has it; -1: none at the moment. */
export interface Led extends TopicPartition {
  readonly leader: number;
}

export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** Which topics a stream is. */
export class TopicChoice {
  readonly #names: readonly string[];
  readonly #pattern: RegExp | undefined;
  readonly #path: string;

  /** `at`: where `config` stands. */
  constructor(name: string, config: StreamConfig, at: string, path: string) {
    const { topic, topics, pattern } = config;
    const ways = Object.entries({ topic, topics, pattern }).filter(([, value]) => value !== undefined);
    if (ways.length > 1) {
      const [first, second] = ways.map(([way]) => way);
      throw settingError("VALIDATION_ERROR", `${at} has both ${first} and ${second}`, `${at}.${second}`);
    }
    this.#path = path;
    this.#names = topics ?? [topic ?? name];
    if (pattern === undefined) return;
    try {
      this.#pattern = new RegExp(`^(?:${pattern})$`, "u");
    } catch (error) {
      throw settingError("VALIDATION_ERROR", `${at}.pattern: ${(error as Error).message}`, `${at}.pattern`);
    }
  }

  /** A topic that is made later is one of these, and one that is deleted is none any more. */
  get isOpen(): boolean {
    return this.#pattern !== undefined;
  }

  /** The one topic that is written to. */
  get single(): string {
    const [name, ...more] = this.#names;
    if (this.#pattern || more.length > 0) {
      throw settingError("VALIDATION_ERROR", "A stream of several topics cannot be written", this.#path);
    }
    return name as string;
  }

  /** The partitions there are. Throws where a topic that is named is missing, naming the setting. */
  async partitions(client: KafkaClient): Promise<readonly Led[]> {
    const pattern = this.#pattern;
    const found = await client.metadata(pattern ? "all" : this.#names);
    const chosen = pattern ? found.filter(({ topic, isInternal }) => !isInternal && pattern.test(topic)) : found;
    const topics = pattern ? chosen.filter(({ topicErrorCode }) => topicErrorCode === 0) : chosen;
    return topics.flatMap((topic) => ledIn(topic, this.#path));
  }
}

function ledIn({ topic, topicErrorCode, partitionMetadata }: TopicMetadata, path: string): Led[] {
  const name = topicErrorCode === 0 ? undefined : errorName(topicErrorCode);
  if (name === "UNKNOWN_TOPIC_OR_PARTITION") {
    throw settingError("NOT_FOUND", `There is no topic ${JSON.stringify(topic)}`, path);
  }
  // One that was just made: it has no partitions yet.
  if (name !== undefined && name !== "LEADER_NOT_AVAILABLE") throw protocolError(name, `Topic ${topic}`, path);
  return partitionMetadata
    .map(({ partitionId: partition, leader }) => ({ topic, partition, leader }))
    .sort((a, b) => a.partition - b.partition);
}

export type When = "earliest" | "latest" | number;

/** The offsets that partitions have at a time (milliseconds since the epoch), at their beginning or their end. */
export async function offsetsAt(
  client: KafkaClient,
  partitions: readonly Led[],
  when: When,
): Promise<Map<string, number>> {
  const timestamp = when === "earliest" ? -2 : when === "latest" ? -1 : when;
  const offsets = new Map<string, number>();
  const byLeader = [...Map.groupBy(partitions, ({ leader }) => leader)];
  await Promise.all(
    byLeader.map(async ([leader, led]) => {
      const topics = [...Map.groupBy(led, ({ topic }) => topic)].map(([topic, each]) => ({
        topic,
        partitions: each.map(({ partition }) => ({ partition, timestamp })),
      }));
      const { responses } = await client.call(leader, (broker) => broker.listOffsets({ isolationLevel: 1, topics }));
      for (const { topic, partitions } of responses) {
        for (const { partition, offset } of partitions) offsets.set(keyOf({ topic, partition }), Number(offset));
      }
    }),
  );
  // After a time at which there is no message yet comes the end.
  const missing = partitions.filter((each) => offsets.get(keyOf(each)) === -1);
  if (missing.length > 0 && typeof when === "number") {
    for (const [key, offset] of await offsetsAt(client, missing, "latest")) offsets.set(key, offset);
  }
  return offsets;
}

/** The first offset that a partition has, and the one behind its last. */
export async function rangeOf(
  client: KafkaClient,
  partition: Led,
): Promise<{ readonly first: number; readonly end: number }> {
  const at = async (when: When) => (await offsetsAt(client, [partition], when)).get(keyOf(partition)) ?? 0;
  const [first, end] = await Promise.all([at("earliest"), at("latest")]);
  return { first, end };
}
