import { defer, mergeMap, type OperatorFunction } from "rxjs";

/**
 * Works on up to `n` items at once; results leave in the order of the items. Results that wait for an earlier one are
 * kept: the credit upstream bounds them, as it bounds what `mergeMap` keeps. (Without order, `mergeMap(work, n)` does.)
 */
export function settleInOrder<T, R>(n: number, work: (item: T) => Promise<R>): OperatorFunction<T, R> {
  return (source) =>
    defer(() => {
      const done = new Map<number, R>();
      let next = 0;
      return source.pipe(
        mergeMap(async (item, index) => void done.set(index, await work(item)), n),
        mergeMap(() => {
          const ready: R[] = [];
          for (; done.has(next); done.delete(next++)) ready.push(done.get(next) as R);
          return ready;
        }),
      );
    });
}
