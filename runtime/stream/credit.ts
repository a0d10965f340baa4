import { type Amount, fits, isNegative, minus, nothing, plus } from "./amount.ts";

interface Waiter {
  readonly amount: Amount;
  readonly admit: () => void;
}

/**
 * A balance of records and bytes that may be in flight at once. First come, first served: nothing overtakes one that
 * waits. Invariant 4: what is held never exceeds the limit, save for a single item larger than it, which passes alone.
 */
export class Credit {
  readonly limit: Amount;
  #held = nothing;
  readonly #waiters = new Set<Waiter>();

  constructor(limit: Amount) {
    if (!(limit.records > 0 && limit.bytes > 0)) throw new RangeError("credit begins above zero");
    this.limit = limit;
  }

  get held(): Amount {
    return this.#held;
  }

  get available(): Amount {
    const { records, bytes } = minus(this.limit, this.#held);
    return { records: Math.max(0, records), bytes: Math.max(0, bytes) };
  }

  tryTake(amount: Amount): boolean {
    if (this.#waiters.size > 0 || !fits(this.limit, this.#held, amount)) return false;
    this.#held = plus(this.#held, amount);
    return true;
  }

  /** Resolves when the amount is granted; rejects with the signal's reason, and then nothing was taken. */
  take(amount: Amount, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.tryTake(amount)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiters.delete(waiter);
        reject(signal?.reason);
        this.#admit();
      };
      const admit = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const waiter = { amount, admit };
      this.#waiters.add(waiter);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Throws where more comes back than is held: something was settled twice. */
  give(amount: Amount): void {
    const held = minus(this.#held, amount);
    if (isNegative(held)) throw new RangeError("more credit given back than was taken");
    this.#held = held;
    this.#admit();
  }

  /** Turns what is held for an item into what it turned out to cost, at once or not at all. */
  exchange(held: Amount, cost: Amount): boolean {
    const others = minus(this.#held, held);
    if (!fits(this.limit, others, cost)) return false;
    this.#held = plus(others, cost);
    this.#admit();
    return true;
  }

  #admit(): void {
    for (const waiter of this.#waiters) {
      if (!fits(this.limit, this.#held, waiter.amount)) return;
      this.#waiters.delete(waiter);
      this.#held = plus(this.#held, waiter.amount);
      waiter.admit();
    }
  }
}
