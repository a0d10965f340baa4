import type { JsonObject, ReadBatch } from "../../connectors/sdk/index.ts";
import { placeIn } from "../pipeline/index.ts";
import { decodeLines } from "../record/index.ts";

/** A record as it stood in its source, or why it is none. */
export interface SourceRecord {
  /** What it was read from, and its number there, from 1: a file and a line. */
  readonly position: { readonly base: string; readonly ordinal: number };
  /** The stream that it was read from; left out: the first source's. */
  readonly stream?: string;
  /** What scripts see of it in `meta` besides; left out: what a preview knows. */
  readonly meta?: JsonObject;
  /** Undefined: it could not be read, as `message` says. */
  readonly value: JsonObject | undefined;
  readonly message?: string;
}

/** The records of a batch as a connector reads it. */
export function recordsOf({ data, count, position, failures = [] }: ReadBatch): SourceRecord[] {
  const decoded = decodeLines(data, count);
  const messages = new Map([...decoded.failures, ...failures].map(({ index, message }) => [index, message]));
  return decoded.values.map((value, index) => {
    const message = messages.get(index);
    return {
      position: placeIn(position, index),
      value: message === undefined ? value : undefined,
      ...(message !== undefined && { message }),
    };
  });
}
