const magic = 0x184d2204;
/** One byte of a block stands for so many at most. */
const most = 255;

/**
 * Throws a RangeError where an LZ4 frame holds more than `limit` bytes: its decoder has no limit of its own. Nothing is
 * decompressed for it. https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
export function checkLz4Length(frame: Buffer, limit: number): void {
  // The decoder knows older frames, too, which no client of Kafka writes.
  if (frame.length < 7 || frame.readUInt32LE(0) !== magic) throw new RangeError("it is no LZ4 frame");
  if (frame.length * most <= limit) return;
  const flags = frame.readUInt8(4);
  const hasChecksums = (flags & 0x10) !== 0;
  // Behind the two bytes of flags: length of the content, id of a dictionary, checksum of the header.
  let at = 6 + ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0) + 1;
  for (let length = 0; at + 4 <= frame.length; ) {
    const head = frame.readUInt32LE(at);
    if (head === 0) return;
    const size = head & 0x7fffffff;
    const start = at + 4;
    const end = Math.min(start + size, frame.length);
    const isPlain = head >= 0x80000000;
    length += isPlain ? end - start : lengthOfBlock(frame, start, end);
    if (length > limit) throw new RangeError(`an LZ4 frame holds more than ${limit} bytes`);
    at = end + (hasChecksums ? 4 : 0);
  }
}

function lengthOfBlock(bytes: Buffer, start: number, end: number): number {
  let length = 0;
  let at = start;
  /** Of literals or a match: 15 says that more of it follows. */
  const whole = (nibble: number) => {
    let value = nibble;
    for (let more = nibble === 15 ? 255 : 0; more === 255 && at < end; value += more) more = bytes[at++] as number;
    return value;
  };
  while (at < end) {
    const token = bytes[at++] as number;
    const literals = whole(token >> 4);
    at += literals;
    length += literals;
    // The last sequence has no match.
    if (at >= end) break;
    at += 2;
    length += whole(token & 15) + 4;
  }
  return length;
}
