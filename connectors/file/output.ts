import { constants, copyFile, type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StaleOwnerError } from "../sdk/index.ts";
import { fileError } from "./file-error.ts";

/** A file that grows by whole batches: what `append` resolved for has been fsynced, and what it threw for is gone. */
export class Output {
  readonly path: string;
  readonly #file: FileHandle;
  /** Bytes that are known to be whole. */
  length: number;

  private constructor(path: string, file: FileHandle, length: number) {
    this.path = path;
    this.#file = file;
    this.length = length;
  }

  /** `flags`: as of fs.open; `r+` where the file must be there. */
  static async open(path: string, flags: "r+" | "w+" | "a+"): Promise<Output> {
    const file = await open(path, flags, 0o666).catch((error: unknown) => {
      throw fileError(error, path, "destination.stream");
    });
    return new Output(path, file, (await file.stat()).size);
  }

  /**
   * A copy in the file's place: a former owner that was paused and wakes up goes on writing to the file that it has open,
   * which is no longer this one.
   */
  static async takeOver(path: string): Promise<Output> {
    const copy = join(dirname(path), `.${basename(path).replace(/^\./, "")}~`);
    let output: Output | undefined;
    try {
      await rm(copy, { force: true });
      await copyFile(path, copy, constants.COPYFILE_FICLONE);
      output = await Output.open(copy, "r+");
      await rename(copy, path);
      await syncFolder(dirname(path));
      return new Output(path, output.#file, output.length);
    } catch (error) {
      await output?.close();
      await rm(copy, { force: true }).catch(() => {});
      throw fileError(error, path, "destination.stream");
    }
  }

  /** Throws StaleOwnerError where another one took the file over, or it was moved away. */
  async own(): Promise<void> {
    const [there, open] = await Promise.all([stat(this.path).catch(() => undefined), this.#file.stat()]);
    if (there?.ino !== open.ino || there.dev !== open.dev) {
      throw new StaleOwnerError(`${this.path} is another file than the one that was written.`);
    }
  }

  /** Writes at `length` and syncs. `trailer` follows, and is overwritten by the next write. */
  async append(bytes: Buffer, trailer: Buffer = Buffer.alloc(0)): Promise<void> {
    const all = trailer.length > 0 ? Buffer.concat([bytes, trailer]) : bytes;
    let written = 0;
    try {
      while (written < all.length) {
        const at = this.length + written;
        written += (await this.#file.write(all, written, all.length - written, at)).bytesWritten;
      }
      if (trailer.length > 0) await this.#file.truncate(this.length + all.length);
      await this.#file.datasync();
      this.length += bytes.length;
    } catch (error) {
      await this.#undo(written, trailer);
      throw fileError(error, this.path, "destination.stream");
    }
  }

  async read(from: number, to: number): Promise<Buffer> {
    const bytes = Buffer.alloc(Math.max(0, to - from));
    let read = 0;
    while (read < bytes.length) {
      const { bytesRead } = await this.#file.read(bytes, read, bytes.length - read, from + read);
      if (bytesRead === 0) break;
      read += bytesRead;
    }
    return bytes.subarray(0, read);
  }

  async truncate(length: number): Promise<void> {
    await this.#file.truncate(length);
    await this.#file.datasync();
    this.length = length;
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Cuts a torn batch off, unless somebody else wrote behind it meanwhile. */
  async #undo(written: number, trailer: Buffer): Promise<void> {
    try {
      const { size } = await this.#file.stat();
      if (trailer.length === 0 && size > this.length + written) return;
      await this.#file.truncate(this.length);
      if (this.length > 0) await this.#file.write(trailer, 0, trailer.length, this.length);
    } catch {
      // The next open repairs the end.
    }
  }
}

/** Makes a rename or a new name in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
