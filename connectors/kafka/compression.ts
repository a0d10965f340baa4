import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import lz4 from "lz4-napi";
import snappy from "snappyjs";

export const compressions = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type Compression = (typeof compressions)[number];

/** Stands before what Java's clients write with snappy: blocks, each with its length. */
const xerial = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
const xerialBlock = 32 * 1024;
/** Of one batch; what becomes longer is not read. */
const longest = 512 * 1024 * 1024;

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

export function decompress(type: number, bytes: Buffer): Buffer {
  const limit = { maxOutputLength: longest };
  switch (compressions[type]) {
    case "none":
      return bytes;
    case "gzip":
      return gunzipSync(bytes, limit);
    case "snappy":
      return fromXerial(bytes);
    case "lz4":
      return lz4.decompressFrameSync(bytes);
    case "zstd":
      return zstdDecompressSync(bytes, limit);
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
function fromXerial(bytes: Buffer): Buffer {
  if (bytes.compare(xerial, 0, 8, 0, 8) !== 0) return Buffer.from(snappy.uncompress(bytes, longest));
  const parts: Buffer[] = [];
  for (let at = xerial.length; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readInt32BE(at);
    parts.push(Buffer.from(snappy.uncompress(bytes.subarray(at + 4, end), longest)));
    at = end;
  }
  return Buffer.concat(parts);
}
