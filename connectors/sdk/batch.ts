import type { Cursor, Ordinal, ReadBatch, ReadFailure } from "./connector.ts";
import type { Json } from "./json.ts";

/** What a record that could not be read is cut off at in `ReadFailure.raw`. */
export const rawLimit = 64 * 1024;

/** A read batch of values. Their texts hold no LF: JSON.stringify escapes it. */
export function batchOf(records: readonly Json[], cursor: Cursor, position: ReadBatch["position"]): ReadBatch {
  const data = Buffer.from(records.map((record) => JSON.stringify(record)).join("\n"));
  return { data, count: records.length, cursor, position };
}

/**
 * Collects records one by one into batches that keep the aims. What `add` and `fail` return, and `flush` at the end, is
 * to be yielded at once:
 *
 *     for await (const row of rows) {
 *       const batch = builder.add(JSON.stringify(row), row.id, { id: row.id });
 *       if (batch) yield batch;
 *     }
 *     const rest = builder.flush();
 *     if (rest) yield rest;
 */
export class BatchBuilder {
  readonly #base: string;
  readonly #aims: { readonly records: number; readonly bytes: number };
  #texts: string[] = [];
  #bytes = 0;
  #ordinals: Ordinal[] = [];
  #failures: ReadFailure[] = [];
  #cursor: Cursor = null;

  constructor(base: string, aims: { readonly records: number; readonly bytes: number }) {
    this.#base = base;
    this.#aims = aims;
  }

  /**
   * `text`: the record's JSON without LF; `ordinal`: its number in the stream; `cursor`: the position after it.
   * Returns the batch that is complete: with this record, or, where it no longer fits, without it.
   */
  add(text: string, ordinal: Ordinal, cursor: Cursor): ReadBatch | undefined {
    const bytes = Buffer.byteLength(text) + 1;
    const before = this.#bytes + bytes - 1 > this.#aims.bytes ? this.flush() : undefined;
    this.#texts.push(text);
    this.#bytes += bytes;
    this.#ordinals.push(ordinal);
    this.#cursor = cursor;
    return before ?? (this.#texts.length >= this.#aims.records ? this.flush() : undefined);
  }

  /** A record that could not be read. */
  fail(failure: Omit<ReadFailure, "index">, ordinal: Ordinal, cursor: Cursor): ReadBatch | undefined {
    const raw = failure.raw.length > rawLimit ? failure.raw.slice(0, rawLimit) : failure.raw;
    const batch = this.add("null", ordinal, cursor);
    // A batch that was completed by this record holds it last; otherwise it stands in the one begun.
    const own = { ...failure, raw, index: this.#texts.length - 1 };
    if (this.#texts.length > 0) this.#failures.push(own);
    else if (batch) return { ...batch, failures: [...(batch.failures ?? []), { ...own, index: batch.count - 1 }] };
    return batch;
  }

  /** What was collected and not returned yet. */
  flush(): ReadBatch | undefined {
    const count = this.#texts.length;
    if (count === 0) return undefined;
    const first = this.#ordinals[0]!;
    const offset = typeof first === "number" ? first : 0;
    const consecutive = this.#ordinals.every((ordinal, index) => ordinal === offset + index);
    const batch: ReadBatch = {
      data: Buffer.from(this.#texts.join("\n")),
      count,
      cursor: this.#cursor,
      position: { base: this.#base, offset, ...(consecutive ? {} : { ordinals: this.#ordinals }) },
      ...(this.#failures.length > 0 ? { failures: this.#failures } : {}),
    };
    this.#texts = [];
    this.#ordinals = [];
    this.#failures = [];
    this.#bytes = 0;
    return batch;
  }
}
