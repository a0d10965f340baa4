import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { RetryLaterError, SluiceError } from "../../runtime/errors/index.ts";
import { type Authenticator, authenticate, type Identity } from "../auth/index.ts";
import type { EventStream } from "../services/index.ts";

const bounds = { ofCaller: 40, ofNode: 200, bufferBytes: 64 * 1024 };
/** How often it is looked whether a client reads, and still may; a key that is known is trusted for ten seconds. */
const lookMs = 1_000;

/** The streams of events that are open on this node. */
export class EventStreams {
  readonly #auth: Pick<Authenticator, "verify">;
  readonly #stuckMs: number;
  readonly #closing = new AbortController();
  readonly #open = new Map<string, number>();

  /** `stuckMs`: who takes nothing for so long is cut off. */
  constructor(auth: Pick<Authenticator, "verify">, stuckMs = 15_000) {
    this.#auth = auth;
    this.#stuckMs = stuckMs;
  }

  /** Throws RetryLaterError, RATE_LIMITED, where too many are open. */
  send(events: EventStream, { id }: Identity, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const close = this.#take(id);
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, this.#closing.signal]);
    /** When something was given that is not taken yet. */
    let givenAt: number | undefined;
    async function* chunks() {
      for await (const told of events.told(signal)) {
        givenAt = performance.now();
        yield told.map(({ event, data }) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join("") ||
          ": beat\n\n";
        givenAt = undefined;
      }
    }
    const body = Readable.from(chunks(), { objectMode: false, highWaterMark: bounds.bufferBytes });
    // What is cut off is read of no more; the connection closes with it.
    const cutOff = () => body.destroy();
    const look = setInterval(() => {
      if (givenAt !== undefined && performance.now() - givenAt > this.#stuckMs) return cutOff();
      authenticate(request.headers.authorization, this.#auth).catch((error: unknown) => {
        // While nobody can tell, it goes on.
        if (!(error instanceof SluiceError) || error.code !== "UNAVAILABLE") cutOff();
      });
    }, lookMs);
    const end = () => {
      gone.abort();
      clearInterval(look);
      close();
    };
    body.once("close", end);
    reply.raw.once("close", end);
    // Nobody on the way holds it back, and the connection is good for nothing else: it ends with the stream.
    reply.headers({ "x-accel-buffering": "no", connection: "close" });
    return reply.status(200).type("text/event-stream").send(body);
  }

  /** All of them end. */
  close(): void {
    this.#closing.abort();
  }

  /** Counts a stream until what is returned is called, once or more. */
  #take(caller: string): () => void {
    const count = this.#open.get(caller) ?? 0;
    const all = this.#open.values().reduce((sum, open) => sum + open, 0);
    if (count >= bounds.ofCaller || all >= bounds.ofNode) {
      const whose = count >= bounds.ofCaller ? `${count} streams of events of this caller` : `${all} streams of events`;
      throw new RetryLaterError(`${whose} are open on this node`, 10_000, "RATE_LIMITED");
    }
    this.#open.set(caller, count + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = (this.#open.get(caller) ?? 1) - 1;
      if (left === 0) this.#open.delete(caller);
      else this.#open.set(caller, left);
    };
  }
}
