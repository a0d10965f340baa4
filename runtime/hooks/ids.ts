import { hash } from "node:crypto";

/** Of the two bytes behind the digest: it is one of several records of a request. */
const isPart = 0x80_00;
const digestBytes = 10;

/**
 * By what a record is known when it comes again: 12 bytes in base64, of which ten are a digest of what its request is known
 * by. `part`: the record is that one of several, 32,767 at most; left out: the request is one record.
 */
export function hookId(request: string, part?: number): string {
  const id = Buffer.alloc(digestBytes + 2);
  hash("sha256", request, "buffer").copy(id, 0, 0, digestBytes);
  if (part !== undefined) id.writeUInt16BE(isPart | part, digestBytes);
  return id.toString("base64");
}

/**
 * What the record's request would be known by, had it been taken as one record instead of several, or the other way round:
 * nobody signs the headers that say which, so that whoever has seen a request can have it taken either way.
 */
export function rivalId(id: string): string {
  const bytes = Buffer.from(id, "base64");
  const wasPart = (bytes.readUInt16BE(digestBytes) & isPart) !== 0;
  bytes.writeUInt16BE(wasPart ? 0 : isPart, digestBytes);
  return bytes.toString("base64");
}
