import type { Bytes } from "./bytes.ts";

export const blockSize = 512 * 1024;

/** The part of a file in hand. */
export class Window {
  view: Buffer = Buffer.alloc(0);
  /** Offset of `view[0]` in the file's (decompressed) content. */
  offset = 0;
  /** Nothing follows `view`. */
  ended = false;
  /** Why nothing follows, where the content breaks off: to be thrown once what stands before it is handed out. */
  failure: unknown;
  readonly #bytes: Bytes;
  readonly #signal: AbortSignal;
  #buffer: Buffer = this.view;
  #isShared: boolean;

  /** `isShared`: parts of `view` are handed out, so that a buffer is never written to again once it holds bytes. */
  constructor(bytes: Bytes, signal: AbortSignal, isShared: boolean) {
    this.#bytes = bytes;
    this.#signal = signal;
    this.#isShared = isShared;
  }

  /** Drops what stands before index `from` (indexes move down by it), and reads more unless at the end. */
  async slide(from: number): Promise<void> {
    this.#signal.throwIfAborted();
    const kept = this.view.length - from;
    this.offset += from;
    if (this.ended) {
      this.view = this.view.subarray(from);
      return;
    }
    // Twice as much for a record that does not fit, so that a long one is copied a few times only.
    const isFit = !this.#isShared && this.#buffer.length - kept >= blockSize / 2;
    const buffer = isFit ? this.#buffer : Buffer.allocUnsafeSlow(kept + Math.max(blockSize, kept));
    this.view.copy(buffer, 0, from);
    await this.#fill(buffer, kept);
  }

  /** Drops all and reads on into `scratch`, which is not handed out. */
  async discard(scratch: Buffer): Promise<void> {
    this.#signal.throwIfAborted();
    this.offset += this.view.length;
    if (this.ended) this.view = this.view.subarray(this.view.length);
    else await this.#fill(scratch, 0);
  }

  async #fill(buffer: Buffer, kept: number): Promise<void> {
    let count = 0;
    try {
      count = await this.#bytes.read(buffer, kept);
    } catch (error) {
      this.failure = error;
    }
    this.ended = count === 0;
    this.#buffer = buffer;
    this.view = buffer.subarray(0, kept + count);
  }

  /** Moves to a later offset, with nothing in view. */
  async skipTo(offset: number): Promise<void> {
    const inView = offset - this.offset;
    if (inView <= this.view.length) {
      this.view = this.view.subarray(inView);
    } else {
      await this.#bytes.skip(inView - this.view.length);
      this.view = this.view.subarray(this.view.length);
      this.ended = false;
    }
    this.offset = offset;
  }
}
