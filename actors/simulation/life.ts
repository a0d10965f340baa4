import { VirtualClock } from "../../runtime/ports/virtual-clock.ts";

/** One life of a node's process: once it is over, nothing that it waits for ever comes, and nothing that it does counts. */
export class Life {
  readonly clock: VirtualClock;
  readonly #latencyMs: number;
  #over = false;

  /** `latencyMs`: what a moment on the way to a server takes at most; 0 keeps virtual time free of it. */
  constructor(startMs: number, seed: number, latencyMs: number) {
    this.clock = new VirtualClock(startMs, seed);
    this.#latencyMs = latencyMs;
  }

  readonly random = (): number => this.clock.random();

  get over(): boolean {
    return this.#over;
  }

  /** As `kill -9` does. */
  end(): void {
    this.#over = true;
  }

  /** A moment on the way to a server. Never comes back once the life is over. */
  async delay(): Promise<void> {
    await this.clock.sleep(Math.floor(this.random() * this.#latencyMs));
    if (this.#over) await new Promise<never>(() => {});
  }
}
