import type { Clock } from "../ports/clock.ts";
import type { Call, CallOutcome, Circuit } from "./circuit.ts";

export interface GateOptions {
  readonly circuit: Circuit;
  readonly clock: Clock;
  /** Why no write begins, or null once they do again. */
  readonly waiting: (reason: string | null) => void;
  /** The circuit has been open for `ms`, told once each time. */
  readonly openTooLong: (ms: number, reason: string) => void;
}

/** Past this a circuit that is open is somebody's to look at. */
const openTooLongMs = 300_000;

/** What a write passes before it begins: nothing is written, and no record fails, while it is closed to it. */
export class Gate {
  readonly #options: GateOptions;
  readonly #unsubscribe: () => void;
  #toldOf = 0;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#unsubscribe = options.circuit.onChange(() => this.#show());
  }

  /** Whether a failure may count as a record's attempt. */
  get counts(): boolean {
    return !this.#options.circuit.open;
  }

  /** Resolves when a write may begin. It must be told to `end`. Rejects only when the signal aborts. */
  async begin(signal: AbortSignal): Promise<Call> {
    const { circuit, clock } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      const call = circuit.begin(clock.now());
      if (call) return call;
      this.#show();
      await this.#change(circuit.delay(clock.now()), signal);
    }
  }

  end(call: Call, outcome: CallOutcome | undefined): void {
    this.#options.circuit.end(call, outcome, this.#options.clock.now());
  }

  close(): void {
    this.#unsubscribe();
  }

  /** Resolves after `ms`, or at a change of the circuit. */
  async #change(ms: number, signal: AbortSignal): Promise<void> {
    const { circuit, clock } = this.#options;
    const changed = Promise.withResolvers<void>();
    const stops = [circuit.onChange(changed.resolve)];
    if (Number.isFinite(ms)) stops.push(clock.after(ms, changed.resolve));
    const abort = () => changed.resolve();
    signal.addEventListener("abort", abort, { once: true });
    await changed.promise;
    signal.removeEventListener("abort", abort);
    for (const stop of stops) stop();
  }

  #show(): void {
    const { circuit, clock, waiting, openTooLong } = this.#options;
    const { open } = circuit;
    if (!open) {
      waiting(null);
      return;
    }
    waiting(`${open.reason} (circuit open until ${new Date(open.until).toISOString().slice(0, 19)}Z)`);
    const ms = clock.now() - open.since;
    if (ms < openTooLongMs || this.#toldOf === open.since) return;
    this.#toldOf = open.since;
    openTooLong(ms, open.reason);
  }
}
