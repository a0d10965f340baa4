import { pipeline, type Readable } from "node:stream";
import { promisify } from "node:util";
import {
  brotliCompress,
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
  gzip,
  zstdCompress,
} from "node:zlib";
import { ConnectorError } from "../sdk/index.ts";
import type { Compression } from "./config.ts";

export const acceptEncoding = "gzip, br, zstd, deflate";

const decoders: { readonly [encoding: string]: (() => NodeJS.ReadWriteStream) | null } = {
  identity: null,
  "": null,
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/** A body as it was before it was encoded; errors of any part come out of what is returned. */
export function decoded(body: Readable, contentEncoding: string, where: string): Readable {
  const encodings = contentEncoding
    .split(",")
    .map((each) => each.trim().toLowerCase())
    .reverse();
  let stream: NodeJS.ReadableStream = body;
  // An error that nobody reads, of a body that was given up, is none.
  body.on("error", () => {});
  for (const encoding of encodings) {
    const decoder = Object.hasOwn(decoders, encoding) ? decoders[encoding] : undefined;
    if (decoder === undefined) {
      body.destroy();
      const message = `${where}: the answer has the unknown Content-Encoding "${encoding.slice(0, 40)}".`;
      throw new ConnectorError("VALIDATION_ERROR", message, { fault: "destination", path: "config.base_url" });
    }
    // What fails is destroyed with its error, which its reader sees.
    if (decoder !== null) stream = pipeline(stream, decoder(), () => {}).on("error", () => {});
  }
  return stream as Readable;
}

const encoders = {
  gzip: promisify(gzip),
  br: (text: Buffer) => promisify(brotliCompress)(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  zstd: promisify(zstdCompress),
};

export async function encoded(body: Buffer, compression: Compression): Promise<Buffer> {
  return compression === "none" ? body : encoders[compression](body);
}

/** Reads the rest of a short body, so that its connection can be used again; breaks off a long one. */
export function discard(body: Readable): void {
  readUpTo(body, 64 * 1024).catch(() => {});
}

/** A body as a whole: no more than `limit` bytes of it, decoded; the rest is left. */
export async function readUpTo(body: Readable, limit: number): Promise<{ text: string; isCut: boolean }> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > limit) break;
  }
  return { text: Buffer.concat(pieces).subarray(0, limit).toString(), isCut: bytes > limit };
}
