import { useSyncExternalStore } from "react";
import { duration, moment, relative } from "../lib/format.ts";

let now = Date.now();
const watchers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for all that is told from now. */
function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of watchers) each();
  }, 1000);
  return () => {
    watchers.delete(watcher);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** To the second. */
export const useNow = (): number => useSyncExternalStore(watch, () => now);

/** `3 min ago`, with the moment itself for who points at it. Null: a dash. */
export function RelativeTime({ at }: { at: string | null }) {
  const current = useNow();
  if (at === null) return <span className="soft">–</span>;
  return (
    <time dateTime={at} title={moment(at)}>
      {relative(Date.parse(at), current)}
    </time>
  );
}

/** How long it took, or takes by now. */
export function Elapsed({ from, to }: { from: string; to: string | null }) {
  const current = useNow();
  return <span>{duration(Math.max(0, (to === null ? current : Date.parse(to)) - Date.parse(from)))}</span>;
}
