import type { LogMessage } from "../runtime/ports/log.ts";
import { KeyRanges, maxRanges } from "./key-ranges.ts";

/**
 * More are forgotten, those first that the steps are through with. Far fewer are ever on their way at once: what is older
 * misses its last part for good, since the run that made it was given up, or made it in another order after a crash. What
 * the steps have in hand, and may make again after a crash, is fewer messages than these however long it waits.
 */
const maxCutUp = 64;

interface Parts {
  readonly settled: Set<string>;
  /** How many there are, once the last one is here. */
  all: number | undefined;
}

/** What a consumer has settled, by what messages are known by. */
export interface SettledKeys {
  /**
   * Keys of what is settled here, since it may come again: its ack may be lost on the way, and a kill -9 of nats-server
   * takes back acks that it confirmed and had not yet written to its disk.
   */
  readonly settled: KeyRanges;
  /** Of messages that were cut up, and not all of whose parts are settled yet, by the sequence that they share. */
  readonly parts: Map<number, Parts>;
  /**
   * Where in the log versions were that are settled: no number of parts makes such a message complete, and what is
   * forgotten of it may come again all the same.
   */
  readonly versions: KeyRanges;
}

/** As it is in a checkpoint. */
export type StoredParts = readonly [sequence: number, all: number | null, settled: readonly string[]];

/** Apart from others of its subject; a text for a part. */
export type MessageKey = number | string;

/**
 * What a message is known by when it comes again. On a deliver log the ingest message that it was made of, and the part
 * of it: steps that crashed between their append and their commit append it a second time, perhaps after the log's
 * duplicate window.
 */
export function messageKey({ header, sequence }: Pick<LogMessage, "header" | "sequence">): MessageKey {
  const { ingestSequence = sequence, part } = header;
  return part === undefined ? ingestSequence : `${ingestSequence}:${part}`;
}

export function settledKeys(
  settled: readonly number[],
  parts: readonly StoredParts[] = [],
  versions: readonly number[] = [],
): SettledKeys {
  const known = parts.map(([at, all, some]) => [at, { settled: new Set(some), all: all ?? undefined }] as const);
  let at = 0;
  const bounds = versions.map((distance) => (at += distance));
  return { settled: new KeyRanges(settled), parts: new Map(known), versions: new KeyRanges(bounds) };
}

export function storedParts(parts: SettledKeys["parts"]): StoredParts[] {
  return Array.from(parts, ([at, { all, settled }]) => [at, all ?? null, [...settled]]);
}

type Known = Pick<LogMessage, "header" | "sequence">;

/**
 * As it is in a checkpoint: each bound by its distance from the one before. There are many of them, since a log's other
 * destinations are in between, and each commit writes them.
 */
export function storedVersions({ bounds }: KeyRanges): number[] {
  return bounds.map((bound, i) => bound - (i === 0 ? 0 : (bounds[i - 1] as number)));
}

/** Whether it is settled here: it came again. */
export function isSettled({ settled, parts, versions }: Readonly<SettledKeys>, { header, sequence }: Known): boolean {
  const { ingestSequence = sequence, part } = header;
  if (part !== undefined && parts.get(ingestSequence)?.settled.has(part)) return true;
  // What another version settled says nothing of this one.
  return part !== undefined && isVersion(part) ? versions.has(sequence) : settled.has(ingestSequence);
}

/** Whether it is so old that nobody knows any more whether it was settled. */
export function isForgotten({ settled, versions }: Readonly<SettledKeys>, { header, sequence }: Known): boolean {
  const { ingestSequence = sequence, part } = header;
  const isOlder = ({ bounds }: KeyRanges, key: number) => bounds.length >= 2 * maxRanges && key < (bounds[0] as number);
  return part !== undefined && isVersion(part) ? isOlder(versions, sequence) : isOlder(settled, ingestSequence);
}

/** Notes that a message is settled. `through`: whether the steps will not make anything of an ingest message again. */
export function settleKey(
  { settled, parts, versions }: SettledKeys,
  { header, sequence }: LogMessage,
  through: (ingestSequence: number) => boolean,
): void {
  const { ingestSequence = sequence, part, parts: all } = header;
  if (part === undefined) {
    settled.add(ingestSequence);
    return;
  }
  if (isVersion(part)) versions.add(sequence);
  const known = parts.get(ingestSequence) ?? { settled: new Set(), all: undefined };
  known.settled.add(part);
  known.all = all ?? known.all;
  if (known.all !== undefined && known.settled.size >= known.all) {
    parts.delete(ingestSequence);
    settled.add(ingestSequence);
    return;
  }
  parts.set(ingestSequence, known);
  if (parts.size > maxCutUp) parts.delete(parts.keys().find(through) ?? (parts.keys().next().value as number));
}

/** Of a message whose steps may answer differently the next time, which then is another version. */
function isVersion(part: string): boolean {
  return part.includes("#");
}
