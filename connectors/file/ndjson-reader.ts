import {
  type Aims,
  afterMark,
  type Cut,
  type ReaderOptions,
  type RecordReader,
  recordLimit,
  skipLine,
  tailOf,
} from "./reader.ts";
import type { Window } from "./window.ts";

/**
 * Cuts batches out of lines without looking into them: a batch is a part of the buffer that was read. Blank lines are
 * left out, but counted. A CR before the LF stays, which is white space to JSON.
 */
export class NdjsonReader implements RecordReader {
  readonly #name: string;
  readonly #window: Window;
  readonly #aims: Aims;
  readonly #isComplete: ReaderOptions["isComplete"];
  /** Index in the window's view, and number, of the next line. */
  #at = 0;
  #line: number;

  constructor({ name, window, aims, from, isComplete }: ReaderOptions) {
    this.#name = name;
    this.#window = window;
    this.#aims = aims;
    this.#isComplete = isComplete;
    this.#line = from?.line ?? 1;
  }

  async next(): Promise<Cut | null> {
    const window = this.#window;
    if (window.offset === 0 && this.#at === 0) {
      await window.slide(0);
      this.#at = afterMark(window.view);
    }
    let from = this.#at;
    let at = from;
    let scanned = from;
    let line = this.#line;
    let first = line;
    let count = 0;
    let end = from;
    // Parts of the view between blank lines, as pairs of indexes relative to `from`; the last is open.
    let parts: number[] | undefined;
    let part = 0;
    let ordinals: number[] | undefined;
    let isTooLong = false;
    for (;;) {
      const { view } = window;
      let isFull = false;
      while (!(isFull = count === this.#aims.records)) {
        let lineEnd = view.indexOf(10, scanned);
        let next = lineEnd + 1;
        if (lineEnd === -1) {
          const isLast = window.ended && at < view.length && window.failure === undefined;
          if (!isLast || !this.#isComplete(view.subarray(at))) break;
          lineEnd = next = view.length;
        }
        if ((isTooLong = lineEnd - at > recordLimit)) break;
        if (isBlank(view, at, lineEnd)) {
          if (count === 0) from = next;
          else {
            ordinals ??= Array.from({ length: count }, (_, index) => first + index);
            parts ??= [];
            if (at - from > part) parts.push(part, at - from - 1);
            part = next - from;
          }
        } else {
          if ((isFull = count > 0 && lineEnd - from > this.#aims.bytes)) break;
          if (count++ === 0) first = line;
          ordinals?.push(line);
          end = lineEnd;
        }
        // A last line without LF goes on counting as the current one: the LF may come later.
        if (next > lineEnd) line++;
        at = scanned = next;
      }
      isTooLong ||= !isFull && view.length - at > recordLimit;
      isFull ||= count > 0 && view.length - from > this.#aims.bytes;
      if (isFull || isTooLong || window.ended) break;
      scanned = view.length;
      await window.slide(from);
      [at, scanned, end, from] = [at - from, scanned - from, end - from, 0];
    }
    this.#at = at;
    this.#line = line;
    if (count === 0) return isTooLong ? await this.#skip() : this.#end();
    const { view } = window;
    if (parts && end - from > part) parts.push(part, end - from);
    const data = parts ? joined(view.subarray(from), parts) : view.subarray(from, end);
    return { data, count, first, ordinals, place: { offset: window.offset + at, line, tail: tailOf(view, at) } };
  }

  async #skip(): Promise<Cut> {
    const cut = await skipLine(this.#window, this.#at, this.#name, this.#line);
    this.#at = 0;
    this.#line++;
    return cut;
  }

  #end(): null {
    if (this.#window.failure !== undefined) throw this.#window.failure;
    return null;
  }
}

function isBlank(view: Buffer, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    const byte = view[index]!;
    if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) return false;
  }
  return true;
}

const newline = Buffer.from("\n");

function joined(view: Buffer, parts: readonly number[]): Buffer {
  const pieces: Buffer[] = [];
  for (let index = 0; index < parts.length; index += 2) {
    if (index > 0) pieces.push(newline);
    pieces.push(view.subarray(parts[index], parts[index + 1]));
  }
  return Buffer.concat(pieces);
}
