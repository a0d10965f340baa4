import type { Clock } from "../ports/clock.ts";
import type { SupervisorStrategy } from "./strategy.ts";

/** Where an actor's mail goes. Outlives restarts: the mailbox and the path stay the same. */
export interface Ref<in M> {
  readonly path: string;
  /** Never blocks and never throws; mail to a stopped actor is undeliverable and reported. */
  tell(message: M): void;
}

/** State, failure or concurrency behind a mailbox. One call at a time: a promise holds up the next message. */
export interface Actor<M> {
  started?(ctx: Context<M>): void | Promise<void>;
  receive(message: M, ctx: Context<M>): void | Promise<void>;
  /** Releases what `started` and `receive` took. Called once for each actor created, before it is re-created too. */
  stopped?(ctx: Context<M>, reason: StopReason): void | Promise<void>;
}

/** How to make an actor, and make it again. */
export interface Props<M> {
  readonly create: () => Actor<M>;
  /** How the actor supervises its children; a restart with backoff unless set. */
  readonly supervision?: SupervisorStrategy;
  /** Name among its siblings unless `spawn` is given one; made up where there is none. */
  readonly name?: string;
}

/**
 * - `stop`: asked to, now. `drain`: asked to, after its mail. `restart`: another actor takes its place.
 * - `failure`: its supervisor stopped it. `timeout`: it did not stop in time and was given up.
 */
export interface StopReason {
  readonly kind: "stop" | "drain" | "restart" | "failure" | "timeout";
  readonly error?: unknown;
}

export interface Terminated {
  readonly ref: Ref<never>;
  readonly reason: StopReason;
}

/** What an actor is given; belongs to one incarnation, and is void once `signal` has aborted. */
export interface Context<M> {
  readonly self: Ref<M>;
  /** Null at the top of the tree. */
  readonly parent: Ref<never> | null;
  readonly children: readonly Ref<never>[];
  /** Aborts at once when the actor is to stop or restart, in the middle of `receive` too. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Throws when the name is taken, or the incarnation is over. The actor starts in its own time. */
  spawn<C>(props: Props<C>, name?: string): Ref<C>;
  /** Stops now: mail that waits is undeliverable. Resolves when it has stopped; never await the stop of `self`. */
  stop(ref: Ref<never>, deadlineMs?: number): Promise<Terminated>;
  /** Handles the mail it has, then drains its children, then stops. Past the deadline it is stopped. */
  drain(ref: Ref<never>, deadlineMs?: number): Promise<Terminated>;
  /** Calls back as a system message, once, at once where the actor has stopped before. Ends with the incarnation. */
  watch(ref: Ref<never>, callback: (terminated: Terminated) => void | Promise<void>): void;
  /** Runs beside `receive`. Its rejection is the actor's failure; a stop or restart aborts it and waits for its end. */
  run(task: (signal: AbortSignal) => Promise<void>): void;
}
