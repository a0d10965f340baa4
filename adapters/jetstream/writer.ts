import { setTimeout as delay } from "node:timers/promises";
import { createInbox, headers, type Msg, nuid, type Subscription } from "@nats-io/transport-node";
import { messageOf } from "../../runtime/errors/index.ts";
import { type LogBatch, LogLostError, StaleOwnerError } from "../../runtime/ports/log.ts";
import type { ClaimStore } from "../../runtime/ports/store.ts";
import { batchHeaderName, encodeBatch, withClaim } from "./codec.ts";
import {
  type ApiProblem,
  apiCodes,
  isNoResponders,
  isPassing,
  LogBehindError,
  LogMissingError,
  reasonOf,
  reasonOfThrown,
} from "./errors.ts";
import { backoffMs, type NatsLink } from "./link.ts";
import { RecentBytes } from "./recent-bytes.ts";
import { claimOfMessage, type MessageReader, type Subjects } from "./stream.ts";

export interface Appended {
  readonly sequence: number;
  readonly duplicate: boolean;
}

interface Entry {
  readonly name: string;
  /** Message id, unique in the stream: the server deduplicates over all its subjects. */
  readonly id: string;
  /** Undefined while the payload is on its way to the claim store. */
  wire: { subject: string; header: string; payload: Uint8Array } | undefined;
  claim: string | undefined;
  /** Of the payload, wherever it is. */
  readonly bytes: number;
  readonly traceparent: string | undefined;
  /** Milliseconds of performance.now(), 0 when it was never sent. */
  sentAt: number;
  /** It was sent behind one that was not confirmed. */
  follows: boolean;
  done: boolean;
  readonly resolve: (result: Appended) => void;
  readonly reject: (reason: unknown) => void;
}

/** Room for subject, ids and expectations beside the batch's own header, in a server's max_payload. */
const overhead = 2048;
/** A disk that syncs may take long; in a cluster the leader died, and another one is there after about as long. */
const ackTimeoutMs = { alone: 10_000, cluster: 5_000 };
/** How often a cluster is asked where a stream ends: a new leader may be behind at first what it is to lead. */
const behindTries = 6;

/**
 * Appends to one stream, several at a time, so that what is in the log is always a beginning of what was asked for, in
 * that order, each batch once (invariant 1), also when the server dies in the middle:
 *
 * - Every append names the owner's epoch (invariant 5): `own` must still be the last message of its subject.
 * - An append behind one that is not yet confirmed names that one as the stream's last, by its id or, in a cluster, by
 *   its sequence: the server refuses it where its predecessor did not land, whatever the reason. So what lands of the queue is always its first part, even
 *   when copies of it arrive over an old and a new connection.
 * - When one fails (refused, no answer, connection lost) nothing more is sent. What landed is looked up in the stream,
 *   from the last confirmed sequence on; that needs no message id, so it holds however long the server was away. The
 *   rest is sent again, its first alone (it has no predecessor to name), and the others once that one is in. The ids
 *   only guard against copies that are still under way while we look.
 * - A server that comes back may have lost what it had confirmed: where the stream ends before that, nothing is appended
 *   to it any more. Sequences that are given a second time would be taken for what is settled already.
 *
 * Other writers of the stream (hooks) cost a refusal and a second try, never order.
 */
export class Writer {
  readonly recent = new RecentBytes();
  readonly #link: NatsLink;
  readonly #subjects: Subjects;
  readonly #claims: ClaimStore;
  readonly #read: MessageReader;
  /** Whether the server takes several appends at once that expect the same subject: not in a cluster. */
  readonly #fenceAll: boolean;
  readonly #ackTimeoutMs: number;
  readonly #onUnconfirmed: () => void;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  readonly #closing = new AbortController();
  readonly #offChange: () => void;
  /** Not confirmed, in order of the calls; the first `#sent` of them are sent in this attempt. */
  #queue: Entry[] = [];
  #sent = 0;
  /** Counts queue heads removed: reply subjects say `attempt.(removed + index)`. */
  #removed = 0;
  #attempt = 0;
  #state: "flowing" | "probing" | "recovering" = "flowing";
  #refusal: Error | undefined = new Error("a log must be owned before it is appended to");
  #epoch = 0;
  /** Everything of ours up to this sequence is confirmed. */
  #floor = 0;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    link: NatsLink;
    subjects: Subjects;
    claims: ClaimStore;
    read: MessageReader;
    replicas: number;
    onUnconfirmed: () => void;
  }) {
    this.#link = options.link;
    this.#subjects = options.subjects;
    this.#claims = options.claims;
    this.#read = options.read;
    this.#fenceAll = options.replicas === 1;
    this.#ackTimeoutMs = options.replicas === 1 ? ackTimeoutMs.alone : ackTimeoutMs.cluster;
    this.#onUnconfirmed = options.onUnconfirmed;
    this.#inbox = createInbox();
    this.#subscription = options.link.connection.subscribe(`${this.#inbox}.*.*`, {
      callback: (error, message) => {
        if (error) this.#fail(messageOf(error));
        else this.#onReply(message);
      },
    });
    this.#offChange = options.link.onChange((connected) => {
      if (!connected && this.#refusal === undefined) this.#fail(undefined);
    });
  }

  get confirmed(): number {
    return this.#floor;
  }

  get lost(): LogLostError | undefined {
    return this.#refusal instanceof LogLostError ? this.#refusal : undefined;
  }

  async own(): Promise<number> {
    if (this.lost) throw this.lost;
    // It was owned before, perhaps over another connection.
    if (this.#floor > 0) await this.#checkEnd().catch((error) => this.#end(error));
    if (this.#queue.length > 0) throw new Error("a log is taken over before anything is appended to it");
    const { stream, own } = this.#subjects;
    const msgID = `own:${nuid.next()}`;
    const body = JSON.stringify({ node: this.#link.name, at: new Date().toISOString() });
    const ack = await this.#link.retry(() => this.#link.js.publish(own, body, { msgID }), {
      signal: this.#closing.signal,
      stream,
    });
    if (ack.seq <= this.#floor) this.#end(this.#behind(ack.seq));
    // Answers to what was given up before say nothing of what comes.
    this.#attempt++;
    this.#epoch = this.#floor = ack.seq;
    this.#refusal = undefined;
    // Earlier owners' messages serve nothing more; another try at the next take-over if this one fails.
    void this.#link.jsm.streams.purge(stream, { filter: own, keep: 1 }).catch(() => {});
    return ack.seq;
  }

  /** One that cannot be appended leaves a hole: nothing behind it may land. */
  #encoded(batch: LogBatch): ReturnType<typeof encodeBatch> {
    try {
      return encodeBatch(batch);
    } catch (error) {
      this.#refusal ??= error as Error;
      throw error;
    }
  }

  append(name: string, batch: LogBatch, id: string, signal?: AbortSignal): Promise<Appended> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const subject = this.#subjects.batch(name);
      const { header, payload } = this.#encoded(batch);
      const abort = () => this.#abandon(entry, signal?.reason);
      const entry: Entry = {
        name,
        id: `${name}:${id}`,
        wire: undefined,
        claim: undefined,
        bytes: payload.length,
        traceparent: batch.header.traceparent,
        sentAt: 0,
        follows: false,
        done: false,
        resolve: (result) => {
          signal?.removeEventListener("abort", abort);
          resolve(result);
        },
        reject: (reason) => {
          signal?.removeEventListener("abort", abort);
          reject(reason);
        },
      };
      signal?.addEventListener("abort", abort);
      this.#queue.push(entry);
      const limit = this.#link.connection.info?.max_payload ?? 1024 * 1024;
      if (payload.length + header.length + overhead <= limit) {
        entry.wire = { subject, header, payload };
        this.#pump();
      } else {
        void this.#claim(entry, header, payload);
      }
    });
  }

  /** Rejects what is not confirmed. */
  close(): void {
    this.#closing.abort(new Error("the log is closed"));
    this.#lose(this.#closing.signal.reason);
    this.#offChange();
    this.#subscription.unsubscribe();
    this.#link.trouble(this, undefined);
  }

  /** Claim check: the payload goes to the store, and the append waits its turn in the queue meanwhile. */
  async #claim(entry: Entry, header: string, payload: Uint8Array): Promise<void> {
    const signal = this.#closing.signal;
    for (let tries = 1; entry.wire === undefined && this.#queue.includes(entry); tries++) {
      try {
        entry.claim = await this.#claims.put(this.#subjects.integrationId, payload);
        this.#link.trouble(entry, undefined);
        if (!this.#queue.includes(entry)) return this.#unclaim([entry.claim]);
        const reference = withClaim(header, entry.claim);
        entry.wire = { subject: this.#subjects.claim(entry.name), header: reference, payload: new Uint8Array() };
        this.#pump();
      } catch (error) {
        this.#link.trouble(entry, `a batch too large for the log cannot be stored (${messageOf(error)})`);
        await delay(backoffMs(tries), undefined, { signal }).catch(() => {});
      }
    }
    this.#link.trouble(entry, undefined);
  }

  #unclaim(ids: string[]): void {
    // One that stays behind costs its room, nothing else.
    void this.#claims.remove(ids).catch(() => {});
  }

  #pump(): void {
    while (this.#state !== "recovering" && this.#sent < this.#queue.length) {
      if (this.#state === "probing" && this.#sent > 0) return;
      const entry = this.#queue[this.#sent]!;
      if (entry.wire === undefined) return;
      this.#send(entry, entry.wire, this.#sent);
    }
  }

  #send(entry: Entry, wire: NonNullable<Entry["wire"]>, index: number): void {
    const head = headers();
    head.append("Nats-Msg-Id", entry.id);
    entry.follows = index > 0;
    if (entry.follows && this.#fenceAll) head.append("Nats-Expected-Last-Msg-Id", this.#queue[index - 1]!.id);
    // In a cluster only the first names the epoch. Those behind it name the sequence that the one before them gets, so a
    // new owner's message between them breaks the chain just the same. An id would be looked at by each copy: one that
    // was away and has caught up knows none (nats-server 2.15, processCatchupMsg), and takes nothing more for ever.
    if (entry.follows && !this.#fenceAll) {
      const ahead = this.#queue.slice(0, index).filter(({ done }) => !done).length;
      head.append("Nats-Expected-Last-Sequence", String(this.#floor + ahead));
    }
    if (index === 0 || this.#fenceAll) {
      head.append("Nats-Expected-Last-Subject-Sequence", String(this.#epoch));
      head.append("Nats-Expected-Last-Subject-Sequence-Subject", this.#subjects.own);
    }
    head.append(batchHeaderName, wire.header);
    // As the standard has it, for whoever else reads the stream: sluice reads its own header.
    if (entry.traceparent !== undefined) head.append("traceparent", entry.traceparent);
    this.#sent = index + 1;
    entry.sentAt = performance.now();
    if (!this.#link.connected) {
      this.#fail(undefined);
      return;
    }
    try {
      const reply = `${this.#inbox}.${this.#attempt}.${this.#removed + index}`;
      this.#link.connection.publish(wire.subject, wire.payload, { headers: head, reply });
    } catch (error) {
      this.#lose(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#timer ??= setTimeout(this.#onTimer, this.#ackTimeoutMs);
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    const first = this.#queue[0];
    if (this.#sent === 0 || first === undefined) return;
    const left = first.sentAt + this.#ackTimeoutMs - performance.now();
    if (left > 0) {
      this.#timer = setTimeout(this.#onTimer, left);
      return;
    }
    this.#fail(
      "nats-server does not confirm appends; its log says why. After a full disk it writes no more: it must be started again",
    );
    this.#onUnconfirmed();
  };

  #onReply(message: Msg): void {
    const [attempt, serial] = message.subject.slice(this.#inbox.length + 1).split(".");
    const entry = this.#queue[Number(serial) - this.#removed];
    // Answers to an earlier attempt say nothing that the look-up did not.
    if (Number(attempt) !== this.#attempt || entry === undefined || entry.done) return;
    if (message.headers?.code === 503) {
      this.#fail("JetStream is not ready");
      return;
    }
    const ack = message.json<{ seq: number; duplicate?: boolean; error?: ApiProblem }>();
    if (ack.error !== undefined) {
      this.#refused(ack.error, entry);
      return;
    }
    if (ack.duplicate !== true && ack.seq <= this.#floor) {
      this.#lose(this.#behind(ack.seq));
      return;
    }
    this.#confirm(entry, ack.seq, ack.duplicate === true);
    if (this.#state === "probing") this.#state = "flowing";
    this.#pump();
  }

  #confirm(entry: Entry, sequence: number, duplicate: boolean): void {
    entry.done = true;
    this.#well();
    if (!duplicate) {
      this.#floor = Math.max(this.#floor, sequence);
      this.recent.add(sequence, entry.bytes);
    }
    if (duplicate && entry.claim !== undefined) void this.#dropSpareClaim(entry.claim, sequence);
    entry.resolve({ sequence, duplicate });
    while (this.#queue[0]?.done) {
      this.#queue.shift();
      this.#removed++;
      this.#sent = Math.max(0, this.#sent - 1);
    }
  }

  #refused(problem: ApiProblem, { follows }: Entry): void {
    if (problem.err_code === apiCodes.wrongLastSequence && follows && !this.#fenceAll) {
      this.#fail(undefined);
    } else if (problem.err_code === apiCodes.wrongLastSequence) {
      const last = Number(/\d+$/.exec(problem.description)?.[0] ?? 0);
      const { stream } = this.#subjects;
      // Invariant 5: what a later owner's message came before is refused, and we do not try again.
      if (last > this.#epoch) this.#lose(new StaleOwnerError(`${stream} has a later owner (epoch ${last})`));
      else this.#lose(new LogMissingError(`the log ${stream} is not the one that was taken over: it was removed`));
    } else if (isPassing(problem)) {
      const ours = problem.err_code === apiCodes.wrongLastMessageId;
      this.#fail(ours ? undefined : reasonOf(problem));
    } else {
      this.#lose(new Error(`nats-server refuses an append to ${this.#subjects.stream}: ${problem.description}`));
    }
  }

  #fail(reason: string | undefined): void {
    if (this.#state === "recovering") return;
    this.#state = "recovering";
    this.#attempt++;
    this.#sent = 0;
    if (reason !== undefined) {
      this.#failures++;
      this.#link.trouble(this, reason);
    }
    void this.#recover();
  }

  async #recover(): Promise<void> {
    const signal = this.#closing.signal;
    while (!signal.aborted) {
      try {
        if (this.#failures > 0) await delay(backoffMs(this.#failures), undefined, { signal });
        await this.#link.whenConnected(signal);
        await this.#checkEnd();
        await this.#settleLanded();
        this.#state = "probing";
        // Nothing is left that would be confirmed, and end it then.
        if (this.#queue.length === 0) this.#well();
        return this.#pump();
      } catch (error) {
        if (signal.aborted) return;
        const gone = isNoResponders(error) ? await this.#link.requireStream(this.#subjects.stream).catch(asIs) : error;
        if (gone instanceof LogLostError) {
          this.#state = "flowing";
          return this.#lose(gone);
        }
        this.#failures++;
        if (this.#link.connected) this.#link.trouble(this, reasonOfThrown(error));
      }
    }
  }

  /** Throws LogLostError where the stream is gone, or ends before what it had confirmed. */
  async #checkEnd(): Promise<void> {
    const { stream } = this.#subjects;
    for (let tries = 1; ; tries++) {
      const { signal } = this.#closing;
      const { state } = await this.#link.retry(() => this.#link.jsm.streams.info(stream), { signal, stream });
      if (state.last_seq >= this.#floor) return;
      if (this.#fenceAll || tries === behindTries) throw this.#behind(state.last_seq);
      await delay(backoffMs(tries), undefined, { signal });
    }
  }

  #end(error: Error): never {
    if (error instanceof LogLostError) this.#lose(error);
    throw error;
  }

  #behind(last: number): LogBehindError {
    const { stream } = this.#subjects;
    return new LogBehindError(
      `the log ${stream} ends at sequence ${last}, and had confirmed ${this.#floor}: nats-server lost data, or was put back to an earlier state`,
    );
  }

  /** Confirms what is in the stream of the queue: its first part, up to the last that is found. */
  async #settleLanded(): Promise<void> {
    const tried = this.#queue.filter((entry) => entry.sentAt > 0);
    const found = new Map<string, number>();
    for (const name of new Set(tried.map((entry) => entry.name))) {
      const next_by_subj = this.#subjects.any(name);
      for (let seq = this.#floor + 1; ; ) {
        const query = { seq, next_by_subj };
        const message = await this.#link.call(() => this.#read(query));
        if (message === null) break;
        found.set(message.header.get("Nats-Msg-Id"), message.seq);
        seq = message.seq + 1;
      }
    }
    const last = tried.findLastIndex((entry) => found.has(entry.id));
    for (const entry of tried.slice(0, last + 1)) {
      const sequence = found.get(entry.id);
      if (entry.done || !this.#queue.includes(entry)) continue;
      // One that is not found before one that is was there before our own messages: a duplicate.
      this.#confirm(entry, sequence ?? found.get(tried[last]!.id)!, sequence === undefined);
    }
  }

  /** A duplicate of a large batch: the log refers to the copy that was stored first, unless that is ours. */
  async #dropSpareClaim(claim: string, sequence: number): Promise<void> {
    try {
      const message = await this.#link.call(() => this.#read({ seq: sequence }));
      if (message !== null && claimOfMessage(message) !== claim) this.#unclaim([claim]);
    } catch {
      // It stays behind.
    }
  }

  /**
   * The caller gives up on an append, and with it on those behind it: none may be in the log without it. If it was
   * sent it may still land, so the log must be taken over anew before it is appended to.
   */
  #abandon(entry: Entry, reason: unknown): void {
    const index = this.#queue.indexOf(entry);
    if (index < 0) return;
    const given = this.#queue.splice(index);
    this.#sent = Math.min(this.#sent, index);
    if (given.some((one) => one.sentAt > 0)) {
      this.#refusal = new StaleOwnerError(
        "an append was given up; the log must be owned again before it is appended to",
      );
    }
    for (const one of given) one.reject(reason);
    if (this.#queue.length === 0 && this.#state !== "recovering") this.#well();
  }

  #well(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#link.trouble(this, undefined);
  }

  #lose(error: Error): void {
    this.#refusal = error;
    this.#attempt++;
    this.#removed += this.#queue.length;
    this.#sent = 0;
    for (const entry of this.#queue.splice(0)) entry.reject(error);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#link.trouble(this, undefined);
  }
}

function asIs(error: unknown): unknown {
  return error;
}
