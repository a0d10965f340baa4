import { type ReadFailure, rawLimit } from "../sdk/index.ts";
import {
  type Aims,
  afterMark,
  type Cut,
  type Place,
  type ReaderOptions,
  type RecordReader,
  recordLimit,
  tailOf,
} from "./reader.ts";
import type { Window } from "./window.ts";

const [lf, cr, space, tab, quote, comma, backslash] = [0x0a, 0x0d, 0x20, 0x09, 0x22, 0x2c, 0x5c];
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Bytes beside which white space means nothing. */
const isStructural = new Uint8Array(256);
for (const byte of Buffer.from('{}[]:,"')) isStructural[byte] = 1;

/** What is expected at the top level; `element`: after a comma, `first`: after the opening bracket. */
type Expected = "document" | "first" | "element" | "comma" | "object" | "nothing";

/**
 * Cuts the elements out of one JSON array, or out of objects that follow one another, without parsing them: strings and
 * nesting are followed byte by byte, white space between tokens is left out, so that each is one line. Where the
 * structure breaks there is no telling where the next element begins: the rest of the document is one failure.
 */
export class JsonReader implements RecordReader {
  readonly #name: string;
  readonly #window: Window;
  readonly #aims: Aims;
  #expected: Expected;
  #isSequence: boolean;
  /** Index in the window's view of the next byte. */
  #at = 0;
  #line: number;
  #lineStart: number;
  /** After the last whole element. */
  #place: Place;
  /** Why no element can be found any more. */
  #broken: string | undefined;
  /** Whether that is because the document ends too early. */
  isTorn = false;

  /** The element under way. */
  #inElement = false;
  #elementOffset = 0;
  /** The brackets that it has yet to close, innermost last. */
  #closers = new Uint8Array(64);
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  #sawSpace = false;
  #isCutOff = false;
  /** Why it cannot be a record, where its end can be found nevertheless. */
  #fault: string | undefined;

  /** Texts of the batch under way, then that of the element under way, from `#textStart` on. */
  #out: Buffer = Buffer.allocUnsafeSlow(256 * 1024);
  #written = 0;
  #textStart = 0;
  #count = 0;
  #failures: ReadFailure[] = [];

  constructor({ name, window, aims, from }: ReaderOptions) {
    this.#name = name;
    this.#window = window;
    this.#aims = aims;
    this.#place = from ?? { offset: 0, line: 1, tail: [0, 0], element: 1 };
    this.#isSequence = from?.sequence ?? false;
    this.#expected = from === null ? "document" : from.broken ? "nothing" : this.#isSequence ? "object" : "comma";
    this.#line = from?.line ?? 1;
    this.#lineStart = from?.lineStart ?? 0;
  }

  async next(): Promise<Cut | null> {
    const window = this.#window;
    if (this.#place.broken) return null;
    if (this.#expected === "document" && window.offset === 0) {
      await window.slide(0);
      this.#at = afterMark(window.view);
    }
    for (;;) {
      const cut = this.#scan(window.view);
      if (cut) return cut;
      if (this.#broken !== undefined) return await this.#break();
      if (window.ended) return await this.#end();
      if (this.#inElement && this.#written - this.#textStart > (this.#isCutOff ? rawLimit : recordLimit)) {
        // Only its beginning is kept, for the failure.
        this.#isCutOff = true;
        this.#written = this.#textStart + rawLimit;
      }
      await window.slide(this.#at);
      this.#at = 0;
    }
  }

  /** Goes through the view, to its end or a break (undefined), or until a batch is complete. */
  #scan(view: Buffer): Cut | undefined {
    while (this.#at < view.length) {
      const byte = view[this.#at]!;
      if (this.#inElement) {
        const cut = this.#copyElement(view) ? this.#endElement(view) : undefined;
        if (cut) return cut;
      } else if (byte === lf || byte === space || byte === cr || byte === tab) {
        if (byte === lf) this.#newLine(this.#at);
        this.#at++;
      } else {
        this.#broken = this.#begin(byte);
      }
      if (this.#broken !== undefined) return undefined;
    }
    return undefined;
  }

  /** Takes a byte between elements; gives why it cannot stand there. */
  #begin(byte: number): string | undefined {
    switch (this.#expected) {
      case "document":
        if (byte !== openArray && byte !== openObject) return "the document is neither an array nor objects";
        this.#isSequence = byte === openObject;
        this.#expected = this.#isSequence ? "object" : "first";
        if (!this.#isSequence) this.#at++;
        return undefined;
      case "comma":
        if (byte !== comma && byte !== closeArray) return "a comma or the array's end was expected";
        this.#expected = byte === comma ? "element" : "nothing";
        this.#at++;
        return undefined;
      case "nothing":
        return "something follows the array's end";
      case "object":
        if (byte !== openObject) return "an object or the end was expected";
        break;
      case "first":
        if (byte !== closeArray) break;
        this.#expected = "nothing";
        this.#at++;
        return undefined;
    }
    if (byte === comma || byte === closeArray || byte === closeObject) return "an element was expected";
    this.#startElement();
    return undefined;
  }

  #startElement(): void {
    this.#inElement = true;
    this.#elementOffset = this.#window.offset + this.#at;
    this.#reserve(1);
    if (this.#count > 0) this.#out[this.#written++] = lf;
    this.#textStart = this.#written;
  }

  /** Copies the element's bytes up to the end of the view or of the element; true at the latter. */
  #copyElement(view: Buffer): boolean {
    this.#reserve(view.length - this.#at);
    const out = this.#out;
    let at = this.#at;
    let written = this.#written;
    let inString = this.#inString;
    let isEscaped = this.#isEscaped;
    let sawSpace = this.#sawSpace;
    let isEnd = false;
    for (; at < view.length; at++) {
      const byte = view[at]!;
      if (inString) {
        if (byte === lf || byte === cr) {
          this.#fault ??= "a string in it holds a line break";
          if (byte === lf) this.#newLine(at);
          continue;
        }
        out[written++] = byte;
        if (isEscaped) isEscaped = false;
        else if (byte === backslash) isEscaped = true;
        else if (byte === quote) inString = false;
        continue;
      }
      if (byte === space || byte === lf || byte === cr || byte === tab) {
        if (byte === lf) this.#newLine(at);
        sawSpace = true;
        continue;
      }
      if (isStructural[byte] === 0) {
        // `1 2` must not become `12`.
        if (sawSpace && isStructural[out[written - 1]!] === 0) out[written++] = space;
      } else if (byte === quote) {
        inString = true;
      } else if (byte === openObject || byte === openArray) {
        this.#nest(byte === openObject ? closeObject : closeArray);
      } else if (this.#depth === 0 && (byte === comma || byte === closeArray)) {
        // Not the element's own: it was a number, a word or a string.
        isEnd = true;
        break;
      } else if (byte === closeObject || byte === closeArray) {
        if (this.#depth === 0 || this.#closers[this.#depth - 1] !== byte) {
          this.#at = at;
          this.#written = written;
          this.#broken = `"${String.fromCharCode(byte)}" closes what was not opened`;
          return false;
        }
        isEnd = --this.#depth === 0;
      }
      sawSpace = false;
      out[written++] = byte;
      if (isEnd) {
        at++;
        break;
      }
    }
    this.#at = at;
    this.#written = written;
    this.#inString = inString;
    this.#isEscaped = isEscaped;
    this.#sawSpace = sawSpace;
    return isEnd;
  }

  #endElement(view: Buffer): Cut | undefined {
    this.#inElement = this.#sawSpace = false;
    this.#expected = this.#isSequence ? "object" : "comma";
    // Does not fit beside the others any more: it begins the next batch.
    let cut = this.#count > 0 && this.#written > this.#aims.bytes ? this.#handOut(this.#textStart - 1) : undefined;
    const bytes = this.#window.offset + this.#at - this.#elementOffset;
    if (this.#isCutOff || this.#written - this.#textStart > recordLimit) {
      this.#fault = `it has ${bytes} bytes, and the longest record ${recordLimit}`;
    }
    const element = this.#place.element! + 1;
    if (this.#fault !== undefined) {
      const raw = Buffer.from(this.#out.subarray(this.#textStart, Math.min(this.#written, this.#textStart + rawLimit)));
      this.#fail(`${this.#name} element ${element - 1}: ${this.#fault}.`, raw);
    }
    this.#isCutOff = false;
    this.#fault = undefined;
    this.#count++;
    this.#place = {
      offset: this.#window.offset + this.#at,
      line: this.#line,
      tail: tailOf(view, this.#at),
      element,
      lineStart: this.#lineStart,
      ...(this.#isSequence ? { sequence: true } : {}),
    };
    if (this.#count === this.#aims.records) cut ??= this.#handOut(this.#written);
    return cut;
  }

  /** Puts a failure in the place of the text under way. */
  #fail(message: string, raw: Buffer): void {
    this.#failures.push({ index: this.#count, code: "VALIDATION_ERROR", message, raw });
    this.#reserve(4);
    this.#written = this.#textStart + this.#out.write("null", this.#textStart, "latin1");
  }

  /** The batch of the texts before index `end` of `#out`; what follows them moves to the front. */
  #handOut(end: number): Cut {
    const { element = 1 } = this.#place;
    const cut: Cut = {
      data: Buffer.from(this.#out.subarray(0, end)),
      count: this.#count,
      first: element - this.#count,
      failures: this.#failures.length > 0 ? this.#failures : undefined,
      place: this.#place,
    };
    this.#out.copyWithin(0, this.#textStart, this.#written);
    this.#written = end === this.#written ? 0 : this.#written - this.#textStart;
    this.#textStart = 0;
    this.#count = 0;
    this.#failures = [];
    return cut;
  }

  /** The rest of the document as one failure, in the batch with what was read before it. */
  async #break(): Promise<Cut> {
    const window = this.#window;
    while (!this.#inElement && !window.ended && window.view.length - this.#at < rawLimit) {
      await window.slide(this.#at);
      this.#at = 0;
    }
    const raw = this.#inElement ? this.#out.subarray(this.#textStart, this.#written) : window.view.subarray(this.#at);
    const column = this.#window.offset + this.#at - this.#lineStart + 1;
    const where = `${this.#name} is no well-formed JSON at line ${this.#line}, column ${column}`;
    const copied = Buffer.from(raw.subarray(0, rawLimit));
    if (!this.#inElement) this.#startElement();
    this.#fail(`${where}: ${this.#broken}. What follows was not read.`, copied);
    this.#count++;
    this.#place = { ...this.#place, element: this.#place.element! + 1, broken: true };
    return this.#handOut(this.#written);
  }

  async #end(): Promise<Cut | null> {
    const { failure } = this.#window;
    const isWhole = !this.#inElement && ["document", "object", "nothing"].includes(this.#expected);
    if (failure === undefined && !isWhole) {
      this.isTorn = true;
      this.#broken = "the document ends before its last bracket";
      return await this.#break();
    }
    if (this.#count > 0) return this.#handOut(this.#inElement ? this.#textStart - 1 : this.#written);
    if (failure !== undefined) throw failure;
    return null;
  }

  #newLine(at: number): void {
    this.#line++;
    this.#lineStart = this.#window.offset + at + 1;
  }

  #nest(closer: number): void {
    if (this.#depth === this.#closers.length) {
      const longer = new Uint8Array(this.#depth * 2);
      longer.set(this.#closers);
      this.#closers = longer;
    }
    this.#closers[this.#depth++] = closer;
  }

  #reserve(bytes: number): void {
    if (this.#written + bytes <= this.#out.length) return;
    const longer = Buffer.allocUnsafeSlow(Math.max(this.#out.length * 2, this.#written + bytes));
    this.#out.copy(longer, 0, 0, this.#written);
    this.#out = longer;
  }
}
