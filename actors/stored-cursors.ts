import type { Cursor, Source } from "../connectors/sdk/index.ts";

/** Tells a source what is in the log, in the order in which it gave it, whichever append comes back first. */
export class StoredCursors {
  readonly #source: Source;
  readonly #appending: { readonly cursor: Cursor; done: boolean }[] = [];

  constructor(source: Source) {
    this.#source = source;
  }

  /** The batch with this cursor is being appended, after those before. What it returns is called once it is in the log. */
  appending(cursor: Cursor): () => void {
    const entry = { cursor, done: false };
    this.#appending.push(entry);
    return () => {
      entry.done = true;
      const open = this.#appending.findIndex(({ done }) => !done);
      const stored = this.#appending.splice(0, open === -1 ? this.#appending.length : open).at(-1);
      if (stored) this.#source.stored?.(stored.cursor);
    };
  }
}
