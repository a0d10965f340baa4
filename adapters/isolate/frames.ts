/**
 * What goes between the node and the sandbox's process, both ways: a length (4 bytes, of what follows), an id
 * (4 bytes), and text in UTF-8. A request's text is a `RequestHead` in a line of its own and a line for each call, an
 * answer's a line for each result (see harness.ts). With id 0: the process is ready; cancel the request in the text.
 */
export interface RequestHead {
  readonly scope: string;
  /** An expression that gives the function to call. */
  readonly text: string;
  readonly kind: "expression" | "predicate" | "function";
  /** Which arguments the lines carry, in the order record, meta, value. */
  readonly record: boolean;
  readonly meta: boolean;
  readonly value: boolean;
  readonly count: number;
}

export function frame(id: number, text: string): Buffer {
  const length = Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafe(8 + length);
  bytes.writeUInt32LE(length + 4, 0);
  bytes.writeUInt32LE(id, 4);
  bytes.write(text, 8, length, length === text.length ? "latin1" : "utf8");
  return bytes;
}

/** Puts frames together from the pieces in which they come. */
export class FrameReader {
  readonly #onFrame: (id: number, text: string) => void;
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(onFrame: (id: number, text: string) => void) {
    this.#onFrame = onFrame;
  }

  /** Keeps the piece. */
  push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    for (let size = this.#nextSize(); size !== undefined && this.#length >= size; size = this.#nextSize()) {
      const all = this.#joined();
      this.#pieces = size < all.length ? [all.subarray(size)] : [];
      this.#length = all.length - size;
      const body = all.subarray(8, size);
      this.#onFrame(all.readUInt32LE(4), body.toString("utf8"));
    }
  }

  #nextSize(): number | undefined {
    if (this.#length < 4) return undefined;
    const first = this.#pieces[0] as Buffer;
    return 4 + (first.length >= 4 ? first : this.#joined()).readUInt32LE(0);
  }

  #joined(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0] as Buffer;
  }
}
