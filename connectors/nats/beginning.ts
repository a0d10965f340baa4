import type { StreamInfo } from "@nats-io/jetstream";
import { ConnectorError, type Cursor } from "../sdk/index.ts";
import type { StreamConfig } from "./config.ts";
import { readThrough } from "./ranges.ts";

/**
 * `created`: of the stream, since one that was made anew counts from 1 again. `batch`: counts those of a reading. `read`:
 * what a durable consumer gave and may give again.
 */
export type Place = {
  readonly created: string;
  readonly sequence: number;
  readonly batch: number;
  readonly read?: [number, number][];
};

/** Where a reading begins. */
export interface Begin {
  /** Sequence of the message behind which is read. */
  readonly after: number;
  /** Nothing was read before. */
  readonly isFirst: boolean;
  readonly read?: [number, number][] | undefined;
  readonly lost?: { readonly message: string; readonly from: number; readonly to: number };
}

export function beginning(info: StreamInfo, stream: string, config: StreamConfig, from: Cursor): Begin {
  const place = from as unknown as Place | null;
  if (place === null) return { after: 0, isFirst: true };
  const { sequence } = place;
  const { last_seq: last } = info.state;
  if (place.created !== info.created) {
    const message = `Stream ${stream} was made anew on ${info.created}: what came after message ${sequence} of the former one is lost.`;
    return { after: 0, isFirst: true, lost: told({ message, from: sequence + 1, to: sequence + 1 }, config) };
  }
  // Read by sequence, all up to it was; by a durable consumer, some of it may be missing.
  const known: readonly (readonly [number, number])[] = place.read ?? [[1, sequence]];
  const read = known.filter(([from]) => from <= last).map(([from, to]): [number, number] => [from, Math.min(to, last)]);
  const after = readThrough(read);
  if (sequence > last) {
    const message = `Stream ${stream} ends at message ${last}, before message ${sequence} that was read: it was restored from an older state.`;
    return { after, isFirst: false, read, lost: told({ message, from: last + 1, to: sequence }, config) };
  }
  const lost = config.subject === undefined && !config.durable ? dropped(info, after, last + 1, config) : undefined;
  return { after: lost?.to ?? after, isFirst: false, read, ...(lost && { lost }) };
}

/** Messages behind `after` and before `before` that a limit of the stream has dropped. */
export function dropped({ config, state }: StreamInfo, after: number, before: number, { on_lost }: StreamConfig) {
  const to = Math.min(state.first_seq, before) - 1;
  // Where only the latest of each subject are kept, the others are meant to go.
  if (to <= after || config.max_msgs_per_subject > 0) return undefined;
  const message = `Messages ${after + 1} to ${to} of stream ${config.name} were deleted before they were read.`;
  return told({ message, from: after + 1, to }, { on_lost });
}

function told<T extends { readonly message: string }>(
  lost: T,
  { on_lost }: { readonly on_lost?: StreamConfig["on_lost"] | undefined },
): T {
  if (on_lost !== "fail") return lost;
  throw new ConnectorError("VALIDATION_ERROR", lost.message, { fault: "destination", path: "source.stream" });
}
