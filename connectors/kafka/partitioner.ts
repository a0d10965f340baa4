import { crc32 } from "node:zlib";

export type Partitioner = (key: Buffer, partitions: number) => number;

export const partitioners: { readonly murmur2: Partitioner; readonly crc32: Partitioner } = {
  /** As Java's clients. */
  murmur2: (key, partitions) => (murmur2(key) & 0x7fffffff) % partitions,
  /** As librdkafka's `consistent`. */
  crc32: (key, partitions) => crc32(key) % partitions,
};

/** Austin Appleby's, with Kafka's seed. */
export function murmur2(bytes: Buffer): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ bytes.length;
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(bytes.readInt32LE(at), m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = bytes.length & 3;
  if (rest > 2) h ^= bytes[whole + 2]! << 16;
  if (rest > 1) h ^= bytes[whole + 1]! << 8;
  if (rest > 0) h = Math.imul(h ^ bytes[whole]!, m);
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}
