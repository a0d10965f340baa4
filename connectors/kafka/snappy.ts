/**
 * What a block in the bare format of snappy holds. Throws a RangeError where that is more than `limit` bytes, or where the
 * block is none. https://github.com/google/snappy/blob/main/format_description.txt
 */
export function uncompressSnappy(block: Buffer, limit: number): Buffer {
  let at = 0;
  const byte = () => {
    const found = block[at++];
    if (found === undefined) throw new RangeError("a snappy block breaks off");
    return found;
  };
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const more = byte();
    length += (more & 0x7f) * 2 ** shift;
    if (more < 0x80) break;
    if (shift === 28) throw new RangeError("a snappy block has no length");
  }
  if (length > limit) throw new RangeError(`a snappy block holds ${length} bytes, more than ${limit}`);
  const out = Buffer.allocUnsafe(length);
  let written = 0;
  /** Little-endian. */
  const number = (bytes: number) => {
    let value = 0;
    for (let index = 0; index < bytes; index++) value += byte() * 256 ** index;
    return value;
  };
  while (at < block.length) {
    const tag = byte();
    const high = tag >> 2;
    if ((tag & 3) === 0) {
      const size = (high < 60 ? high : number(high - 59)) + 1;
      if (size > block.length - at || size > length - written)
        throw new RangeError("a snappy block has a wrong length");
      block.copy(out, written, at, at + size);
      at += size;
      written += size;
      continue;
    }
    const isShort = (tag & 3) === 1;
    const size = isShort ? (high & 7) + 4 : high + 1;
    const back = isShort ? (tag >> 5) * 256 + byte() : number((tag & 3) === 2 ? 2 : 4);
    if (back === 0 || back > written || size > length - written)
      throw new RangeError("a snappy block has a wrong copy");
    // What is copied may be what this copy has just written.
    if (back >= size) out.copyWithin(written, written - back, written - back + size);
    else for (let index = 0; index < size; index++) out[written + index] = out[written + index - back] as number;
    written += size;
  }
  if (written !== length) throw new RangeError("a snappy block is shorter than it says");
  return out;
}
