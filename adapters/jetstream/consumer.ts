import { setTimeout as delay } from "node:timers/promises";
import { createInbox, type Msg, nanos } from "@nats-io/transport-node";
import type { LogBatch, LogConsumer, LogMessage } from "../../runtime/ports/log.ts";
import type { ClaimStore } from "../../runtime/ports/store.ts";
import { claimed } from "./claimed.ts";
import { batchHeader, batchHeaderName, decodeBatch, readHeader, type WireHeader } from "./codec.ts";
import { ConsumerMissingError, isConsumerNotFound } from "./errors.ts";
import { backoffMs, type NatsLink } from "./link.ts";

export interface ConsumerOptions {
  readonly link: NatsLink;
  readonly claims: ClaimStore;
  readonly stream: string;
  readonly name: string;
  /** New on the server: it is given all messages from its first on, in order. */
  readonly gapless: boolean;
  readonly onClose: () => void;
}

/** How long the server keeps a pull open, and how often it says so. */
const expiresMs = 5_000;
const heartbeatMs = 1_000;

const ackBody = new TextEncoder().encode("+ACK");
const workingBody = new TextEncoder().encode("+WPI");
const nakBody = new TextEncoder().encode("-NAK");

/**
 * A durable pull consumer, one pull after another or several at once. The client's own `fetch` is not used: it leaves
 * what came after an abort to wait for `ack_wait`, where we give it back, and it does not end when the connection does.
 */
export class JetStreamConsumer implements LogConsumer {
  readonly #options: ConsumerOptions;
  readonly #link: NatsLink;
  readonly #closing = new AbortController();
  #delivered = 0;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#link = options.link;
  }

  /**
   * Waits while the server is away; ends early when the connection is lost in between (what was not yielded comes
   * again), and while the claim store is. Throws ConsumerMissingError or LogMissingError when the server no longer has the
   * consumer or the stream, and, where messages come in order, when one was lost on the way. Ends without an error when
   * `signal` aborts.
   */
  async *pull(limit: number, signal: AbortSignal): AsyncIterable<LogMessage> {
    const { connection } = this.#link;
    const { stream, name } = this.#options;
    if (!this.#link.connected) {
      await this.#link.whenConnected(AbortSignal.any([signal, this.#closing.signal])).catch(() => {});
    }
    const aborted = () => signal.aborted || this.#closing.signal.aborted;
    if (aborted()) return;
    const arrived: Msg[] = [];
    let received = 0;
    let heardAt = performance.now();
    let status: Msg | undefined;
    let over = false;
    let wake = () => {};
    const end = () => {
      over = true;
      wake();
    };
    const inbox = createInbox();
    const subscription = connection.subscribe(inbox, {
      callback: (_error, message) => {
        heardAt = performance.now();
        // The server's own messages come to the inbox, those of the log under their subject.
        if (message.subject !== inbox) {
          arrived.push(message);
          received++;
          over ||= received >= limit;
          wake();
        } else if (message.headers?.code !== 100) {
          status = message;
          end();
        }
      },
    });
    const silence = setInterval(() => {
      if (performance.now() - heardAt > 3 * heartbeatMs) end();
    }, heartbeatMs);
    const offChange = this.#link.onChange(end);
    signal.addEventListener("abort", end);
    this.#closing.signal.addEventListener("abort", end);
    try {
      connection.publish(
        `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`,
        JSON.stringify({ batch: limit, expires: nanos(expiresMs), idle_heartbeat: nanos(heartbeatMs) }),
        { reply: inbox },
      );
      while (!aborted()) {
        const [message] = arrived;
        if (message !== undefined) {
          const opened = await this.#open(message, signal).catch((error: unknown) => {
            if (!aborted()) throw error;
          });
          if (opened === undefined) break;
          arrived.shift();
          yield opened;
        } else if (over) break;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
      if (status !== undefined && !aborted()) await this.#explain(status);
    } finally {
      subscription.unsubscribe();
      clearInterval(silence);
      offChange();
      signal.removeEventListener("abort", end);
      this.#closing.signal.removeEventListener("abort", end);
      // What nobody took goes back at once, to whoever pulls next.
      for (const { reply = "" } of arrived) this.#tell(reply, nakBody);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the consumer is closed"));
    this.#options.onClose();
  }

  /** A pull ends with 408 when its time is over; anything else may mean that consumer or stream is gone. */
  async #explain(status: Msg): Promise<void> {
    if (status.headers?.code === 408) return;
    const { stream, name } = this.#options;
    try {
      await this.#link.call(() => this.#link.jsm.consumers.info(stream, name));
    } catch (error) {
      if (isConsumerNotFound(error)) {
        throw new ConsumerMissingError(`nats-server has lost the consumer ${name} of the log ${stream}`);
      }
      await this.#link.requireStream(stream);
    }
    // A new leader, a server on its way down: the next pull will tell. Not at once.
    await delay(backoffMs(2));
  }

  async #open(message: Msg, signal: AbortSignal): Promise<LogMessage> {
    const wire = readHeader(message.headers?.get(batchHeaderName) ?? "");
    const either = () => AbortSignal.any([signal, this.#closing.signal]);
    const payload = wire.claim === undefined ? message.data : await claimed(wire.claim, this.#options, either());
    // `$JS.ACK.[domain.account.]stream.consumer.deliveries.sequence.consumerSequence.time.pending[.random]`
    const reply = message.reply ?? "";
    const tokens = reply.split(".");
    const at = tokens.length === 9 ? 4 : 6;
    const sequence = Number(tokens[at + 1]);
    // The server counts what it sends to a consumer: whoever makes the consumer again gets the lost one first.
    if (this.#options.gapless && Number(tokens[at + 2]) !== ++this.#delivered) {
      throw new Error(
        `a message before ${sequence} of ${this.#options.stream} was lost on the way; taken again in order`,
      );
    }
    return {
      ...(payload === null ? this.#gone(wire, sequence) : decodeBatch(wire, payload)),
      sequence,
      deliveries: Number(tokens[at]),
      bytes: payload?.length ?? 0,
      // These hold the reply alone: they are kept until the message is settled, its body is not.
      ack: () => this.#ack(reply),
      working: () => this.#tell(reply, workingBody),
    };
  }

  #gone(wire: WireHeader, sequence: number): LogBatch & Pick<LogMessage, "gone"> {
    const gone = `${wire.count} records were too large for a message together (${sequence} of ${this.#options.stream}), and Postgres, which is to have them, does not: it was restored from an earlier state`;
    return { header: batchHeader(wire), body: new Uint8Array(), gone };
  }

  /** Until the server confirms it; also over a reconnect, since a server takes an ack for whichever delivery. */
  async #ack(reply: string): Promise<void> {
    const { connection } = this.#link;
    const request = () => connection.request(reply, ackBody, { timeout: 5_000 });
    await this.#link.retry(request, { signal: this.#closing.signal, stream: this.#options.stream });
  }

  #tell(reply: string, body: Uint8Array): void {
    if (this.#link.connected && !this.#link.connection.isClosed()) this.#link.connection.publish(reply, body);
  }
}
