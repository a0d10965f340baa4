import { VirtualClock } from "../../runtime/ports/virtual-clock.ts";

/** One life of a node's process: once it is over, nothing that it waits for ever comes, and nothing that it does counts. */
export class Life {
  readonly clock: VirtualClock;
  #over = false;

  constructor(startMs: number, seed: number) {
    this.clock = new VirtualClock(startMs, seed);
  }

  readonly random = (): number => this.clock.random();

  /** As `kill -9` does. */
  end(): void {
    this.#over = true;
  }

  /** A moment on the way to a server, up to `ms` milliseconds. Never comes back once the life is over. */
  async delay(ms = 4): Promise<void> {
    await this.clock.sleep(Math.floor(this.random() * ms));
    if (this.#over) await new Promise<never>(() => {});
  }
}
