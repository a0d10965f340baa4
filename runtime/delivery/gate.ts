import type { CallLimit } from "../../connectors/sdk/index.ts";
import type { Clock } from "../ports/clock.ts";
import type { Call, CallOutcome, Circuit } from "./circuit.ts";
import type { RateLimit } from "./rate-limit.ts";

export interface GateOptions {
  readonly circuit: Circuit;
  readonly limit?: RateLimit | undefined;
  readonly clock: Clock;
  /** A promise where it has to be asked whether this may still write. */
  readonly owned?: (() => Promise<void> | undefined) | undefined;
  /** Why no write begins, or null once they do again. */
  readonly waiting: (reason: string | null) => void;
  /** The circuit has been open for `ms`, told once each time. */
  readonly openTooLong: (ms: number, reason: string) => void;
}

/** Past this a circuit that is open is somebody's to look at. */
const openTooLongMs = 300_000;
/** How often a circuit that is open is looked at. */
const lookMs = 60_000;

/** What a write passes before it begins: nothing is written, and no record fails, while it is closed to it. */
export class Gate {
  readonly #options: GateOptions;
  readonly #unsubscribe: () => void;
  #toldOf = 0;
  /** Why the rate limit lets nothing pass. */
  #limited: string | null = null;

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
    const { circuit, limit, clock } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      const ms = circuit.delay(clock.now());
      if (ms > 0) {
        this.#show();
        await this.#change(Math.min(ms, lookMs), signal);
        continue;
      }
      const taken = await limit?.take(signal, this.#limitWaits);
      // Last: what went before may have taken long.
      const asked = this.#options.owned?.();
      if (asked) await asked;
      const call = circuit.begin(clock.now());
      if (call) return call;
      // It opened in the meantime, or another one tries whether it may close.
      if (taken) limit?.giveBack(taken);
    }
  }

  /** For the requests of a write beyond its first; undefined where there is no limit. */
  get further(): CallLimit | undefined {
    const { limit, owned } = this.#options;
    if (!limit) return undefined;
    return {
      take: async (signal) => {
        await limit.take(signal, this.#limitWaits);
        await owned?.();
      },
    };
  }

  end(call: Call, outcome: CallOutcome | undefined): void {
    this.#options.circuit.end(call, outcome, this.#options.clock.now());
  }

  close(): void {
    this.#unsubscribe();
    // Not waited for: the store may be away, and what it is not told counts as used.
    void this.#options.limit?.close();
  }

  readonly #limitWaits = (reason: string | null): void => {
    this.#limited = reason;
    this.#show();
  };

  /** Resolves after `ms`, or at a change of the circuit. */
  async #change(ms: number, signal: AbortSignal): Promise<void> {
    const { circuit, clock } = this.#options;
    const changed = Promise.withResolvers<void>();
    const stops = [circuit.onChange(changed.resolve), clock.after(ms, changed.resolve)];
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
      waiting(this.#limited);
      return;
    }
    waiting(`${open.reason} (circuit open until ${new Date(open.until).toISOString().slice(0, 19)}Z)`);
    const ms = clock.now() - open.since;
    if (ms < openTooLongMs || this.#toldOf === open.since) return;
    this.#toldOf = open.since;
    openTooLong(ms, open.reason);
  }
}
