import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import path from "node:path";

/**
 * A file of lines, readable by its owner alone, that holds so many bytes at most: a full one becomes `PATH.1`, of which
 * there is one. Lines are written at once, so that a crash loses none; where that fails (a full disk), they are dropped.
 */
export class BoundedFile {
  readonly #path: string;
  readonly #maxBytes: number;
  #fd: number | undefined;
  #bytes = 0;

  constructor(file: string, maxBytes: number) {
    this.#path = file;
    this.#maxBytes = maxBytes;
  }

  write(line: string): void {
    try {
      const fd = this.#open(Buffer.byteLength(line));
      this.#bytes += writeSync(fd, line);
    } catch {
      // A node does not stop because it cannot say what it does.
    }
  }

  /** The file, with room for so many bytes. */
  #open(bytes: number): number {
    if (this.#fd !== undefined && this.#bytes + bytes <= this.#maxBytes) return this.#fd;
    this.close();
    mkdirSync(path.dirname(this.#path), { recursive: true });
    this.#bytes = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    if (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes) {
      renameSync(this.#path, `${this.#path}.1`);
      this.#bytes = 0;
    }
    this.#fd = openSync(this.#path, "a", 0o600);
    return this.#fd;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
