import { Observable } from "rxjs";
import type { Amount } from "./amount.ts";
import type { Credit } from "./credit.ts";
import { settleOnce } from "./settle-once.ts";

/** An item with its permit, which is given back when the item is settled. */
export interface Granted<T> {
  readonly value: T;
  /** Throws the second time. Without effect where the stream was given up and has taken its credit back. */
  readonly release: () => void;
}

/** Null, or the iterator's end, is the end of the stream. */
export type Pull<T> = ((signal: AbortSignal) => Promise<T | null>) | AsyncIterable<T>;

/** What is held during a pull unless told: something must be free. */
const least: Amount = { records: 1, bytes: 1 };

/**
 * An Observable by demand: RxJS has no backpressure, so credit stands before it. `reserve` (what an item usually costs
 * at most) is held during each pull and exchanged for what the item cost; a larger one waits here, with nothing held,
 * until there is credit for it. So no more than the credit is in flight downstream, and one item here.
 *
 * The stream ends when all has been pulled and released. An error or an unsubscribe gives back all of its credit.
 */
export function fromPull<T>(
  pull: Pull<T>,
  credit: Credit,
  cost: (item: T) => Amount,
  reserve: Amount = least,
): Observable<Granted<T>> {
  return new Observable((subscriber) => {
    const controller = new AbortController();
    const { signal } = controller;
    /** What this stream holds, by permit. */
    const permits = new Map<object, Amount>();
    let pulled = false;

    const giveBack = (permit: object) => {
      const amount = permits.get(permit);
      if (amount === undefined) return;
      permits.delete(permit);
      credit.give(amount);
      if (pulled && permits.size === 0) subscriber.complete();
    };

    const take = async (amount: Amount, permit: object): Promise<void> => {
      await credit.take(amount, signal);
      permits.set(permit, amount);
      // Granted and given up in the same turn: whoever gave up saw no permit yet.
      if (signal.aborted) giveBack(permit);
    };

    const pump = async (): Promise<void> => {
      const next = puller(pull, signal);
      while (!signal.aborted) {
        const permit = {};
        await take(reserve, permit);
        const item = signal.aborted ? null : await next();
        if (item === null || signal.aborted) {
          pulled = true;
          giveBack(permit);
          return;
        }
        const amount = cost(item);
        if (credit.exchange(reserve, amount)) {
          permits.set(permit, amount);
        } else {
          giveBack(permit);
          await take(amount, permit);
        }
        subscriber.next({ value: item, release: settleOnce(() => giveBack(permit)) });
      }
    };

    pump().catch((error: unknown) => subscriber.error(error));
    return () => {
      controller.abort();
      for (const permit of permits.keys()) giveBack(permit);
    };
  });
}

function puller<T>(pull: Pull<T>, signal: AbortSignal): () => Promise<T | null> {
  if (typeof pull === "function") return () => pull(signal);
  const iterator = pull[Symbol.asyncIterator]();
  // Whoever gave up the stream does not wait for its source to end, nor for how.
  signal.addEventListener("abort", () => void iterator.return?.().catch(() => {}), { once: true });
  return async () => {
    const result = await iterator.next();
    return result.done ? null : result.value;
  };
}
