import { isDeepStrictEqual } from "node:util";
import type { Cursor, Source } from "../connectors/sdk/index.ts";
import type { Clock } from "../runtime/ports/clock.ts";
import type { SourceBatch } from "./replay-source.ts";
import { StoredCursors } from "./stored-cursors.ts";

/** What a source that was read, or given up, may take to close. */
const closeMs = 5_000;

/** A source that is open, and being read. */
export class Reading {
  readonly stored: StoredCursors;
  /** Position of what was given last, and is in the log or on its way there. */
  cursor: Cursor;
  /** It has given something, if only to say that there is nothing. */
  answered = false;
  readonly #source: Source;
  readonly #abort: AbortController;
  readonly #batches: AsyncIterator<SourceBatch>;
  #asked: Promise<IteratorResult<SourceBatch>> | undefined;

  /** `abort` ends what is under way in the source. */
  constructor(source: Source, cursor: Cursor, abort: AbortController) {
    this.#source = source;
    this.cursor = cursor;
    this.#abort = abort;
    this.#batches = source.read()[Symbol.asyncIterator]();
    this.stored = new StoredCursors(source);
  }

  /** The next batch. Whoever asks again before it came, or `took` it, gets the same one. */
  next(): Promise<IteratorResult<SourceBatch>> {
    this.#asked ??= this.#batches.next();
    return this.#asked;
  }

  took(): void {
    this.answered = true;
    this.#asked = undefined;
  }

  abort(reason: unknown): void {
    this.#abort.abort(reason);
  }

  async close(clock: Clock): Promise<void> {
    if (this.#asked) this.abort(new Error("the source is closed"));
    // Nobody waits for it any more.
    this.#asked?.catch(() => {});
    try {
      await left(async () => this.#batches.return?.(), clock);
    } finally {
      await left(() => this.#source.close(), clock);
    }
  }
}

/** Sources of an endless integration that stay open from one run to the next, by name. */
export class KeptReadings {
  readonly #kept = new Map<string, Reading>();

  keep(source: string, reading: Reading): void {
    this.#kept.set(source, reading);
  }

  /** The one that goes on behind the cursor; another is of no use and is closed. */
  async take(source: string, cursor: Cursor, clock: Clock): Promise<Reading | undefined> {
    const reading = this.#kept.get(source);
    this.#kept.delete(source);
    if (reading === undefined || isDeepStrictEqual(reading.cursor, cursor)) return reading;
    await reading.close(clock);
    return undefined;
  }

  async close(clock: Clock): Promise<void> {
    const all = [...this.#kept.values()];
    this.#kept.clear();
    await Promise.all(all.map((reading) => reading.close(clock).catch(() => {})));
  }
}

/** What hangs may not even close: it is left behind then. */
async function left(close: () => Promise<unknown>, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(closeMs, resolve);
  await Promise.race([close(), promise]).finally(cancel);
}
