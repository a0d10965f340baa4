import { AckPolicy, DeliverPolicy, type StoredMsg } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type {
  AppendOptions,
  BatchHeader,
  Log,
  LogBatch,
  LogConsumer,
  LoggedHeader,
  LogLostError,
  LogStats,
} from "../../runtime/ports/log.ts";
import type { ClaimStore } from "../../runtime/ports/store.ts";
import { claimed } from "./claimed.ts";
import { batchHeader, batchHeaderName, decodeBatch, readHeader } from "./codec.ts";
import { JetStreamConsumer } from "./consumer.ts";
import { isConsumerNotFound } from "./errors.ts";
import type { NatsLink } from "./link.ts";
import { claimOfMessage, type MessageReader, reader, type Subjects } from "./stream.ts";
import { Writer } from "./writer.ts";

export interface LogOptions {
  readonly link: NatsLink;
  readonly subjects: Subjects;
  readonly claims: ClaimStore;
  readonly replicas: number;
  /** A message is delivered again when it was neither acknowledged nor worked on for so long. */
  readonly ackWaitMs: number;
  /** Messages a consumer may have unacknowledged; the server delivers no more. */
  readonly maxAckPending: number;
  readonly onUnconfirmed: () => void;
  readonly onClose: () => void;
}

/** A stream of nats-server as a log. */
export class JetStreamLog implements Log {
  readonly #options: LogOptions;
  readonly #link: NatsLink;
  readonly #subjects: Subjects;
  readonly #read: MessageReader;
  readonly #writer: Writer;
  readonly #consumers = new Set<JetStreamConsumer>();
  readonly #closing = new AbortController();

  constructor(options: LogOptions) {
    this.#options = options;
    this.#link = options.link;
    this.#subjects = options.subjects;
    this.#read = reader(options.link, options.subjects.stream, options.replicas);
    this.#writer = new Writer({ ...options, read: this.#read });
  }

  get confirmed(): number {
    return this.#writer.confirmed;
  }

  get lost(): LogLostError | undefined {
    return this.#writer.lost;
  }

  own(): Promise<number> {
    return this.#writer.own();
  }

  append(subject: string, batch: LogBatch, options: AppendOptions, signal?: AbortSignal) {
    return this.#writer.append(subject, batch, options.id, signal);
  }

  /** Without ordinals and origins, which are beside the body. */
  async last(subject: string): Promise<BatchHeader | null> {
    const message = await this.#lastMessage(subject);
    return message && batchHeader(readHeader(message.header.get(batchHeaderName)));
  }

  async next(subject: string, sequence: number): Promise<LoggedHeader | null> {
    const query = { seq: sequence + 1, next_by_subj: this.#subjects.any(subject) };
    const message = await this.#link.call(() => this.#read(query));
    return message && { sequence: message.seq, header: batchHeader(readHeader(message.header.get(batchHeaderName))) };
  }

  async get(sequence: number): Promise<LogBatch | null> {
    const message = await this.#retry(() => this.#read({ seq: sequence }));
    const header = message?.header.get(batchHeaderName);
    if (!message || !header) return null;
    const wire = readHeader(header);
    const payload =
      wire.claim === undefined ? message.data : await claimed(wire.claim, this.#options, this.#closing.signal);
    return payload && decodeBatch(wire, payload);
  }

  /**
   * Made from the log's first message on if the server does not have it: nothing is lost, but after a loss of the
   * server's folder what was acknowledged comes again.
   */
  async consumer(name: string, subjects: readonly string[], { again } = { again: false }): Promise<LogConsumer> {
    if (!/^[\w-]+$/.test(name)) throw new Error(`"${name}" is no name of a consumer`);
    const { stream } = this.#subjects;
    await this.#addConsumer(name, subjects, await this.#forget(name, again));
    const consumer = new JetStreamConsumer({
      link: this.#link,
      claims: this.#options.claims,
      stream,
      name,
      gapless: again,
      onClose: () => this.#consumers.delete(consumer),
    });
    this.#consumers.add(consumer);
    return consumer;
  }

  async rewind(name: string, subjects: readonly string[], sequence: number): Promise<void> {
    await this.#forget(name, true);
    await this.#addConsumer(name, subjects, sequence);
  }

  async #addConsumer(name: string, subjects: readonly string[], first: number | undefined): Promise<void> {
    const config = {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      ...(first === undefined
        ? { deliver_policy: DeliverPolicy.All }
        : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: first }),
      ack_wait: nanos(this.#options.ackWaitMs),
      max_ack_pending: this.#options.maxAckPending,
      max_deliver: -1,
      filter_subjects: subjects.map((subject) => this.#subjects.any(subject)),
    };
    await this.#retry(() => this.#link.jsm.consumers.add(this.#subjects.stream, config));
  }

  /** The sequence that a consumer must begin with to go on; where it needs none, or there was none, undefined. */
  async #forget(name: string, again: boolean): Promise<number | undefined> {
    const { stream } = this.#subjects;
    const { jsm } = this.#link;
    const known = <T>(ask: () => Promise<T>) =>
      this.#retry(() =>
        ask().catch((error: unknown) => {
          if (isConsumerNotFound(error)) return undefined;
          throw error;
        }),
      );
    const info = await known(() => jsm.consumers.info(stream, name));
    // Where a consumer begins cannot be changed.
    if (!info || (!again && info.config.deliver_policy === DeliverPolicy.All)) return undefined;
    // Should this be the last that is done here: the ledger knows what it settled.
    await known(() => jsm.consumers.delete(stream, name));
    return info.ack_floor.stream_seq === 0 ? undefined : info.ack_floor.stream_seq + 1;
  }

  async stats(): Promise<LogStats> {
    const { jsm } = this.#link;
    const { stream } = this.#subjects;
    const { state, config } = await this.#retry(() => jsm.streams.info(stream));
    const consumers: Record<string, LogStats["consumers"][string]> = {};
    await this.#retry(async () => {
      for await (const one of jsm.consumers.list(stream)) {
        consumers[one.name] = {
          pending: one.num_pending,
          unacknowledged: one.num_ack_pending,
          ackFloor: one.ack_floor.stream_seq,
        };
      }
    });
    const { bytes, messages, last_seq: last } = state;
    return { born: config.first_seq ?? 0, last, bytes, messages, consumers };
  }

  async subjects(): Promise<readonly string[]> {
    const { stream, all, nameOf } = this.#subjects;
    const { state } = await this.#retry(() => this.#link.jsm.streams.info(stream, { subjects_filter: all }));
    const names = Object.keys(state.subjects ?? {}).map(nameOf);
    return [...new Set(names.filter((name) => name !== undefined))];
  }

  /** By a consumer of its own that is given no bodies, and that the server forgets. */
  async *headers(subjects: readonly string[], from: number): AsyncGenerator<LoggedHeader> {
    const { jsm, js } = this.#link;
    const { stream } = this.#subjects;
    const config = {
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(1, from),
      headers_only: true,
      mem_storage: true,
      inactive_threshold: nanos(30_000),
      filter_subjects: subjects.map((subject) => this.#subjects.any(subject)),
    };
    const { name, num_pending } = await this.#retry(() => jsm.consumers.add(stream, config));
    try {
      const consumer = await this.#link.call(() => js.consumers.get(stream, name));
      for (let left = num_pending; left > 0; ) {
        const messages = await consumer.fetch({ max_messages: Math.min(left, 1_000), expires: 5_000 });
        let given = 0;
        for await (const { seq: sequence, headers } of messages) {
          given++;
          yield { sequence, header: batchHeader(readHeader(headers?.get(batchHeaderName) ?? "")) };
        }
        if (given === 0) throw new Error(`nats-server gives no more of ${stream}, of which ${left} messages are left`);
        left -= given;
      }
    } finally {
      await jsm.consumers.delete(stream, name).catch(() => {});
    }
  }

  async beyond({ bytes, ageMs }: { readonly bytes: number; readonly ageMs: number }): Promise<number> {
    const { jsm } = this.#link;
    const { stream, integrationId } = this.#subjects;
    const { state } = await this.#link.call(() => jsm.streams.info(stream));
    if (state.messages === 0) return 0;
    const total = state.bytes + (await this.#options.claims.bytes(integrationId));
    // By the average size, which is far too small where a message of long ago stays: the last one of a subject.
    const share = Math.max(0, 1 - bytes / total);
    const byAverage = state.first_seq - 1 + Math.floor((state.last_seq - state.first_seq + 1) * share);
    const bySize = Math.max(byAverage, this.#writer.recent.before(bytes));
    const oldest = new Date(Date.now() - ageMs);
    if (new Date(state.first_ts) >= oldest) return bySize;
    const young = await this.#link.call(() => jsm.direct.getMessage(stream, { start_time: oldest }));
    return Math.max(bySize, young === null ? state.last_seq : young.seq - 1);
  }

  async purge(subject: string, sequence: number): Promise<void> {
    const { jsm } = this.#link;
    const { stream } = this.#subjects;
    // Invariant 1: the last message is the checkpoint, and stays.
    const last = await this.#lastMessage(subject);
    if (last === null) return;
    const before = Math.min(sequence + 1, last.seq);
    const claims = await this.#claimsBefore(this.#subjects.claim(subject), before);
    await this.#link.call(() => jsm.streams.purge(stream, { filter: this.#subjects.any(subject), seq: before }));
    if (claims.length > 0) await this.#options.claims.remove(claims);
  }

  /** Deletes the stream and the large batches it refers to. For logs that nobody uses any more. */
  async remove(): Promise<void> {
    const { stream } = this.#subjects;
    const claims = await this.claims();
    await this.#link.call(() => this.#link.jsm.streams.delete(stream));
    if (claims.length > 0) await this.#options.claims.remove(claims);
  }

  /** The large batches that it refers to. */
  claims(): Promise<string[]> {
    return this.#claimsBefore(this.#subjects.allClaims, Number.POSITIVE_INFINITY);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the log is closed"));
    this.#writer.close();
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    this.#options.onClose();
  }

  async #claimsBefore(filter: string, before: number): Promise<string[]> {
    const claims: string[] = [];
    for (let seq = 1; ; ) {
      const query = { seq, next_by_subj: filter };
      const message = await this.#link.call(() => this.#read(query));
      if (message === null || message.seq >= before) return claims;
      const claim = claimOfMessage(message);
      if (claim !== undefined) claims.push(claim);
      seq = message.seq + 1;
    }
  }

  #lastMessage(name: string): Promise<StoredMsg | null> {
    // From the stream's leader, not by direct get: the newest one counts, also with replicas.
    const query = { last_by_subj: this.#subjects.any(name) };
    return this.#retry(() => this.#link.jsm.streams.getMessage(this.#subjects.stream, query));
  }

  #retry<T>(request: () => Promise<T>): Promise<T> {
    return this.#link.retry(request, { signal: this.#closing.signal, stream: this.#subjects.stream });
  }
}
