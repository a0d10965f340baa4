import { keyOf, type TopicPartition } from "./topics.ts";

/** A leader that is about to change is waited for so long. */
export const staleMs = 10_000;
/** So soon it is looked for again, and later on, where it was long away. */
const lookMs = 250;
const laterMs = 1_000;
/** Who has been away for so long is told of. */
const tellMs = 1_000;
const mostNamed = 3;

export interface Away extends TopicPartition {
  /** Since when it cannot be read; left out: it can. */
  readonly staleSince: number | undefined;
}

/** Partitions without a leader, as the beginning of a sentence, and for how long; undefined: there is none to tell of. */
export function awayIn(
  partitions: readonly Away[],
  now: number,
): { readonly who: string; readonly has: string; readonly longestMs: number } | undefined {
  const away = partitions
    .map((each) => ({ key: keyOf(each), ms: now - (each.staleSince ?? now) }))
    .filter(({ ms }) => ms >= tellMs);
  if (away.length === 0) return undefined;
  const more = away.length > mostNamed ? ` and ${away.length - mostNamed} more` : "";
  const names = away.slice(0, mostNamed).map(({ key }) => key);
  const has = away.length === 1 ? "has" : "have";
  return { who: `${names.join(", ")}${more}`, has, longestMs: Math.max(...away.map(({ ms }) => ms)) };
}

/** How soon leaders are looked for; undefined: nobody is away. */
export function lookIn(partitions: readonly Away[], now: number): number | undefined {
  if (partitions.length === 0) return undefined;
  return partitions.some(({ staleSince = now }) => now - staleSince < staleMs) ? lookMs : laterMs;
}
