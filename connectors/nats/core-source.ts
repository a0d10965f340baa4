import { randomUUID } from "node:crypto";
import { headers, type Msg, type Subscription } from "@nats-io/transport-node";
import { type Cursor, type Json, parseExact, type ReadBatch, type Source, type SourceOptions } from "../sdk/index.ts";
import { Arrivals } from "./arrivals.ts";
import type { StreamConfig } from "./config.ts";
import type { Link } from "./connection.ts";
import { Collector, type Text, textsOf } from "./payload.ts";
import { isReservedSubject } from "./reserved.ts";

export interface CoreSourceOptions {
  readonly link: Link;
  readonly subject: string;
  readonly config: StreamConfig;
  readonly options: SourceOptions;
  /** Undefined: nobody is answered. */
  readonly reply?: (record: Json) => Json;
}

/** Whoever reads takes a source for dead that gives nothing for a minute. */
const quietMs = 5_000;
/** What may wait here while nobody takes it. What comes beyond is lost, and told. */
const waiting = { messages: 65_536, bytes: 64 * 1024 * 1024 };

/**
 * A subscription. What is sent while it is not there is lost, as core NATS has it. Requests are answered once they are
 * in the log.
 */
export class CoreSource implements Source {
  readonly #options: CoreSourceOptions;
  #subscription: Subscription | undefined;
  readonly #arrived = new Arrivals<Msg>();
  readonly #read: ReturnType<typeof textsOf>;
  /** Of this subscription: each has positions of its own. */
  readonly #session = randomUUID();
  /** Those that wait for an answer, by the count of records up to theirs. */
  #unanswered: { readonly at: number; readonly message: Msg; readonly text: Text }[] = [];
  #bytes = 0;
  #count = 0;
  #lost = 0;

  constructor(options: CoreSourceOptions) {
    this.#options = options;
    this.#read = textsOf(options.config);
  }

  #subscribe(): void {
    const { link, subject, config } = this.#options;
    link.lost.addEventListener("abort", () => this.#arrived.end(), { once: true });
    this.#subscription = link.connection.subscribe(subject, {
      ...(config.queue !== undefined && { queue: config.queue }),
      callback: (error, message) => {
        // What a wildcard finds of what nodes say to each other is nobody's record.
        if (error || isReservedSubject(message.subject)) return;
        if (this.#arrived.length >= waiting.messages || this.#bytes >= waiting.bytes) this.#lost++;
        else {
          this.#bytes += message.data.length;
          this.#arrived.push(message);
        }
      },
    });
  }

  async *read(): AsyncGenerator<ReadBatch> {
    const { link, subject, options } = this.#options;
    const { signal, batch } = options;
    const base = `${subject}#${this.#session}`;
    const collector = new Collector(base, batch);
    // Not before: what only tries whether it can be read takes no message from others of its queue group.
    this.#subscribe();
    await link.connection.flush().catch(() => {});
    link.lost.throwIfAborted();
    // The server has the subscription: nothing from here on is missed.
    yield collector.take({ session: this.#session, count: 0 });
    for (;;) {
      await this.#arrived.some(quietMs, signal);
      if (this.#arrived.length === 0) link.lost.throwIfAborted();
      for (
        let next = this.#arrived.peek();
        next && !collector.isFullFor(next.data.length);
        next = this.#arrived.peek()
      ) {
        this.#arrived.shift();
        this.#bytes -= next.data.length;
        const text = this.#read(next);
        collector.add(text, this.#count++, next.data);
        if (this.#options.reply && next.reply) this.#unanswered.push({ at: this.#count, message: next, text });
      }
      if (this.#lost > 0 && !collector.isFullFor(0)) {
        const [messages, message] = [
          this.#lost,
          `${this.#lost} messages of ${subject} were lost: they came faster than taken.`,
        ];
        this.#lost = 0;
        collector.lost(message, { subject, lost: messages }, this.#count++);
      }
      yield collector.take({ session: this.#session, count: this.#count });
    }
  }

  stored(cursor: Cursor): void {
    const { count } = cursor as { count: number };
    const { reply, link } = this.#options;
    if (!reply || link.connection.isClosed()) return;
    const left = this.#unanswered.findIndex(({ at }) => at > count);
    const done = this.#unanswered.splice(0, left === -1 ? this.#unanswered.length : left);
    for (const { message, text } of done) answer(message, text, reply);
  }

  async close(): Promise<void> {
    const { connection, close } = this.#options.link;
    if (!connection.isClosed()) {
      this.#subscription?.unsubscribe();
      await connection.flush().catch(() => {});
    }
    await close();
  }
}

/** What is no record becomes a dead letter, and its sender hears so. */
function answer(message: Msg, { text, fault }: Text, reply: (record: Json) => Json): void {
  let why = fault ?? "The message is no JSON.";
  try {
    if (text !== undefined) {
      const record = parseExact(Buffer.from(text).toString());
      why = "The reply cannot be made.";
      message.respond(JSON.stringify(reply(record)));
      return;
    }
  } catch {
    // Said below.
  }
  const refused = headers();
  refused.set("Nats-Service-Error", why);
  refused.set("Nats-Service-Error-Code", "400");
  message.respond("", { headers: refused });
}
