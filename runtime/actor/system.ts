import { type Clock, realClock } from "../ports/clock.ts";
import type { Props, Ref, Terminated } from "./actor.ts";
import { Cell } from "./cell.ts";
import { Dispatcher } from "./dispatcher.ts";
import { type ActorInfo, type Hooks, type Member, memberOf } from "./member.ts";
import { oneForOne, type SupervisorStrategy } from "./strategy.ts";

export interface ActorSystemOptions {
  readonly clock?: Clock;
  readonly hooks?: Hooks;
  /** For the actors at the top; what they escalate stops them. */
  readonly supervision?: SupervisorStrategy;
  /** How long a stop may take where nothing else is said, and the teardown before a restart. Default 10,000. */
  readonly stopTimeoutMs?: number;
}

/** The root of a tree of actors. */
export class ActorSystem {
  readonly clock: Clock;
  readonly #guardian: Cell<never>;

  constructor(options: ActorSystemOptions = {}) {
    this.clock = options.clock ?? realClock;
    const environment = {
      clock: this.clock,
      hooks: options.hooks ?? {},
      dispatcher: new Dispatcher(),
      stopTimeoutMs: options.stopTimeoutMs ?? 10_000,
    };
    this.#guardian = new Cell<never>(environment, null, "", {
      create: () => ({ receive() {} }),
      supervision: options.supervision ?? oneForOne({ exhausted: "stop" }),
    });
  }

  /** Throws when the name is taken or the system stops. */
  spawn<M>(props: Props<M>, name?: string): Ref<M> {
    return this.#guardian.spawn(props, name);
  }

  /** Stops an actor now; resolves when it has stopped, or was given up at the deadline. */
  stop(ref: Ref<never>, deadlineMs?: number): Promise<Terminated> {
    return memberOf(ref).stop({ kind: "stop" }, deadlineMs);
  }

  /** Lets an actor finish: its mail, then its children's, then it stops. Past the deadline it is stopped. */
  drain(ref: Ref<never>, deadlineMs?: number): Promise<Terminated> {
    return memberOf(ref).drain(deadlineMs);
  }

  /** Resolves when the actor has stopped for good. */
  terminated(ref: Ref<never>): Promise<Terminated> {
    return memberOf(ref).terminated;
  }

  /** Stops all actors, depth first. What has not stopped by the deadline is given up. */
  shutdown(deadlineMs?: number): Promise<Terminated> {
    return this.#guardian.stop({ kind: "stop" }, deadlineMs);
  }

  /** All actors, parents first. */
  actors(): ActorInfo[] {
    return below(this.#guardian);
  }
}

function below(member: Member): ActorInfo[] {
  return [...member.children.values()].flatMap((child) => [child.info(), ...below(child)]);
}
