import type { OutRecord } from "../connectors/sdk/index.ts";
import type { Delivered, Undelivered } from "../runtime/delivery/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { CheckpointStore } from "../runtime/ports/store.ts";
import type { Turn } from "./in-order.ts";
import type { Processed } from "./ledger.ts";
import { persist } from "./persist.ts";

export interface ProcessedKeysOptions {
  readonly integrationId: string;
  readonly destination: string;
  readonly keyOf: (record: OutRecord) => string;
  readonly windowMs: number;
  /** Records keep their order. */
  readonly ordered: boolean;
  /** The destination takes one write at a time: its state is behind all that was submitted before. */
  readonly serial: boolean;
  readonly store: Pick<CheckpointStore, "processed" | "forgetProcessed">;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A key that is being written, or is confirmed and not yet committed. */
interface Known {
  done: boolean;
  readonly settled: PromiseWithResolvers<void>;
}

/** `split`: more of the message may be submitted later, when this is written. */
type Submit = (records: readonly OutRecord[], split: boolean) => Promise<Delivered>;

/** Between two purges of what is older than the window: a tenth of it, within these bounds. */
const purge = { leastMs: 60_000, mostMs: 3_600_000 };

/**
 * Records whose key was confirmed within the window are done without a call. The store is asked once for each message;
 * what it does not hold yet is known here. A key becomes part of the commit that settles its message: a crash between the
 * write and that commit repeats the messages in hand.
 */
export class ProcessedKeys {
  readonly #options: ProcessedKeysOptions;
  readonly #known = new Map<string, Known>();
  #before: Promise<void> = Promise.resolve();
  #purgedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ProcessedKeysOptions) {
    this.#options = options;
  }

  /** Submits what was not seen; what was is among the delivered. */
  async write(records: readonly OutRecord[], submit: Submit): Promise<Delivered & { readonly processed: Processed }> {
    this.#purge();
    const before = this.#before;
    const passed = Promise.withResolvers<void>();
    this.#before = passed.promise;
    try {
      if (this.#inTurn) await before;
      return await this.#write(records, submit, { before, passed: passed.resolve });
    } finally {
      passed.resolve();
    }
  }

  /**
   * One message after another: nothing of the next is written while some of this one is to come, or a state that is
   * settled with the next would be behind half of this one.
   */
  get #inTurn(): boolean {
    return this.#options.ordered || this.#options.serial;
  }

  /** Messages are submitted in the order of the calls, whenever the store answers. */
  async #write(
    records: readonly OutRecord[],
    submit: Submit,
    turn: Turn,
  ): Promise<Delivered & { readonly processed: Processed }> {
    const keys = records.map(this.#options.keyOf);
    const undelivered: Undelivered[] = [];
    const confirmed: string[] = [];
    let state: Delivered["state"];
    let split = false;
    for (let rest = keys.map((_, index) => index); rest.length > 0; ) {
      const { fresh, held } = this.#claim(rest, keys);
      split ||= held.length > 0;
      try {
        const unseen = await this.#unseen(fresh, keys);
        await turn.before;
        const all = unseen.length === records.length;
        const submitted =
          unseen.length > 0 && submit(all ? records : unseen.map((index) => records[index] as OutRecord), split);
        if (!this.#inTurn || held.length === 0) turn.passed();
        if (submitted) {
          const delivered = await submitted;
          const failed = new Set(delivered.undelivered.map(({ index }) => index));
          for (const each of delivered.undelivered) undelivered.push({ ...each, index: unseen[each.index] as number });
          if (delivered.state !== undefined) state = delivered.state;
          for (let i = 0; i < unseen.length; i++) if (!failed.has(i)) confirmed.push(this.#confirm(keys[unseen[i]!]!));
        }
      } finally {
        for (const index of fresh) this.#release(keys[index] as string);
      }
      // Whether these are done is known when those of the same keys are.
      await Promise.all(held.map((index) => this.#known.get(keys[index] as string)?.settled.promise));
      rest = held;
    }
    const stored = () => {
      for (const key of confirmed) this.#known.delete(key);
    };
    return { undelivered, state, processed: { destination: this.#options.destination, keys: confirmed, stored } };
  }

  /** Of `rest`, what this message is the first to have now, and what has to wait for others of the same key. */
  #claim(rest: readonly number[], keys: readonly string[]): { readonly fresh: number[]; readonly held: number[] } {
    const fresh: number[] = [];
    const held: number[] = [];
    for (const index of rest) {
      const known = this.#known.get(keys[index] as string);
      if (known?.done) continue;
      // In order, nothing goes past one that waits.
      if (known !== undefined || (this.#options.ordered && held.length > 0)) held.push(index);
      else {
        this.#known.set(keys[index] as string, { done: false, settled: Promise.withResolvers() });
        fresh.push(index);
      }
    }
    return { fresh, held };
  }

  /** Asked after the claim: no other message can commit one of these keys meanwhile. */
  async #unseen(fresh: readonly number[], keys: readonly string[]): Promise<readonly number[]> {
    if (fresh.length === 0) return fresh;
    const { store, integrationId, destination, windowMs, clock, signal } = this.#options;
    const asked = fresh.map((index) => keys[index] as string);
    const stored = await persist(clock, signal, () => store.processed(integrationId, destination, asked, windowMs));
    if (stored.length === 0) return fresh;
    const seen = new Set(stored);
    return fresh.filter((index) => !seen.has(keys[index] as string));
  }

  #confirm(key: string): string {
    const known = this.#known.get(key) as Known;
    known.done = true;
    return key;
  }

  /** What is not confirmed is anyone's again; the store, or the dead letters, have it. */
  #release(key: string): void {
    const known = this.#known.get(key);
    if (known && !known.done) this.#known.delete(key);
    known?.settled.resolve();
  }

  #purge(): void {
    const { store, clock, integrationId, destination, windowMs } = this.#options;
    const now = clock.now();
    if (now - this.#purgedAt < Math.min(purge.mostMs, Math.max(purge.leastMs, windowMs / 10))) return;
    this.#purgedAt = now;
    // Another time, where the store is away.
    store.forgetProcessed(integrationId, destination, windowMs).catch(() => {});
  }
}
