import type { StoredMsg } from "@nats-io/jetstream";
import type { HistoricBatch, LogHistory } from "../../runtime/ports/log.ts";
import type { ClaimStore } from "../../runtime/ports/store.ts";
import { batchHeader, batchHeaderName, decodeBatch, readHeader } from "./codec.ts";
import { isStreamNotFound } from "./errors.ts";
import type { NatsLink } from "./link.ts";
import { subjectsOf } from "./stream.ts";

/** Of messages that are held together: they come in order, and are handed out in the other. */
const atOnce = { messages: 64, bytes: 16 * 1024 * 1024 };

/** Reads the messages of ingest logs by themselves: no consumer is made, and nobody's position moves. */
export function logHistory(link: NatsLink, claims: Pick<ClaimStore, "get">): LogHistory {
  const { jsm } = link;

  async function infoOf(stream: string) {
    try {
      return (await link.call(() => jsm.streams.info(stream))).state;
    } catch (error) {
      if (isStreamNotFound(error)) return null;
      throw error;
    }
  }

  /** The first message from a time on; null: there is none. */
  const firstFrom = (stream: string, time: number) =>
    link.call(() => jsm.direct.getMessage(stream, { start_time: new Date(time) }));

  /** From `first` to `last`, all of them; null: several, and more than are held together. */
  async function between(stream: string, first: number, last: number): Promise<StoredMsg[] | null> {
    const messages: StoredMsg[] = [];
    let bytes = 0;
    for (let seq = first; seq <= last; ) {
      const got = await link.call(() =>
        jsm.direct.getBatch(stream, { seq, batch: Math.min(atOnce.messages, last - seq + 1), max_bytes: atOnce.bytes }),
      );
      let end = 0;
      for await (const message of got) {
        end = message.seq;
        bytes += message.data.length;
        if (message.seq <= last) messages.push(message);
      }
      if (end === 0) break;
      if (bytes > atOnce.bytes && messages.length > 1) return null;
      seq = end + 1;
    }
    return messages;
  }

  async function decoded(message: StoredMsg, nameOf: (subject: string) => string | undefined) {
    const header = message.header.get(batchHeaderName);
    const subject = nameOf(message.subject);
    if (!header || subject === undefined) return undefined;
    const wire = readHeader(header);
    if (wire.kind !== "records") return undefined;
    const payload = wire.claim === undefined ? message.data : await claims.get(wire.claim);
    const place = { subject, sequence: message.seq, at: message.time.getTime() };
    const batch = payload ? decodeBatch(wire, payload) : { header: batchHeader(wire), body: new Uint8Array() };
    return { ...batch, ...place, gone: !payload } satisfies HistoricBatch;
  }

  return {
    async *newestFirst(integrationId, { since, until }) {
      const { stream, nameOf } = subjectsOf(integrationId, "ingest");
      const state = await infoOf(stream);
      if (state === null || state.messages === 0) return;
      const [from, behind] = await Promise.all([
        since === undefined ? undefined : firstFrom(stream, since),
        until === undefined ? undefined : firstFrom(stream, until + 1),
      ]);
      if (from === null) return;
      const first = from?.seq ?? state.first_seq;
      let stretch = atOnce.messages;
      for (let last = behind ? behind.seq - 1 : state.last_seq; last >= first; ) {
        const begin = Math.max(first, last - stretch + 1);
        const messages = await between(stream, begin, last);
        if (messages === null) {
          stretch = Math.ceil(stretch / 4);
          continue;
        }
        stretch = Math.min(atOnce.messages, stretch * 2);
        for (const message of messages.reverse()) {
          const batch = await decoded(message, nameOf);
          if (batch) yield batch;
        }
        last = begin - 1;
      }
    },
  };
}
