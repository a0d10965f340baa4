import { createReadStream } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { ConnectorError } from "../sdk/index.ts";
import type { FileConfig } from "./config.ts";
import { fileError } from "./file-error.ts";

const blockSize = 256 * 1024;

/** A file's content from its beginning, decompressed. */
export interface Bytes {
  /** Fills `into` from index `at` on, at least in part; 0 at the end. */
  read(into: Buffer, at: number): Promise<number>;
  /** Leaves out the next `count` bytes, or what is left of them. */
  skip(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function openBytes(path: string, compression: FileConfig["compression"] = "auto"): Promise<Bytes> {
  try {
    const file = await open(path);
    const magic = Buffer.alloc(2);
    const { bytesRead } = await file.read(magic, 0, 2, 0);
    const isGzip = compression === "auto" ? magic[0] === 0x1f && magic[1] === 0x8b : compression === "gzip";
    if (!isGzip || bytesRead === 0) return new PlainBytes(path, file);
    await file.close();
    return new GzipBytes(path);
  } catch (error) {
    throw fileError(error, path, "source.stream");
  }
}

class PlainBytes implements Bytes {
  readonly #path: string;
  readonly #file: FileHandle;
  #position = 0;

  constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  async read(into: Buffer, at: number): Promise<number> {
    try {
      const { bytesRead } = await this.#file.read(into, at, into.length - at, this.#position);
      this.#position += bytesRead;
      return bytesRead;
    } catch (error) {
      throw fileError(error, this.#path, "source.stream");
    }
  }

  async skip(count: number): Promise<void> {
    this.#position += count;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

class GzipBytes implements Bytes {
  readonly #path: string;
  readonly #gunzip: Gunzip;
  readonly #blocks: AsyncIterator<Buffer>;
  #block: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
    const file = createReadStream(path, { highWaterMark: blockSize });
    this.#gunzip = createGunzip({ chunkSize: blockSize });
    // An error of either end comes out of the iterator.
    pipeline(file, this.#gunzip, () => {});
    this.#blocks = this.#gunzip[Symbol.asyncIterator]();
  }

  async read(into: Buffer, at: number): Promise<number> {
    if (!(await this.#more())) return 0;
    const count = this.#block.copy(into, at);
    this.#block = this.#block.subarray(count);
    return count;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0 && (await this.#more()); ) {
      const skipped = Math.min(left, this.#block.length);
      this.#block = this.#block.subarray(skipped);
      left -= skipped;
    }
  }

  async close(): Promise<void> {
    this.#gunzip.destroy();
  }

  async #more(): Promise<boolean> {
    while (this.#block.length === 0) {
      const next = await this.#blocks.next().catch((error: unknown) => {
        throw this.#isZlib(error) ? this.#corrupt(error.message, error) : fileError(error, this.#path, "source.stream");
      });
      if (next.done) {
        await this.#expectWhole();
        return false;
      }
      this.#block = next.value;
    }
    return true;
  }

  /** Node ends quietly at anything after a member that is no member itself; only zeros (padding) may stand there. */
  async #expectWhole(): Promise<void> {
    const { size } = await stat(this.#path);
    const read = this.#gunzip.bytesWritten;
    if (read >= size) return;
    for await (const chunk of createReadStream(this.#path, { start: read })) {
      if ((chunk as Buffer).some((byte) => byte !== 0)) throw this.#corrupt(`what follows byte ${read} is no gzip`);
    }
  }

  #isZlib(error: unknown): error is Error {
    return error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
  }

  #corrupt(why: string, cause?: unknown): ConnectorError {
    return new ConnectorError(
      "VALIDATION_ERROR",
      `${this.#path} is no whole gzip file (${why}); the records before that place were read.`,
      { fault: "record", path: "source.stream", cause },
    );
  }
}
