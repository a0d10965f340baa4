import { DiscardPolicy, RetentionPolicy, StorageType, type StoredMsg, type StreamConfig } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { LogKind } from "../../runtime/ports/log.ts";
import { batchHeaderName, readHeader } from "./codec.ts";
import { isStreamNotFound } from "./errors.ts";
import type { NatsLink } from "./link.ts";

/** Where things are in an integration's stream of one kind. `name` is a subject as the port knows it (`r.0`). */
export interface Subjects {
  readonly integrationId: string;
  /** `SLUICE_IN_…` or `SLUICE_OUT_…`, with the id without dashes. */
  readonly stream: string;
  /** One message for each take-over; the last one's sequence is the epoch. */
  readonly own: string;
  batch(name: string): string;
  /** References to batches that are too large for a message: apart, so that purging finds them without reading all. */
  claim(name: string): string;
  /** What a subject of the stream is called in the port; undefined: it holds no batches. */
  nameOf(subject: string): string | undefined;
  /** Batches and references of `name`. */
  any(name: string): string;
  readonly allClaims: string;
  readonly all: string;
}

export function subjectsOf(integrationId: string, kind: LogKind): Subjects {
  if (!/^[\w-]+$/.test(integrationId)) throw new Error(`"${integrationId}" is no id of an integration`);
  const prefix = `sluice.${kind === "ingest" ? "in" : "out"}.${integrationId}`;
  const at = (token: string, name: string) => {
    if (!/^[\w-]+(\.[\w-]+)*$/.test(name)) throw new Error(`"${name}" is no subject of a log`);
    return `${prefix}.${token}.${name}`;
  };
  return {
    integrationId,
    stream: `SLUICE_${kind === "ingest" ? "IN" : "OUT"}_${integrationId.replaceAll("-", "")}`,
    own: `${prefix}.own`,
    batch: (name) => at("batch", name),
    claim: (name) => at("claim", name),
    nameOf: (subject) => {
      const [token, ...name] = subject.slice(prefix.length + 1).split(".");
      return token === "batch" || token === "claim" ? name.join(".") : undefined;
    },
    any: (name) => at("*", name),
    allClaims: `${prefix}.claim.>`,
    all: `${prefix}.>`,
  };
}

/** The id that a stream is named after; undefined where it is no log of an integration. */
export function integrationOfStream(stream: string): string | undefined {
  const groups = /^SLUICE_(?:IN|OUT)_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(stream);
  return groups?.slice(1).join("-");
}

/** Kept until the product purges it: an age limit would delete the last cursor. */
export function streamConfig(
  subjects: Subjects,
  options: { readonly replicas: number; readonly maxBytes: number; readonly above: number },
): Partial<StreamConfig> & { readonly name: string } {
  return {
    name: subjects.stream,
    subjects: [subjects.all],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_bytes: options.maxBytes,
    max_age: 0,
    allow_direct: true,
    duplicate_window: nanos(120_000),
    // A log that was lost and is made anew goes on far above the sequences it had: they are epochs, and keys of what is
    // settled, which the store remembers. Microseconds since 1970: no log takes a million messages a second; but clocks
    // are set back.
    first_seq: Math.max(Date.now() * 1000, options.above + 1_000_000),
    num_replicas: options.replicas,
  };
}

/** In a stream's metadata, put there after it was made. */
const confirmed = { "sluice.made": "confirmed" };

/**
 * A nats-server that is killed while it makes a stream leaves its description without a checksum. It knows no such stream
 * when it is back, and when it makes it again adds none (nats-server 2.15, newFileStoreWithCreated): the stream works, and
 * is gone with all of its messages at the next start. A change of the description writes both.
 */
export async function confirmStream({ jsm }: NatsLink, stream: string): Promise<void> {
  await jsm.streams.update(stream, { metadata: confirmed });
}

/** How many copies a stream has, 0 where the server has no such stream; and whether it was confirmed. */
export async function foundStream(
  { jsm }: NatsLink,
  stream: string,
): Promise<{ readonly copies: number; readonly isConfirmed: boolean }> {
  try {
    const { num_replicas, metadata = {} } = (await jsm.streams.info(stream)).config;
    return {
      copies: num_replicas,
      isConfirmed: Object.entries(confirmed).every(([key, value]) => metadata[key] === value),
    };
  } catch (error) {
    if (isStreamNotFound(error)) return { copies: 0, isConfirmed: false };
    throw error;
  }
}

/** Reads a stream's message by its sequence, or the next of a subject. Null where there is none. */
export type MessageReader = (
  query: { readonly seq: number } | { readonly seq: number; readonly next_by_subj: string },
) => Promise<StoredMsg | null>;

/** With copies the leader is asked: the server that happens to answer a direct get may be behind. */
export function reader({ jsm }: NatsLink, stream: string, replicas: number): MessageReader {
  return replicas === 1
    ? (query) => jsm.direct.getMessage(stream, query)
    : (query) => jsm.streams.getMessage(stream, query);
}

/** The claim that a stored message refers to, or undefined. */
export function claimOfMessage(message: StoredMsg): string | undefined {
  const header = message.header.get(batchHeaderName);
  return header === "" ? undefined : readHeader(header).claim;
}
