import type { Actor, Props, Ref, StopReason, Terminated } from "./actor.ts";
import { CellContext } from "./context.ts";
import type { Runnable } from "./dispatcher.ts";
import { drainMark, Mailbox, type SystemMessage } from "./mailbox.ts";
import type { ActorInfo, ChildFailure, Environment, Member, Owner, State, Supervisor } from "./member.ts";
import {
  type Directive,
  type FailureHistory,
  judge,
  noFailures,
  oneForOne,
  type SupervisorStrategy,
  type Verdict,
} from "./strategy.ts";

const defaultStrategy = oneForOne();

/** An actor's place in the tree: its mailbox, its children and its life through all incarnations. */
export class Cell<M> implements Owner<M>, Runnable {
  readonly path: string;
  readonly parent: Supervisor | null;
  readonly environment: Environment;
  readonly children = new Map<string, Member>();
  readonly terminated: Promise<Terminated>;
  readonly #name: string;
  readonly #props: Props<M>;
  readonly #strategy: SupervisorStrategy;
  readonly #mailbox = new Mailbox<M>();
  readonly #watchers = new Set<(terminated: Terminated) => void>();
  #state: State = "suspended";
  /** Of the current incarnation; of the last one while suspended. */
  #context: CellContext<M>;
  #actor: Actor<M> | undefined;
  /** A promise of `receive` or of a system message is pending. */
  #busy = false;
  #queued = false;
  #history: FailureHistory = noFailures;
  #restarts = 0;
  #startedAt = 0;
  #spawned = 0;
  #outcome: Terminated | undefined;
  #reason: StopReason = { kind: "stop" };
  /** Of the deadline of a teardown before a restart, then of the backoff after it. */
  #cancelTimer: () => void = () => {};

  constructor(environment: Environment, parent: Supervisor | null, name: string, props: Props<M>) {
    this.environment = environment;
    this.parent = parent;
    this.#name = name;
    this.path = parent === null ? "" : `${parent.path}/${name}`;
    this.#props = props;
    this.#strategy = props.supervision ?? defaultStrategy;
    this.#context = new CellContext(this);
    this.terminated = new Promise((resolve) => this.#watchers.add(resolve));
    this.post({ type: "start" });
  }

  tell(message: M): void {
    if (this.#state === "stopping" || this.#state === "stopped") {
      this.environment.hooks.onUndeliverable?.(this.path, message);
      return;
    }
    this.#mailbox.user.push(message);
    if (this.#state === "running") this.#schedule();
  }

  post(message: SystemMessage): void {
    this.#mailbox.system.push(message);
    this.#schedule();
  }

  spawn<C>(props: Props<C>, name: string = props.name ?? `$${++this.#spawned}`): Ref<C> {
    if (this.#state === "stopping" || this.#state === "stopped") throw new Error(`${this.path || "the system"} stops`);
    if (name === "" || name.includes("/")) throw new Error(`"${name}" cannot name an actor`);
    if (this.children.has(name)) throw new Error(`${this.path} has a child named "${name}"`);
    const child = new Cell(this.environment, this, name, props);
    this.children.set(name, child);
    return child;
  }

  removeChild(name: string): void {
    this.children.delete(name);
  }

  info(): ActorInfo {
    const mail = this.#mailbox.user.length;
    return { path: this.path, state: this.#state, mail, restarts: this.#restarts };
  }

  onTerminated(callback: (terminated: Terminated) => void): () => void {
    if (this.#outcome === undefined) this.#watchers.add(callback);
    else void this.terminated.then(callback);
    return () => this.#watchers.delete(callback);
  }

  // Mail

  #schedule(): void {
    if (this.#queued || this.#busy) return;
    this.#queued = true;
    this.environment.dispatcher.schedule(this);
  }

  run(limit: number): number {
    this.#queued = false;
    let handled = 0;
    while (handled < limit && !this.#busy && this.#handleNext()) handled++;
    if (!this.#busy && (this.#mailbox.system.length > 0 || this.#hasMail())) this.#schedule();
    return handled;
  }

  #hasMail(): boolean {
    return this.#state === "running" && this.#mailbox.user.length > 0;
  }

  /** False when there is nothing to handle. */
  #handleNext(): boolean {
    try {
      const system = this.#mailbox.system.shift();
      if (system !== undefined) this.#await(this.#handle(system));
      else if (this.#hasMail()) this.#receive(this.#mailbox.user.shift() as M | typeof drainMark);
      else return false;
    } catch (error) {
      this.fail(error);
    }
    return true;
  }

  #receive(message: M | typeof drainMark): void {
    if (message === drainMark) this.#finish();
    else this.#await((this.#actor as Actor<M>).receive(message, this.#context));
  }

  /** Holds up the mail until the promise settles; a result that is none costs nothing. */
  #await(result: void | Promise<void>): void {
    if (!(result instanceof Promise)) return;
    this.#busy = true;
    const proceed = () => {
      this.#busy = false;
      this.#schedule();
    };
    result.then(proceed, (error: unknown) => {
      this.fail(error);
      proceed();
    });
  }

  #handle(message: SystemMessage): void | Promise<void> {
    switch (message.type) {
      case "start":
        return this.#start();
      case "restart":
        return this.#restart(message.error, message.delayMs);
      case "stop":
        return this.#teardown(this.#reason).then(() => this.#terminate(this.#reason));
      case "terminated":
        return message.notify();
    }
  }

  // Life

  #start(): void | Promise<void> {
    if (this.#state !== "suspended") return;
    this.#state = "starting";
    this.#startedAt = this.environment.clock.now();
    this.#context = new CellContext(this);
    this.#actor = this.#props.create();
    const started = this.#actor.started?.(this.#context);
    if (started instanceof Promise) return started.then(() => this.#ready());
    this.#ready();
  }

  #ready(): void {
    if (this.#state === "starting") this.#state = "running";
  }

  judge(failure: ChildFailure, history: FailureHistory): Verdict {
    const { clock } = this.environment;
    const now = clock.now();
    return judge(this.#strategy, history, { ...failure, now, random: clock.random });
  }

  /**
   * Decided at once by the parent's strategy and not by way of the parent's mailbox, so that a parent in a long
   * `receive` does not hold up its children's restarts.
   */
  fail(error: unknown): Directive {
    // The guardian at the top outlives its children: a failure that gets there stops the child it came from.
    if (this.parent === null || (this.#state !== "running" && this.#state !== "starting")) return "stop";
    const starting = this.#state === "starting";
    const { path } = this;
    const failure = { path, error, starting, startedAt: this.#startedAt };
    const { directive, delayMs, history } = this.parent.judge(failure, this.#history);
    this.#history = history;
    this.environment.hooks.onFailure?.({ path, error, directive, delayMs });
    // Where the supervisor goes on as it was, so does the child whose failure it took over.
    const outcome = directive === "escalate" && this.parent.fail(error) === "resume" ? "resume" : directive;
    if (outcome === "resume" && !starting) return "resume";
    if (outcome === "restart") this.#suspend(error, delayMs);
    else void this.stop({ kind: "failure", error });
    return outcome === "restart" ? "restart" : "stop";
  }

  #suspend(error: unknown, delayMs: number): void {
    this.#state = "suspended";
    this.#abort({ kind: "stop" });
    const { clock, stopTimeoutMs } = this.environment;
    this.#cancelTimer = clock.after(stopTimeoutMs, () => {
      const stuck = new Error(`${this.path} did not end within ${stopTimeoutMs} ms to be restarted`, { cause: error });
      this.giveUp(stuck);
      this.parent?.exhausted(stuck);
    });
    this.post({ type: "restart", error, delayMs });
  }

  exhausted(error: Error): void {
    if (this.#strategy.exhausted === "escalate") this.fail(error);
  }

  async #restart(error: unknown, delayMs: number): Promise<void> {
    await this.#teardown({ kind: "restart", error });
    if (this.#state !== "suspended") return;
    this.#cancelTimer();
    this.#cancelTimer = this.environment.clock.after(delayMs, () => {
      this.#restarts++;
      this.environment.hooks.onRestart?.(this.path);
      this.post({ type: "start" });
    });
  }

  halt(reason: StopReason): void {
    if (this.#state === "stopping" || this.#state === "stopped") return;
    this.#state = "stopping";
    this.#reason = reason;
    this.#cancelTimer();
    this.#abort({ kind: reason.kind === "drain" ? "drain" : "stop" });
    this.post({ type: "stop" });
  }

  stop(reason: StopReason, deadlineMs: number = this.environment.stopTimeoutMs): Promise<Terminated> {
    this.halt(reason);
    return this.#within(deadlineMs, () =>
      this.giveUp(new Error(`${this.path || "the system"} did not stop within ${deadlineMs} ms`)),
    );
  }

  drain(deadlineMs: number = this.environment.stopTimeoutMs): Promise<Terminated> {
    this.finish();
    return this.#within(deadlineMs, () => void this.stop({ kind: "stop" }));
  }

  finish(): void {
    if (this.#state === "stopping" || this.#state === "stopped") return;
    this.#mailbox.user.push(drainMark);
    this.#schedule();
  }

  /** The mail before the mark is handled. With children: they finish, and a second mark stands behind what they told. */
  #finish(): void {
    if (this.children.size === 0) {
      this.halt({ kind: "drain" });
      return;
    }
    for (const child of this.children.values()) child.finish();
    void this.#childrenTerminated().then(() => this.finish());
  }

  async #childrenTerminated(): Promise<void> {
    await Promise.all(Array.from(this.children.values(), (child) => child.terminated));
  }

  #within(deadlineMs: number, late: () => void): Promise<Terminated> {
    if (this.#outcome === undefined) this.onTerminated(this.environment.clock.after(deadlineMs, late));
    return this.terminated;
  }

  /** At once, in the middle of a handler too, and all the way down. */
  #abort(reason: StopReason): void {
    this.#context.abort();
    for (const child of this.children.values()) child.halt(reason);
  }

  /** Depth first: the children have stopped before the actor is told. */
  async #teardown(reason: StopReason): Promise<void> {
    await this.#childrenTerminated();
    await this.#context.tasksEnded();
    const actor = this.#actor;
    this.#actor = undefined;
    try {
      await actor?.stopped?.(this.#context, reason);
    } catch (error) {
      this.environment.hooks.onFailure?.({ path: this.path, error, directive: "resume", delayMs: 0 });
    }
  }

  giveUp(error: Error): void {
    for (const child of this.children.values()) child.giveUp(error);
    this.#terminate({ kind: "timeout", error });
  }

  #terminate(reason: StopReason): void {
    if (this.#outcome !== undefined) return;
    this.#state = "stopped";
    this.#cancelTimer();
    this.#outcome = { ref: this, reason };
    while (this.#mailbox.user.length > 0) {
      const message = this.#mailbox.user.shift();
      if (message !== drainMark) this.environment.hooks.onUndeliverable?.(this.path, message);
    }
    this.parent?.removeChild(this.#name);
    for (const watcher of this.#watchers) watcher(this.#outcome);
    this.#watchers.clear();
  }
}
