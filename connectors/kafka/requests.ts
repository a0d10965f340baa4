import type { OwnRequest } from "./kafkajs.ts";
import type { Aborted } from "./record-batch.ts";
import type { Reader, Writer } from "./wire.ts";

export interface FetchPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface Fetched {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** Where the partition begins now: what lies below was deleted. */
  readonly logStart: number;
  readonly aborted: readonly Aborted[];
  readonly records: Buffer;
}

const readCommitted = 1;

/** Version 11 (Kafka 2.3): the first that has all of zstd, the beginning of the log and the rack. */
export function fetchRequest(
  partitions: readonly FetchPartition[],
  limits: { readonly waitMs: number; readonly bytes: number; readonly partitionBytes: number },
): OwnRequest<readonly Fetched[]> {
  return {
    apiKey: 1,
    apiVersion: 11,
    apiName: "Fetch",
    write(to) {
      to.int32(-1).int32(limits.waitMs).int32(1).int32(limits.bytes).int8(readCommitted).int32(0).int32(-1);
      writeByTopic(to, partitions, ({ partition, offset }) =>
        to.int32(partition).int32(-1).int64(offset).int64(-1).int32(limits.partitionBytes),
      );
      to.int32(0).string("");
    },
    read(from) {
      from.int32();
      const errorCode = from.int16();
      from.int32();
      return from
        .array(() => {
          const topic = from.string();
          return from.array(() => fetched(topic, from, errorCode));
        })
        .flat();
    },
  };
}

function fetched(topic: string, from: Reader, whole: number): Fetched {
  const partition = from.int32();
  const errorCode = from.int16() || whole;
  from.int64();
  from.int64();
  const logStart = from.int64();
  const aborted = from.array(() => ({ producerId: from.int64(), firstOffset: from.int64() }));
  from.int32();
  const records = from.take(Math.max(from.int32(), 0));
  return { topic, partition, errorCode, logStart, aborted, records };
}

export interface ProducePartition {
  readonly topic: string;
  readonly partition: number;
  /** A batch, ready to send. */
  readonly batch: Buffer;
}

export interface Produced {
  readonly partition: number;
  readonly errorCode: number;
}

/** Version 7 (Kafka 2.1): the first that takes zstd. All replicas in sync have to confirm. */
export function produceRequest(
  partitions: readonly ProducePartition[],
  timeoutMs: number,
): OwnRequest<readonly Produced[]> {
  return {
    apiKey: 0,
    apiVersion: 7,
    apiName: "Produce",
    write(to) {
      to.int16(-1).int16(-1).int32(timeoutMs);
      writeByTopic(to, partitions, ({ partition, batch }) => to.int32(partition).int32(batch.length).raw(batch));
    },
    read(from) {
      return from
        .array(() => {
          from.string();
          return from.array(() => {
            const produced = { partition: from.int32(), errorCode: from.int16() };
            from.at += 24;
            return produced;
          });
        })
        .flat();
    },
  };
}

function writeByTopic<T extends { readonly topic: string }>(
  to: Writer,
  partitions: readonly T[],
  write: (each: T) => void,
): void {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic);
  to.int32(byTopic.size);
  for (const [topic, each] of byTopic) {
    to.string(topic).int32(each.length);
    for (const partition of each) write(partition);
  }
}
