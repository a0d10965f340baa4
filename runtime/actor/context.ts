import type { Clock } from "../ports/clock.ts";
import type { Context, Props, Ref, Terminated } from "./actor.ts";
import { memberOf, type Owner } from "./member.ts";

/** One incarnation's view of its cell. Void once aborted: what a crashed handler still does has no effect. */
export class CellContext<M> implements Context<M> {
  readonly #cell: Owner<M>;
  readonly #controller = new AbortController();
  readonly #tasks = new Set<Promise<void>>();

  constructor(cell: Owner<M>) {
    this.#cell = cell;
  }

  get self(): Ref<M> {
    return this.#cell;
  }

  get parent(): Ref<never> | null {
    return this.#cell.parent;
  }

  get children(): readonly Ref<never>[] {
    return [...this.#cell.children.values()];
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get clock(): Clock {
    return this.#cell.environment.clock;
  }

  spawn<C>(props: Props<C>, name?: string): Ref<C> {
    this.signal.throwIfAborted();
    return this.#cell.spawn(props, name);
  }

  stop(ref: Ref<never>, deadlineMs?: number): Promise<Terminated> {
    return memberOf(ref).stop({ kind: "stop" }, deadlineMs);
  }

  drain(ref: Ref<never>, deadlineMs?: number): Promise<Terminated> {
    return memberOf(ref).drain(deadlineMs);
  }

  watch(ref: Ref<never>, callback: (terminated: Terminated) => void | Promise<void>): void {
    const unwatch = memberOf(ref).onTerminated((terminated) => {
      this.signal.removeEventListener("abort", unwatch);
      this.#cell.post({ type: "terminated", notify: () => (this.signal.aborted ? undefined : callback(terminated)) });
    });
    this.signal.addEventListener("abort", unwatch, { once: true });
  }

  run(task: (signal: AbortSignal) => Promise<void>): void {
    if (this.signal.aborted) return;
    const running = this.#attempt(task).finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }

  async #attempt(task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await task(this.signal);
    } catch (error) {
      this.#cell.fail(error);
    }
  }

  abort(): void {
    this.#controller.abort();
  }

  /** Resolves when no task runs any more. */
  async tasksEnded(): Promise<void> {
    await Promise.all(this.#tasks);
  }
}
