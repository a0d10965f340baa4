import { randomUUID } from "node:crypto";
import type { Cursor, Json } from "../sdk/index.ts";

/** Where reading stands, in the log beside the records. */
export interface KafkaCursor {
  /** Tells this reader's commits in a group from those of others. */
  readonly reader: string;
  /** By topic and partition: the offset of the next message; null for a partition that was not read. */
  readonly offsets: { readonly [topic: string]: readonly (number | null)[] };
}

export function cursorOf(from: Cursor): KafkaCursor {
  if (from === null) return { reader: randomUUID(), offsets: {} };
  return from as unknown as KafkaCursor;
}

export function offsetIn({ offsets }: KafkaCursor, topic: string, partition: number): number | undefined {
  return (Object.hasOwn(offsets, topic) ? offsets[topic]?.[partition] : undefined) ?? undefined;
}

/** The same with one partition further on. */
export function moved({ reader, offsets }: KafkaCursor, topic: string, partition: number, offset: number): KafkaCursor {
  const before = Object.hasOwn(offsets, topic) ? (offsets[topic] as readonly (number | null)[]) : [];
  const own = Array.from({ length: Math.max(before.length, partition + 1) }, (_, each) => before[each] ?? null);
  own[partition] = offset;
  return { reader, offsets: { ...offsets, [topic]: own } };
}

export function asJson(cursor: KafkaCursor): Json {
  return cursor as unknown as Json;
}
