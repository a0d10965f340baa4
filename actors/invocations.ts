import { randomUUIDv7 } from "node:crypto";
import type { Correlation } from "../connectors/sdk/index.ts";
import { backoffMs } from "../runtime/actor/index.ts";
import type { Undelivered } from "../runtime/delivery/index.ts";
import { RetryLaterError } from "../runtime/errors/index.ts";
import { recordId } from "../runtime/pipeline/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { Invocation, Invoked, InvokeError } from "../runtime/ports/invoke.ts";
import type { BatchHeader } from "../runtime/ports/log.ts";
import type { ScheduledRetry } from "../runtime/ports/retries.ts";
import type { Space } from "../runtime/ports/space.ts";
import { Call } from "./invocation.ts";
import { InvokedBatch } from "./invoked-batch.ts";
import { positionBase } from "./source-name.ts";
import type { Vitals } from "./vitals.ts";

/** Whose callers wait at once, for one integration. */
const openMax = { records: 2_000, bytes: 32 * 1024 * 1024 };
/** What goes to the log together. */
const batchMax = { records: 100, bytes: 512 * 1024 };
/** Between a run that failed and the next one that is opened for a call. */
const retry = { initialMs: 500, maxMs: 30_000, multiplier: 2, jitter: 0.2 };
/** Until it may be otherwise, about. */
const soonMs = 1_000;

export interface InvocationsOptions {
  readonly integrationId: string;
  readonly clock: Clock;
  readonly vitals: Pick<Vitals, "openCircuits">;
  readonly space: Pick<Space, "reason">;
}

/** A run that takes what waits. */
export interface Taker {
  readonly run: { readonly id: string; readonly integrationVersion: number };
  /** Something waits. */
  pump(): void;
}

/** A group of calls for the log. */
export interface InvokedRecords {
  /** JSON texts separated by LF. */
  readonly data: Uint8Array;
  readonly header: Pick<BatchHeader, "count" | "position" | "invoked" | "correlations">;
  /** It goes to the log with this header. */
  appending(header: BatchHeader): void;
  /** It is in the log. */
  logged(): void;
  /** Whether it is there is not known. */
  lost(reason: InvokeError): void;
}

/**
 * Records of an integration whose callers wait, on the node that owns it: from when they come until they are answered. Kept
 * over the crashes of its actors, whose runs take them from here and say what becomes of them.
 */
export class Invocations {
  readonly #integrationId: string;
  readonly #clock: Clock;
  readonly #vitals: Pick<Vitals, "openCircuits">;
  readonly #space: Pick<Space, "reason">;
  readonly #waiting = new Set<Call>();
  /** In the log, or on the way there, by the base of their position. */
  readonly #batches = new Map<string, Map<number, Call>>();
  /** Which a destination has put off, by the record's id. */
  readonly #putOff = new Map<string, Call>();
  /** Which can be withdrawn. */
  readonly #byId = new Map<string, Call>();
  #open = { records: 0, bytes: 0 };
  #taker: Taker | undefined;
  #isPumping = false;
  #wanted: () => void = () => {};
  #refusal: { readonly until: number; readonly message: string } | undefined;
  #failures = 0;
  /** Why the run that is to take what waits does not get ready. */
  #held: string | null = null;
  #isClosed = false;

  constructor({ integrationId, clock, vitals, space }: InvocationsOptions) {
    this.#integrationId = integrationId;
    this.#clock = clock;
    this.#vitals = vitals;
    this.#space = space;
  }

  /** Resolves when it is through or its time is up. Throws RetryLaterError where it is not taken: nothing was done then. */
  invoke(invocation: Invocation): Promise<Invoked> {
    const { records, bytes } = this.#open;
    const size = invocation.record.length;
    if (records >= openMax.records || bytes + size > openMax.bytes) {
      throw new RetryLaterError(`${records} records wait for this integration already`, soonMs);
    }
    this.#mayTake();
    const call = new Call(invocation, this.#clock, (ended) => this.#ended(ended));
    this.#open = { records: records + 1, bytes: bytes + size };
    this.#waiting.add(call);
    if (call.perishable) this.#byId.set(invocation.id, call);
    if (!this.#isPumping) {
      this.#isPumping = true;
      // What came at the same time goes together.
      setImmediate(() => {
        this.#isPumping = false;
        this.#pump();
      });
    }
    return call.answered.promise;
  }

  /** Throws where it is known already that nothing gets through. */
  #mayTake(): void {
    if (this.#isClosed) throw new RetryLaterError("the integration is about to go on at another node", soonMs);
    const { reason } = this.#space;
    if (reason !== null) throw new RetryLaterError(reason, soonMs);
    const now = this.#clock.now();
    for (const [destination, { until, reason }] of Object.entries(this.#vitals.openCircuits)) {
      if (until > now) throw new RetryLaterError(closedTo(destination, reason), until - now);
    }
    if (this.#taker) return;
    if (this.#held !== null) throw new RetryLaterError(this.#held, soonMs);
    const refusedMs = (this.#refusal?.until ?? 0) - now;
    if (this.#refusal && refusedMs > 0) throw new RetryLaterError(this.#refusal.message, refusedMs);
  }

  /** Who waits for a destination that is called no more is told at once: what is in the log goes on once it is mended. */
  circuitsChanged(): void {
    const now = this.#clock.now();
    for (const [destination, { until, reason }] of Object.entries(this.#vitals.openCircuits)) {
      if (until <= now) continue;
      const error = { code: "UNAVAILABLE", message: closedTo(destination, reason) } as const;
      for (const call of this.#waiting) call.expire(error);
      for (const calls of this.#batches.values()) {
        for (const call of calls.values()) if (call.waitsFor(destination)) call.expire(error);
      }
    }
  }

  /** Why the run under way waits, or null. Who waits for it to get ready is told. */
  held(reason: string | null): void {
    this.#held = reason;
    if (reason === null || this.#taker) return;
    for (const call of this.#waiting) call.expire({ code: "UNAVAILABLE", message: reason });
  }

  /** Whoever asked for it waits no more. What is to be kept is kept all the same. */
  withdraw(id: string): void {
    this.#byId.get(id)?.expire({ code: "UNAVAILABLE", message: "whoever asked for it is gone" });
  }

  /** How many wait for a run. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The latest version of the integration that one which waits has seen. */
  get newest(): number {
    return Math.max(0, ...Array.from(this.#waiting, ({ invocation }) => invocation.integrationVersion));
  }

  /** Calls `wanted` when something waits and no run takes it. */
  onWanted(wanted: () => void): void {
    this.#wanted = wanted;
    this.#pump();
  }

  /** A run takes what waits, until the function returned is called. */
  attach(taker: Taker): () => void {
    this.#taker = taker;
    this.#failures = 0;
    this.#refusal = undefined;
    this.#held = null;
    this.#pump();
    return () => {
      if (this.#taker !== taker) return;
      this.#taker = undefined;
      this.#pump();
    };
  }

  readonly #noted = (call: Call): void => {
    if (call.recordId !== null) this.#putOff.set(call.recordId, call);
  };

  #pump(): void {
    if (this.#waiting.size === 0) return;
    if (this.#taker) this.#taker.pump();
    else this.#wanted();
  }

  /** Those that go to the log next; undefined: none waits. */
  take({ run }: Taker): InvokedRecords | undefined {
    if (this.#waiting.size === 0) return undefined;
    const position = { base: `invoke ${randomUUIDv7()}`, offset: 0 };
    const calls = new Map<number, Call>();
    const perishable: number[] = [];
    const texts: string[] = [];
    const correlations: (Correlation | null)[] = [];
    let bytes = 0;
    for (const call of this.#waiting) {
      const { record } = call.invocation;
      if (texts.length === batchMax.records || (bytes > 0 && bytes + record.length > batchMax.bytes)) break;
      this.#waiting.delete(call);
      call.place = "appending";
      call.runId = run.id;
      if (call.perishable) perishable.push(texts.length);
      call.origin = texts.length;
      call.base = position.base;
      calls.set(call.origin, call);
      texts.push(record);
      correlations.push(call.invocation.correlation);
      bytes += record.length;
    }
    this.#batches.set(position.base, calls);
    const each = (to: (call: Call) => void) => {
      for (const call of calls.values()) if (call.place === "appending") to(call);
    };
    return {
      data: Buffer.from(texts.join("\n")),
      header: { count: texts.length, position, invoked: { perishable }, correlations },
      appending: (header) => {
        const base = positionBase(header);
        for (const call of calls.values()) call.recordId = recordId(this.#integrationId, base, call.origin);
      },
      logged: () => each((call) => void (call.place = "logged")),
      lost: (reason) => each((call) => call.expire(reason)),
    };
  }

  /** Of a message of the log; undefined: nobody invoked its records. */
  batch({ invoked, position }: BatchHeader): InvokedBatch | undefined {
    if (invoked === undefined) return undefined;
    const calls = this.#batches.get(position.base);
    // It may be taken from the log before its append is known to have landed.
    for (const call of calls?.values() ?? []) if (call.place === "appending") call.place = "logged";
    return new InvokedBatch(calls ?? new Map(), invoked, this.#noted);
  }

  /** What came of records that were put off. */
  retried(destination: string, tried: readonly ScheduledRetry[], undelivered: readonly Undelivered[]): void {
    if (this.#putOff.size === 0) return;
    const failed = new Map(undelivered.map((failure) => [failure.index, failure]));
    for (const [index, { letter }] of tried.entries()) {
      const call = this.#putOff.get(letter.recordId);
      const at = call?.at(destination);
      const failure = failed.get(index);
      at?.taken();
      if (failure === undefined) at?.confirmed();
      else if (failure.retryInMs === undefined) at?.gaveUp(failure);
      else at?.putOff(failure);
      call?.check();
    }
  }

  /** A run has ended, by itself or by an error: what of it is not through is left in the log. */
  runEnded(runId: string, error: InvokeError | null): void {
    const reason = error ?? {
      code: "UNAVAILABLE",
      message: "its run was ended: what is left of it goes on in the next",
    };
    for (const calls of this.#batches.values()) {
      for (const call of calls.values()) if (call.runId === runId) call.expire(reason);
    }
    // What held that run up may be over: the next one says so itself.
    this.#held = null;
    if (error === null) return;
    for (const call of this.#waiting) call.expire(error);
    const ms = backoffMs(retry, ++this.#failures, this.#clock.random);
    this.#refusal = { until: this.#clock.now() + ms, message: `${error.code}: ${error.message}` };
  }

  /** The integration goes to another node, or is removed. */
  close(): void {
    this.#isClosed = true;
    const reason = { code: "UNAVAILABLE", message: "the integration has left this node" } as const;
    for (const call of this.#waiting) call.expire(reason);
    for (const calls of this.#batches.values()) for (const call of calls.values()) call.expire(reason);
  }

  #ended(call: Call): void {
    const { id, record } = call.invocation;
    this.#waiting.delete(call);
    const calls = this.#batches.get(call.base);
    calls?.delete(call.origin);
    if (calls?.size === 0) this.#batches.delete(call.base);
    this.#byId.delete(id);
    const { records, bytes } = this.#open;
    this.#open = { records: records - 1, bytes: bytes - record.length };
    if (call.recordId !== null) this.#putOff.delete(call.recordId);
  }
}

function closedTo(destination: string, reason: string): string {
  return `${destination}: ${reason} (its circuit is open)`;
}
