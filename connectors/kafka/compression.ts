import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import lz4 from "lz4-napi";
import snappy from "snappyjs";
import { checkLz4Length } from "./lz4-frame.ts";
import { uncompressSnappy } from "./snappy.ts";

export const compressions = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type Compression = (typeof compressions)[number];

/** Stands before what Java's clients write with snappy: blocks, each with its length. */
const xerial = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
const xerialBlock = 32 * 1024;
/** Of one batch; what would become longer is not decompressed: a few bytes may stand for all memory there is. */
const longest = 128 * 1024 * 1024;

/** By the number that a batch's attributes hold. */
export function compress(type: Compression, bytes: Buffer): Buffer {
  switch (type) {
    case "none":
      return bytes;
    case "gzip":
      return gzipSync(bytes);
    case "snappy":
      return toXerial(bytes);
    case "lz4":
      return lz4.compressFrameSync(bytes);
    case "zstd":
      return zstdCompressSync(bytes);
  }
}

/** Throws where `bytes` are no such thing, or hold more than `limit`. */
export function decompress(type: number, bytes: Buffer, limit = longest): Buffer {
  switch (compressions[type]) {
    case "none":
      return bytes;
    case "gzip":
      return gunzipSync(bytes, { maxOutputLength: limit });
    case "snappy":
      return fromXerial(bytes, limit);
    case "lz4":
      checkLz4Length(bytes, limit);
      return lz4.decompressFrameSync(bytes);
    case "zstd":
      return zstdDecompressSync(bytes, { maxOutputLength: limit });
    default:
      throw new RangeError(`no compression has the number ${type}`);
  }
}

function toXerial(bytes: Buffer): Buffer {
  const parts: Buffer[] = [xerial];
  for (let at = 0; at < bytes.length; at += xerialBlock) {
    const block = Buffer.from(snappy.compress(bytes.subarray(at, at + xerialBlock)));
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/** Others than Java write the bare format. */
function fromXerial(bytes: Buffer, limit: number): Buffer {
  if (bytes.length < xerial.length || bytes.compare(xerial, 0, 8, 0, 8) !== 0) return uncompressSnappy(bytes, limit);
  const parts: Buffer[] = [];
  let left = limit;
  for (let at = xerial.length; at < bytes.length; ) {
    const start = at + 4;
    const end = start + bytes.readUInt32BE(at);
    if (end > bytes.length) throw new RangeError("a snappy block breaks off");
    const part = uncompressSnappy(bytes.subarray(start, end), left);
    left -= part.length;
    parts.push(part);
    at = end;
  }
  return Buffer.concat(parts);
}
