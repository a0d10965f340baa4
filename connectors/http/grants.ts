import type { CallLimit } from "../sdk/index.ts";

/** Leave for the requests of one call, where they are limited: the first has it, each further one asks. */
export class Grants {
  readonly #limit: CallLimit | undefined;
  readonly #signal: AbortSignal;
  readonly #stop = new AbortController();
  #isFirst = true;

  constructor(limit: CallLimit | undefined, signal: AbortSignal) {
    this.#limit = limit;
    this.#signal = limit ? AbortSignal.any([signal, this.#stop.signal]) : signal;
  }

  /** Before a request of its own. Rejects where it is not to be sent any more. */
  async next(): Promise<void> {
    if (this.#isFirst) this.#isFirst = false;
    else await this.#limit?.take(this.#signal);
  }

  /** Before a request that another one gave rise to: with a new token, or to where it was redirected. */
  readonly further = async (): Promise<void> => {
    await this.#limit?.take(this.#signal);
  };

  /** Whoever waits for leave gets none. */
  stop(): void {
    this.#stop.abort(new Error("nothing more is sent"));
  }
}
