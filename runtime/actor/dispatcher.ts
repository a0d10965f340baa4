/** Handles up to `limit` messages and says how many; asks for another turn itself when there are more. */
export interface Runnable {
  run(limit: number): number;
}

/** Messages for one actor before the next has its turn. */
const throughput = 100;
/** Messages for all before the event loop has its turn. */
const loopShare = 1000;

/** Gives actors with mail their turns. Never runs one inside `tell`, never starves timers and I/O. */
export class Dispatcher {
  #ready: Runnable[] = [];
  #scheduled = false;
  #left = loopShare;

  schedule(runnable: Runnable): void {
    this.#ready.push(runnable);
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#next();
    }
  }

  #next(): void {
    if (this.#left > 0) {
      queueMicrotask(this.#turn);
    } else {
      this.#left = loopShare;
      setImmediate(this.#turn);
    }
  }

  readonly #turn = (): void => {
    const ready = this.#ready;
    this.#ready = [];
    for (const runnable of ready) this.#left -= runnable.run(throughput);
    if (this.#ready.length > 0) this.#next();
    else this.#scheduled = false;
  };
}
