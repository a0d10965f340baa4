import { setImmediate as turn } from "node:timers/promises";

/** What has arrived and was not taken, for one reader. */
export class Arrivals<T> {
  #items: T[] = [];
  #first = 0;
  #ended = false;
  #wake = () => {};

  get length(): number {
    return this.#items.length - this.#first;
  }

  push(item: T): void {
    this.#items.push(item);
    if (this.length === 1) this.#wake();
  }

  peek(): T | undefined {
    return this.#items[this.#first];
  }

  shift(): T | undefined {
    const item = this.#items[this.#first];
    if (item === undefined) return undefined;
    this.#first++;
    if (this.#first === this.#items.length) {
      this.#items = [];
      this.#first = 0;
    } else if (this.#first > 1024 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }

  /** Nothing more comes: whoever waits is woken. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Resolves when there is something, and what comes with it has come; or after `ms`, or at the end. */
  async some(ms: number, signal: AbortSignal): Promise<void> {
    if (this.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          this.#wake = () => {};
          resolve();
        };
        const timer = setTimeout(done, ms);
        if (signal.aborted) return done();
        signal.addEventListener("abort", done, { once: true });
        this.#wake = done;
      });
      await turn();
    }
    signal.throwIfAborted();
  }
}
