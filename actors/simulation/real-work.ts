import type { Sandbox } from "../../runtime/ports/sandbox.ts";
import type { VirtualClock } from "../../runtime/ports/virtual-clock.ts";

/** Work that takes real time while virtual time stands still: scripts in the sandbox's process. */
export class RealWork {
  readonly #underWay = new Set<Promise<unknown>>();

  sandbox(sandbox: Sandbox): Sandbox {
    return {
      run: (...given) => this.#during(sandbox.run(...given)),
      close: async () => {},
    };
  }

  #during<T>(work: Promise<T>): Promise<T> {
    const ended: Promise<unknown> = work.catch(() => {}).finally(() => this.#underWay.delete(ended));
    this.#underWay.add(ended);
    return work;
  }

  /** Resolves when nothing can go on before the clock does. */
  async over(clock: VirtualClock): Promise<void> {
    do {
      await Promise.all(this.#underWay);
      await clock.advance(0);
    } while (this.#underWay.size > 0);
  }
}
