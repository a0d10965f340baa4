import { ConnectorError, type WriteBatch, type WriteResult } from "../connectors/sdk/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { SuspectStore } from "../runtime/ports/suspects.ts";
import { persist } from "./persist.ts";
import { untilAborted } from "./until-aborted.ts";

export interface CarefulWritesOptions {
  readonly integrationId: string;
  /** The destination's id. */
  readonly destination: string;
  readonly store: SuspectStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A record that was alone in a write at so many deaths is what the process died of: more than for a step, since a write takes longer. */
const deathsMax = 3;
/** A write that takes longer waits for the far side; what ends the process by its work lets no timer fire before. */
const longMs = 1_000;

/**
 * Writes of records that were in hand at deaths of the process that nothing explains. Each is noted in the store while it
 * is under way: what was in a write that the process died in goes alone in the next life, and is given up where it was
 * alone at three deaths (invariant 6). Costs nothing while nobody is suspect.
 */
export class CarefulWrites {
  readonly #options: CarefulWritesOptions;
  /** Suspect messages in hand: what is written meanwhile may hold records of theirs. */
  #suspect = 0;
  /** Ids of records that were in a write at a death. */
  readonly #died: Set<string>;
  #lettingGo = Promise.resolve();

  private constructor(options: CarefulWritesOptions, died: Iterable<string>) {
    this.#options = options;
    this.#died = new Set(died);
  }

  /** Knows what earlier lives died in. */
  static async open(options: CarefulWritesOptions): Promise<CarefulWrites> {
    const { integrationId, destination, store, clock, signal } = options;
    const prefix = markOf(destination, "");
    const left = await persist(clock, signal, () => store.left(integrationId, prefix));
    return new CarefulWrites(
      options,
      left.map((mark) => mark.slice(prefix.length)),
    );
  }

  /** Whether a write must be noted. */
  isNeeded({ records }: Pick<WriteBatch, "records">): boolean {
    return this.#suspect > 0 || (this.#died.size > 0 && records.some(({ id }) => this.#died.has(id)));
  }

  /** `work` writes what is suspect. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#suspect++;
    try {
      return await work();
    } finally {
      this.#suspect--;
    }
  }

  /**
   * Throws, for the records to be halved, while one that was at a death is not alone. Waits for the store before the
   * write, and not behind it: `write` alone may take no longer than a write may, and what it said is told at once.
   */
  async write(batch: WriteBatch, write: () => Promise<WriteResult>): Promise<WriteResult> {
    const { destination } = this.#options;
    const ids = [...new Set(batch.records.map(({ id }) => id))];
    const fresh = ids.filter((id) => !this.#died.has(id));
    const marks = fresh.map((id) => markOf(destination, id));
    const times = await this.#take(marks, batch);
    for (const [at, id] of fresh.entries()) if ((times[at] as number) > 0) this.#died.add(id);
    const died = ids.filter((id) => this.#died.has(id));
    if (died.length === 0) return this.#noted(marks, write);
    const [id] = died as [string];
    if (batch.records.length > 1) {
      // Not what they died in: they are noted again with their own write.
      this.#letGo(marks.filter((_, at) => times[at] === 0));
      throw new ConnectorError("INTERNAL_ERROR", "the process died in a write of some of these", { fault: "record" });
    }
    const alone = `alone ${destination} ${id}`;
    const [deaths] = await this.#take([alone], batch);
    const all = [alone, markOf(destination, id)];
    if ((deaths as number) >= deathsMax) {
      this.#letGo(all);
      this.#died.delete(id);
      const message = `the process died each time that this record was written to ${destination}`;
      throw new ConnectorError("INTERNAL_ERROR", message, { fault: "record" });
    }
    const result = await this.#noted(all, write);
    this.#died.delete(id);
    return result;
  }

  async #noted(marks: readonly string[], write: () => Promise<WriteResult>): Promise<WriteResult> {
    const cancel = this.#options.clock.after(longMs, () => this.#letGo(marks));
    try {
      return await write();
    } finally {
      cancel();
      this.#letGo(marks);
    }
  }

  /** Rejects where the batch was given up meanwhile: it is somebody else's to write. */
  async #take(marks: readonly string[], { signal }: Pick<WriteBatch, "signal">): Promise<readonly number[]> {
    if (marks.length === 0) return [];
    const { integrationId, store, clock } = this.#options;
    // What is not let go yet would look like a death.
    await untilAborted(signal, this.#lettingGo);
    const times = await persist(clock, signal, () => store.take({ integrationId, marks }));
    if (signal.aborted) this.#letGo(marks);
    signal.throwIfAborted();
    return times;
  }

  /** Nobody waits for it but who takes again. */
  #letGo(marks: readonly string[]): void {
    if (marks.length === 0) return;
    const { integrationId, store, clock, signal } = this.#options;
    const letGo = () => persist(clock, signal, () => store.letGo({ integrationId, marks })).catch(() => {});
    this.#lettingGo = this.#lettingGo.then(letGo);
  }
}

const markOf = (destination: string, id: string): string => `write ${destination} ${id}`;
