import { setTimeout as delay } from "node:timers/promises";

/** Asks at once for all that comes within `ms`: of a flood, too, that is a few questions a second. */
export function gathered<T>(
  ask: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  ms = 100,
): (key: string) => Promise<T | null> {
  let next: { readonly keys: Set<string>; readonly answers: Promise<ReadonlyMap<string, T>> } | undefined;
  return async (key) => {
    if (next === undefined) {
      const keys = new Set<string>();
      const answers = delay(ms).then(() => {
        next = undefined;
        return ask([...keys]);
      });
      next = { keys, answers };
    }
    next.keys.add(key);
    return (await next.answers).get(key) ?? null;
  };
}
