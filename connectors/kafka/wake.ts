/** Something that is slept on, and may be woken up from. */
export class Wake {
  #waiting: PromiseWithResolvers<void> | undefined;

  up(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** Resolves when it is woken up. */
  get next(): Promise<void> {
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** The same, after so long at the latest. */
  async sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([this.next, promise]);
    clearTimeout(timer);
  }
}
