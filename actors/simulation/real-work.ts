import type { Sandbox } from "../../runtime/ports/sandbox.ts";

/** Work that takes real time while virtual time stands still: scripts in the sandbox's process. */
export class RealWork {
  readonly #underWay = new Set<Promise<unknown>>();

  /** `name` keeps what scripts remember apart from other simulations. */
  sandbox(sandbox: Sandbox, name: string): Sandbox {
    return {
      run: (scope, ...given) => this.#during(sandbox.run(`${scope} ${name}`, ...given)),
      close: async () => {},
    };
  }

  #during<T>(work: Promise<T>): Promise<T> {
    const ended: Promise<unknown> = work.catch(() => {}).finally(() => this.#underWay.delete(ended));
    this.#underWay.add(ended);
    return work;
  }

  /** Resolves when nothing of it is under way. */
  async over(): Promise<void> {
    while (this.#underWay.size > 0) {
      await Promise.all(this.#underWay);
      // What it sets off may be work again.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
