import { Observable, type OperatorFunction } from "rxjs";
import type { Clock } from "../ports/clock.ts";
import { type Amount, nothing, plus } from "./amount.ts";

/** When a batch is worth handing on: whichever comes first. */
export interface BatchAim extends Amount {
  /** Time since the first item of the batch. */
  readonly lingerMs: number;
}

/**
 * Gathers items into batches up to the aim, whole items, in order; one larger than the aim makes a batch of its own.
 * The end flushes what has gathered; an error drops it, unsettled.
 */
export function linger<T>(aim: BatchAim, cost: (item: T) => Amount, clock: Clock): OperatorFunction<T, T[]> {
  return (source) =>
    new Observable((subscriber) => {
      let batch: T[] = [];
      let total = nothing;
      let cancel = () => {};

      const flush = () => {
        if (batch.length === 0) return;
        cancel();
        const full = batch;
        batch = [];
        total = nothing;
        subscriber.next(full);
      };

      const add = (item: T) => {
        const amount = cost(item);
        const sum = plus(total, amount);
        const over = sum.records > aim.records || sum.bytes > aim.bytes;
        if (over) flush();
        total = over ? amount : sum;
        if (batch.push(item) === 1) cancel = clock.after(aim.lingerMs, flush);
        if (total.records >= aim.records || total.bytes >= aim.bytes) flush();
      };

      subscriber.add(() => cancel());
      subscriber.add(
        source.subscribe({
          next: (item) => {
            try {
              add(item);
            } catch (error) {
              subscriber.error(error);
            }
          },
          error: (error: unknown) => subscriber.error(error),
          complete: () => {
            flush();
            subscriber.complete();
          },
        }),
      );
    });
}
