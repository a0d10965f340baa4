import type { Json } from "../../connectors/sdk/index.ts";

interface Entry {
  /** Null: nothing was found, which is an answer too. */
  readonly answer: Json;
  readonly until: number;
  readonly bytes: number;
}

/** Of the requests' and answers' texts together, whatever the number of entries. */
const maxBytes = 32 * 1024 * 1024;

/** Answers by the key of their request, for a time. What was not used for the longest goes first. */
export class LookupCache {
  readonly #ttlMs: number;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  /** In order of use. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(options: { readonly ttlMs: number; readonly maxEntries: number; readonly maxBytes?: number }) {
    this.#ttlMs = options.ttlMs;
    this.#maxEntries = options.maxEntries;
    this.#maxBytes = options.maxBytes ?? maxBytes;
  }

  /** Undefined: not known, or not any more. */
  get(key: string, now: number): Json | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.until <= now) {
      this.#bytes -= entry.bytes;
      return undefined;
    }
    this.#entries.set(key, entry);
    return entry.answer;
  }

  set(key: string, answer: Json, now: number): void {
    const bytes = 2 * key.length + JSON.stringify(answer).length;
    this.#delete(key);
    if (this.#ttlMs === 0 || bytes > this.#maxBytes) return;
    this.#entries.set(key, { answer, until: now + this.#ttlMs, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break;
      this.#delete(oldest);
    }
  }

  #delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}
