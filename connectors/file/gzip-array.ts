import { createReadStream, createWriteStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { arrayEnd } from "./encoder.ts";
import { syncFolder } from "./output.ts";
import { type ArrayEnd, endOfArray } from "./repair.ts";
import { bytesOf } from "./target.ts";

/**
 * Where a compressed array can be gone on with. Our own arrays end with a gzip member that holds the closing bracket
 * alone, and the next write takes its place; any other program's array is written aside in that form first.
 */
export async function endOfGzipArray(path: string, signal: AbortSignal): Promise<ArrayEnd> {
  const { size } = await stat(path);
  const closing = await bytesOf(arrayEnd, true);
  if (size > closing.length && (await tailOf(path, size, closing.length)).equals(closing)) {
    return { bytes: size - closing.length, records: 1 }; // How many there are is not counted: only that there are any.
  }
  const { bytes, records } = await endOfArray(path, "gzip", signal);
  if (records === 0) return { bytes: 0, records };
  return { bytes: await rewrite(path, bytes, closing), records };
}

async function tailOf(path: string, size: number, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const tail = Buffer.alloc(length);
    const { bytesRead } = await file.read(tail, 0, length, size - length);
    return tail.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Puts the first `bytes` of the content and the closing member in the file's place; gives the length before that. */
async function rewrite(path: string, bytes: number, closing: Buffer): Promise<number> {
  const aside = `${path}.rewritten`;
  try {
    await pipeline(
      createReadStream(path),
      createGunzip(),
      (content: Readable) => firstOf(content, bytes),
      createGzip(),
      createWriteStream(aside, { mode: (await stat(path)).mode }),
    );
    const { size } = await stat(aside);
    const file = await open(aside, "a");
    try {
      await file.appendFile(closing);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
    await syncFolder(dirname(path));
    return size;
  } finally {
    await rm(aside, { force: true });
  }
}

async function* firstOf(content: Readable, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    if (left > 0) yield chunk.subarray(0, left); // The rest is read, too: a pipeline must come to its end.
    left -= Math.min(left, chunk.length);
  }
}
