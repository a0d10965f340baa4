import type { Clock } from "../ports/clock.ts";
import type { Props, Ref, StopReason, Terminated } from "./actor.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { SystemMessage } from "./mailbox.ts";
import type { Directive, Failure, FailureHistory, Verdict } from "./strategy.ts";

/** For logs and metrics. Hooks must not throw. */
export interface Hooks {
  /** An actor failed, with what its supervisor decided. A failure in `stopped` changes nothing: `resume`. */
  onFailure?(failure: { path: string; error: unknown; directive: Directive; delayMs: number }): void;
  /** An actor is being made anew. */
  onRestart?(path: string): void;
  /** Mail to a stopped actor, or left in the mailbox when it stopped. */
  onUndeliverable?(path: string, message: unknown): void;
}

/** What all cells of a system share. */
export interface Environment {
  readonly clock: Clock;
  readonly hooks: Hooks;
  readonly dispatcher: Dispatcher;
  /** How long a stop, or the teardown before a restart, may take. */
  readonly stopTimeoutMs: number;
}

/** `suspended`: not yet started, or failed and not yet started again; its mail waits. */
export type State = "suspended" | "starting" | "running" | "stopping" | "stopped";

export interface ActorInfo {
  readonly path: string;
  readonly state: State;
  /** Messages that wait. */
  readonly mail: number;
  readonly restarts: number;
}

/** A cell as the tree sees it, whatever its messages are. */
export interface Member extends Ref<never> {
  readonly children: ReadonlyMap<string, Member>;
  readonly terminated: Promise<Terminated>;
  readonly environment: Environment;
  info(): ActorInfo;
  /** Begins to stop, without a deadline of its own. */
  halt(reason: StopReason): void;
  /** Begins to drain, without a deadline of its own. */
  finish(): void;
  stop(reason: StopReason, deadlineMs?: number): Promise<Terminated>;
  drain(deadlineMs?: number): Promise<Terminated>;
  /** Counts as stopped from now on, its children first, whatever it still does. */
  giveUp(error: Error): void;
  /** Calls back once, in a later turn where it has stopped before; the function returned takes it back. */
  onTerminated(callback: (terminated: Terminated) => void): () => void;
}

export type ChildFailure = Omit<Failure, "now" | "random">;

export interface Supervisor extends Member {
  judge(failure: ChildFailure, history: FailureHistory): Verdict;
  /** A child could not be restarted, since its last incarnation did not end. */
  exhausted(error: Error): void;
  /** The failure is the actor's own; returns what became of it. */
  fail(error: unknown): Directive;
  removeChild(name: string): void;
}

/** A cell as its own incarnations see it. */
export interface Owner<M> extends Ref<M>, Omit<Supervisor, "tell"> {
  readonly parent: Supervisor | null;
  spawn<C>(props: Props<C>, name?: string): Ref<C>;
  post(message: SystemMessage): void;
}

/** The cell behind a ref. */
export function memberOf(ref: Ref<never>): Member {
  if ("giveUp" in ref) return ref as Member;
  throw new TypeError(`${ref.path} is not a ref of an actor system`);
}
