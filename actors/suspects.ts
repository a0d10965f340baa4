import { isStated } from "../runtime/delivery/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import { type LogMessage, StaleOwnerError } from "../runtime/ports/log.ts";
import type { SuspectStore } from "../runtime/ports/suspects.ts";
import { persist } from "./persist.ts";

/** A record that was in hand, alone, at so many deaths of a process is what it died of. */
export const deathsMax = 2;
/** What ends a process does so soon. What takes longer waits for something, and others may end the process meanwhile. */
export const longMs = 5_000;

/** A batch that was in hand so often, and is not settled, may be why. Once or twice happens to any. */
const deliveriesMax = 2;

/** Messages that crashed their actor. Outlives it. */
export class Suspects {
  readonly #sequences = new Set<number>();

  /** What says itself what it is, is no crash. */
  add({ sequence }: LogMessage, error: unknown): void {
    if (!isStated(error) && !(error instanceof StaleOwnerError)) this.#sequences.add(sequence);
  }

  has({ sequence }: LogMessage): boolean {
    return this.#sequences.has(sequence);
  }
}

/**
 * How often a consumer that is made anew with each life, so that nothing counts its deliveries, has begun at one place
 * and not come past it.
 */
export class Lives {
  readonly #passed: () => Promise<void>;
  #passing = false;
  /** What stands at this place may be why. */
  suspicious: boolean;

  private constructor(before: number, passed: () => Promise<void>) {
    this.suspicious = before >= deliveriesMax;
    this.#passed = passed;
  }

  /** `place`: of the last that is settled. `committed` resolves when all that is settled then is committed. */
  static async begin(
    integrationId: string,
    place: string,
    options: {
      readonly store: SuspectStore;
      readonly committed: () => Promise<void>;
      readonly clock: Clock;
      readonly signal: AbortSignal;
    },
  ): Promise<Lives> {
    const { store, committed, clock, signal } = options;
    const key = { integrationId, marks: [`from ${place}`] };
    const [before] = await persist(clock, signal, () => store.take(key));
    return new Lives(before as number, async () => {
      await committed();
      await store.letGo(key);
    });
  }

  /** A batch has been settled. */
  settled(): void {
    if (this.#passing) return;
    this.#passing = true;
    this.#passed().then(
      () => {
        this.suspicious = false;
      },
      () => {
        this.#passing = false;
      },
    );
  }
}

/** Whether a process may have died of it. */
export function mayBeFatal({ deliveries }: Pick<LogMessage, "deliveries">, lives: Lives | undefined): boolean {
  return deliveries > deliveriesMax || lives?.suspicious === true;
}
