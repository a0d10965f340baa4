import type { Json } from "../sdk/index.ts";
import { CutError, type Cutter, parsed, Received, recordLimit, type Take, takeAll } from "./cutter.ts";

const [lf, cr, space, tab, quote, comma, colon, backslash] = [0x0a, 0x0d, 0x20, 0x09, 0x22, 0x2c, 0x3a, 0x5c];
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Bytes beside which white space means nothing. */
const isStructural = new Uint8Array(256);
for (const byte of Buffer.from('{}[]:,"')) isStructural[byte] = 1;

/** The bytes of a byte order mark. */
const mark = [0xef, 0xbb, 0xbf];

/** Where the next byte stands: beside the records, between two of them, or in one. */
type Phase = "around" | "between" | "record";

/**
 * Cuts the elements out of the array at a path of names, without parsing or keeping them; what stands around it is kept,
 * with an empty array in its place. A value there that is no array is kept as well, and taken as one record at the end.
 */
export class JsonCutter implements Cutter {
  readonly #path: readonly string[];
  readonly #take: Take;
  readonly #received = new Received();
  #phase: Phase = "around";
  #at = 0;
  #started = false;

  /** Of what stands around: its pieces, and where the piece under way begins. */
  readonly #around: Buffer[] = [];
  #aroundBytes = 0;
  #from = 0;
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  /** How many names of the path the open containers stand for. */
  #matched = 0;
  /** The bytes of the key under way, in the object where the path's next name is looked for. */
  #key: number[] | undefined;
  #expectsKey = false;
  /** The object that opens next is on the path. */
  #entered = false;
  /** The value that comes is the one of the path's next name. */
  #isOnPath: boolean;
  #found = false;

  /** Of a record: where it begins, and how far it was written (white space is left out). */
  #start = 0;
  #written = 0;
  #recordDepth = 0;
  #sawSpace = false;
  #expected: "first" | "element" | "comma" = "first";

  constructor(path: readonly string[], take: Take) {
    this.#path = path;
    this.#take = take;
    this.#isOnPath = path.length === 0;
  }

  push(chunk: Buffer): void {
    const received = this.#received;
    const kept = this.#phase === "record" ? this.#start : this.#phase === "around" ? this.#from : this.#at;
    const moved = received.append(chunk, kept);
    this.#at -= moved;
    this.#from -= moved;
    this.#start -= moved;
    this.#written -= moved;
    if (!this.#started) this.#begin();
    const { end } = received;
    while (this.#at < end) {
      if (this.#phase === "record") this.#scanRecord(end);
      else if (this.#phase === "between") this.#scanBetween();
      else this.#scanAround(end);
    }
    if (this.#phase === "around") this.#keepAround();
    else if (this.#phase === "record" && this.#written - this.#start > recordLimit) {
      throw new CutError(`a record has more than ${recordLimit / 1024 / 1024} MiB`);
    }
  }

  end(): Json {
    if (!this.#started) throw new CutError("it is empty", true);
    if (this.#phase !== "around" || this.#depth > 0 || this.#inString) throw new CutError("it breaks off", true);
    const document = parsed(Buffer.concat(this.#around).toString());
    if (!this.#found) takeAll(valueAt(document, this.#path), this.#take);
    return document;
  }

  /** A byte order mark is left out; what cannot be JSON is said at once. */
  #begin(): void {
    const { buffer, end } = this.#received;
    while (this.#at < end && (isSpace(buffer[this.#at]!) || mark.includes(buffer[this.#at]!))) this.#at++;
    this.#from = this.#at;
    if (this.#at === end) return;
    this.#started = true;
    const first = String.fromCharCode(buffer[this.#at]!);
    if (!/["[{\-\dtfn]/.test(first)) throw new CutError(first === "<" ? "it is HTML or XML" : "it is no JSON");
  }

  #scanAround(end: number): void {
    const { buffer } = this.#received;
    let at = this.#at;
    for (; at < end; at++) {
      const byte = buffer[at]!;
      if (this.#inString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === backslash) this.#isEscaped = true;
        else if (byte === quote) {
          this.#inString = false;
          continue;
        }
        this.#key?.push(byte);
        continue;
      }
      if (isSpace(byte)) continue;
      if (this.#isOnPath && this.#enters(byte, at)) return;
      if (byte === quote) {
        this.#inString = true;
        this.#key = this.#expectsKey ? [] : undefined;
        this.#expectsKey = false;
      } else if (byte === openObject || byte === openArray) {
        this.#expectsKey = byte === openObject && (this.#entered || (this.#depth === 0 && this.#path.length > 0));
        this.#entered = false;
        this.#key = undefined;
        this.#depth++;
      } else if (byte === closeObject || byte === closeArray) {
        if (--this.#depth < 0) throw new CutError("it is no well-formed JSON");
        this.#expectsKey = false;
        this.#matched = Math.max(0, Math.min(this.#matched, this.#depth - 1));
      } else if (byte === colon && this.#key !== undefined) {
        this.#isOnPath = nameOf(this.#key) === this.#path[this.#matched];
        this.#key = undefined;
      } else if (byte === comma) {
        this.#key = undefined;
        this.#expectsKey = !this.#found && this.#path.length > 0 && this.#depth === this.#matched + 1;
      }
    }
    this.#at = at;
  }

  /** The value at the path's next name begins; true where the records do. */
  #enters(byte: number, at: number): boolean {
    this.#isOnPath = false;
    const isLast = this.#matched + 1 >= this.#path.length;
    if (isLast && byte === openArray) {
      this.#found = true;
      this.#at = at;
      this.#keepAround();
      this.#keep(Buffer.from("[]"));
      this.#at++;
      this.#phase = "between";
      this.#expected = "first";
      return true;
    }
    if (!isLast && byte === openObject) {
      this.#matched++;
      this.#entered = true;
    }
    return false;
  }

  #scanBetween(): void {
    const { buffer } = this.#received;
    const byte = buffer[this.#at]!;
    if (isSpace(byte)) {
      this.#at++;
      return;
    }
    if (this.#expected === "comma" || (this.#expected === "first" && byte === closeArray)) {
      this.#at++;
      if (byte === comma) this.#expected = "element";
      else if (byte === closeArray) {
        this.#phase = "around";
        this.#from = this.#at;
      } else throw new CutError("a comma or the end of its records was expected");
      return;
    }
    if (byte === comma || byte === closeArray || byte === closeObject || byte === colon) {
      throw new CutError("a record was expected");
    }
    this.#phase = "record";
    this.#start = this.#written = this.#at;
    this.#sawSpace = false;
    this.#recordDepth = 0;
  }

  #scanRecord(end: number): void {
    const { buffer } = this.#received;
    let at = this.#at;
    let written = this.#written;
    let depth = this.#recordDepth;
    let inString = this.#inString;
    let isEscaped = this.#isEscaped;
    let sawSpace = this.#sawSpace;
    let isEnd = false;
    for (; at < end; at++) {
      const byte = buffer[at]!;
      if (inString) {
        buffer[written++] = byte;
        if (isEscaped) isEscaped = false;
        else if (byte === backslash) isEscaped = true;
        else if (byte === quote) inString = false;
        else if (byte === lf || byte === cr) throw new CutError("a text in a record holds a line break");
        continue;
      }
      if (byte === space || byte === lf || byte === cr || byte === tab) {
        sawSpace = true;
        continue;
      }
      if (isStructural[byte] === 0) {
        // `1 2` must not become `12`.
        if (sawSpace && written > this.#start && isStructural[buffer[written - 1]!] === 0) buffer[written++] = space;
      } else if (byte === quote) {
        inString = true;
      } else if (byte === openObject || byte === openArray) {
        depth++;
      } else if (depth === 0 && (byte === comma || byte === closeArray)) {
        // Not the record's own: it was a number, a word or a text.
        isEnd = true;
        break;
      } else if (byte === closeObject || byte === closeArray) {
        if (depth === 0) throw new CutError("a bracket closes what was not opened");
        isEnd = --depth === 0;
      }
      sawSpace = false;
      buffer[written++] = byte;
      if (isEnd) {
        at++;
        break;
      }
    }
    this.#at = at;
    this.#written = written;
    this.#recordDepth = depth;
    this.#inString = inString;
    this.#isEscaped = isEscaped;
    this.#sawSpace = sawSpace;
    if (!isEnd) return;
    if (written - this.#start > recordLimit) {
      throw new CutError(`a record has more than ${recordLimit / 1024 / 1024} MiB`);
    }
    this.#take(buffer, this.#start, written);
    this.#phase = "between";
    this.#expected = "comma";
  }

  #keepAround(): void {
    this.#keep(Buffer.from(this.#received.buffer.subarray(this.#from, this.#at)));
    this.#from = this.#at;
  }

  #keep(piece: Buffer): void {
    this.#around.push(piece);
    this.#aroundBytes += piece.length;
    if (this.#aroundBytes > recordLimit) {
      throw new CutError(`it has more than ${recordLimit / 1024 / 1024} MiB beside its records`);
    }
  }
}

function isSpace(byte: number): boolean {
  return byte === space || byte === lf || byte === cr || byte === tab;
}

function nameOf(bytes: readonly number[]): string {
  return parsed(`"${Buffer.from(bytes).toString()}"`) as string;
}

function valueAt(document: Json, path: readonly string[]): Json | undefined {
  let value: Json | undefined = document;
  for (const name of path) {
    const isObject: boolean = typeof value === "object" && value !== null && !Array.isArray(value);
    value = isObject && Object.hasOwn(value as object, name) ? (value as { [name: string]: Json })[name] : undefined;
  }
  return value;
}
