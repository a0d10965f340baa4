import type { Json } from "../sdk/index.ts";
import { parseExact } from "../sdk/index.ts";

/** Is given each record's text: a part of a buffer that is written over afterwards. */
export type Take = (buffer: Buffer, start: number, end: number) => void;

/** Cuts records out of an answer while it comes. */
export interface Cutter {
  /** Throws a CutError. */
  push(chunk: Buffer): void;
  /** The answer without its records, once it is whole. Throws a CutError where it is not. */
  end(): Json;
}

/** What is wrong with an answer; `torn`: it ends too early. */
export class CutError extends Error {
  override readonly name = "CutError";
  readonly isTorn: boolean;

  constructor(message: string, isTorn = false) {
    super(message);
    this.isTorn = isTorn;
  }
}

/** A longer record is refused, and so is an answer with as much beside its records. */
export const recordLimit = 16 * 1024 * 1024;
const mebibytes = recordLimit / 1024 / 1024;

/** The bytes that were received and not dealt with yet. */
export class Received {
  buffer: Buffer = Buffer.allocUnsafeSlow(256 * 1024);
  end = 0;

  /** Appends; what stands before `from` is dropped, and indexes move down by what is returned. */
  append(chunk: Buffer, from: number): number {
    let moved = 0;
    if (this.end + chunk.length > this.buffer.length) {
      const kept = this.end - from;
      const isFit = kept + chunk.length <= this.buffer.length;
      const size = Math.max(this.buffer.length * (isFit ? 1 : 2), kept + chunk.length);
      const buffer = isFit ? this.buffer : Buffer.allocUnsafeSlow(size);
      this.buffer.copy(buffer, 0, from, this.end);
      this.buffer = buffer;
      this.end = kept;
      moved = from;
    }
    chunk.copy(this.buffer, this.end);
    this.end += chunk.length;
    return moved;
  }
}

/** A JSON text on each line; blank lines are left out. */
export class LineCutter implements Cutter {
  readonly #take: Take;
  readonly #received = new Received();
  #start = 0;
  #scanned = 0;
  #hasBegun = false;

  constructor(take: Take) {
    this.#take = take;
  }

  push(chunk: Buffer): void {
    const received = this.#received;
    const moved = received.append(chunk, this.#start);
    this.#start -= moved;
    this.#scanned -= moved;
    const { buffer, end } = received;
    for (;;) {
      const lineEnd = buffer.subarray(0, end).indexOf(10, this.#scanned);
      if (lineEnd === -1) break;
      this.#line(lineEnd);
      this.#start = this.#scanned = lineEnd + 1;
    }
    this.#scanned = end;
    if (end - this.#start > recordLimit) throw new CutError(`a line has more than ${mebibytes} MiB`);
    if (this.#start === end) this.#start = this.#scanned = received.end = 0;
  }

  end(): Json {
    this.#line(this.#received.end);
    this.#start = this.#received.end;
    return null;
  }

  #line(end: number): void {
    const { buffer } = this.#received;
    let from = this.#start;
    let to = end;
    const isBlank = (byte: number | undefined) => byte === 0x20 || byte === 0x0d || byte === 0x09;
    while (from < to && isBlank(buffer[from])) from++;
    while (to > from && isBlank(buffer[to - 1])) to--;
    if (to === from) return;
    // Else each of its lines would be a record that cannot be read.
    if (!this.#hasBegun && buffer[from] === 0x3c) throw new CutError("it begins as a page does, with <");
    this.#hasBegun = true;
    this.#take(buffer, from, to);
  }
}

/** An answer that is looked at as a whole: for records that do not stand in one array. */
export class WholeCutter implements Cutter {
  readonly #find: (document: Json) => Json | undefined;
  readonly #take: Take;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  /** `find`: what the records are: an array, one record, null for none; undefined where there should be some. */
  constructor(find: (document: Json) => Json | undefined, take: Take) {
    this.#find = find;
    this.#take = take;
  }

  push(chunk: Buffer): void {
    this.#pieces.push(Buffer.from(chunk));
    this.#bytes += chunk.length;
    if (this.#bytes > recordLimit) throw new CutError(`it has more than ${mebibytes} MiB and is no array of records`);
  }

  end(): Json {
    const document = parsed(Buffer.concat(this.#pieces).toString());
    takeAll(this.#find(document), this.#take);
    return document;
  }
}

/** Takes what stands where records are expected. */
export function takeAll(found: Json | undefined, take: Take): void {
  if (found === undefined) throw new CutError("it has nothing where its records should be");
  if (found === null) return;
  for (const record of Array.isArray(found) ? found : [found]) {
    const text = Buffer.from(JSON.stringify(record));
    take(text, 0, text.length);
  }
}

export function parsed(text: string): Json {
  try {
    return parseExact(text.replace(/^\ufeff/, ""));
  } catch {
    const isTorn = text.trim() === "" || /[[{,:]\s*$/.test(text);
    throw new CutError("it is no well-formed JSON, or breaks off", isTorn);
  }
}
