import type { LogMessage } from "../runtime/ports/log.ts";
import { KeyRanges } from "./key-ranges.ts";

/**
 * More are forgotten, the oldest first. Far fewer are ever on their way at once: what is older misses its last part for
 * good, since the run that made it was given up, or made it in another order after a crash.
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

export function settledKeys(settled: readonly number[], parts: readonly StoredParts[]): SettledKeys {
  const known = parts.map(([at, all, some]) => [at, { settled: new Set(some), all: all ?? undefined }] as const);
  return { settled: new KeyRanges(settled), parts: new Map(known) };
}

export function storedParts(parts: SettledKeys["parts"]): StoredParts[] {
  return Array.from(parts, ([at, { all, settled }]) => [at, all ?? null, [...settled]]);
}

/** Whether it is settled here: it came again. */
export function isSettled(
  { settled, parts }: Readonly<SettledKeys>,
  message: Pick<LogMessage, "header" | "sequence">,
): boolean {
  const { ingestSequence = message.sequence, part } = message.header;
  const known = parts.get(ingestSequence)?.settled;
  if (part !== undefined && known !== undefined && isVersion(part)) return known.has(part);
  return settled.has(ingestSequence) || (part !== undefined && known?.has(part) === true);
}

/** Notes that a message is settled. */
export function settleKey({ settled, parts }: SettledKeys, { header, sequence }: LogMessage): void {
  const { ingestSequence = sequence, part, parts: all } = header;
  if (part === undefined) {
    settled.add(ingestSequence);
    return;
  }
  const known = parts.get(ingestSequence) ?? { settled: new Set(), all: undefined };
  known.settled.add(part);
  known.all = all ?? known.all;
  if (known.all !== undefined && known.settled.size >= known.all) {
    parts.delete(ingestSequence);
    settled.add(ingestSequence);
    return;
  }
  parts.set(ingestSequence, known);
  if (parts.size <= maxCutUp) return;
  const [[oldest, forgotten]] = [...parts] as [[number, Parts]];
  parts.delete(oldest);
  if ([...forgotten.settled].some(isVersion)) settled.add(oldest);
}

/**
 * Of a message whose steps may answer differently the next time, which then is another version. No number of parts makes
 * such a message complete: it is when it is the oldest of those remembered. One that waits longer than that for the room
 * of another destination, and comes out otherwise after a crash, is taken for settled here.
 */
function isVersion(part: string): boolean {
  return part.includes("#");
}
