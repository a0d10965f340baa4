import { setTimeout as sleep } from "node:timers/promises";
import {
  ConnectorError,
  type Cursor,
  parseDuration,
  type ReadBatch,
  random,
  type Source,
  type SourceOptions,
} from "../sdk/index.ts";
import type { GeneratorConfig } from "./config.ts";
import type { Render } from "./template.ts";

/** Batches of a rate-limited stream are cut so that at least 20 a second come. */
const batchesPerSecond = 20;
/** Whoever reads takes a source for dead that gives nothing for a minute. */
const aliveMs = 5_000;
const duplicateSlot = -1;
const malformedSlot = -2;

export class GeneratorSource implements Source {
  readonly #config: GeneratorConfig;
  readonly #render: Render;
  readonly #options: SourceOptions;

  constructor(config: GeneratorConfig, render: Render, options: SourceOptions) {
    this.#config = config;
    this.#render = render;
    this.#options = options;
  }

  async *read(): AsyncGenerator<ReadBatch> {
    const { batch: aims, signal, stream } = this.#options;
    const { rate = 0, count = Number.POSITIVE_INFINITY, faults } = this.#config;
    const least = rate > 0 ? Math.min(aims.records, Math.ceil(rate / batchesPerSecond)) : aims.records;
    const delay = faults?.delay === undefined ? 0 : parseDuration(faults.delay);
    const first = indexOf(this.#options.from);
    const begun = performance.now();
    for (let index = first; index < count; ) {
      signal.throwIfAborted();
      yield* this.#pause(delay, index);
      if (faults?.stall_at === index) await aborted(signal);
      // Whoever goes on at the very place has met the fault before: a retry passes, whichever process makes it.
      if (index > first && faults?.error_at?.includes(index)) {
        throw new ConnectorError("UNAVAILABLE", `The generator fails before record ${index}, as configured.`, {
          fault: "transient",
        });
      }
      // What is overdue comes at once, so that a reader that fell behind has fewer batches to catch up with.
      const due = rate > 0 ? Math.floor(((performance.now() - begun) / 1000) * rate) - (index - first) : 0;
      const records = Math.min(aims.records, Math.max(least, due));
      const end = Math.min(count, index + records, this.#nextFault(index));
      const { texts, next } = this.#renderUpTo(index, end, aims.bytes);
      // The batch is due when its last record is.
      const wait = rate > 0 ? begun + ((next - first) / rate) * 1000 - performance.now() : 0;
      yield* this.#pause(wait, index);
      yield {
        data: Buffer.from(texts.join("\n")),
        count: texts.length,
        cursor: { index: next },
        position: { base: stream, offset: index },
      };
      index = next;
    }
    while (this.#options.endless) yield* this.#pause(2 * aliveMs, count);
  }

  /** Says meanwhile that the source lives. */
  async *#pause(ms: number, index: number): AsyncGenerator<ReadBatch> {
    const { signal, stream } = this.#options;
    for (let left = ms; left > 1; left -= aliveMs) {
      await sleep(Math.min(left, aliveMs), undefined, { signal });
      if (left <= aliveMs) return;
      yield { data: new Uint8Array(), count: 0, cursor: { index }, position: { base: stream, offset: index } };
    }
  }

  #renderUpTo(from: number, end: number, bytes: number): { texts: string[]; next: number } {
    const texts: string[] = [];
    let left = bytes;
    let index = from;
    for (; index < end; index++) {
      const text = this.#text(index);
      left -= Buffer.byteLength(text);
      if (left < 0 && texts.length > 0) break;
      left -= 1;
      texts.push(text);
    }
    return { texts, next: index };
  }

  #text(index: number): string {
    const { faults, seed = 1 } = this.#config;
    if (faults === undefined) return this.#render(index);
    const { malformed = 0, duplicate = 0 } = faults;
    // A run of duplicates repeats the record before the run.
    let origin = index;
    while (origin > 0 && random(seed, origin, duplicateSlot) < duplicate) origin--;
    const text = this.#render(origin);
    return random(seed, index, malformedSlot) < malformed ? text.slice(0, text.length >> 1) : text;
  }

  /** A batch ends before a record at which something is to happen. */
  #nextFault(index: number): number {
    const { error_at = [], stall_at = index } = this.#config.faults ?? {};
    return Math.min(...[...error_at, stall_at].filter((at) => at > index));
  }

  async close(): Promise<void> {}
}

function indexOf(from: Cursor): number {
  return from !== null && typeof from === "object" && "index" in from ? Number(from.index) : 0;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
