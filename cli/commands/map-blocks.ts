/** Whole lines without the LF after the last, or a line that was too long to be kept. */
export type Block = { readonly lines: Uint8Array } | { readonly tooLong: true };

/** A longer line is read past and never held. */
export const maxLineBytes = 32 * 1024 * 1024;

/**
 * Cuts chunks of bytes at line ends. A block is handed out as soon as its chunk is there, so that what comes over a
 * pipe line by line leaves so; no more than one chunk and one line are held.
 */
export async function* readBlocks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Block> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let skipping = false;
  const hold = (bytes: Uint8Array) => {
    if (skipping || bytes.length === 0) return;
    heldBytes += bytes.length;
    skipping = heldBytes > maxLineBytes;
    if (skipping) held = [];
    else held.push(bytes);
  };
  const release = (bytes: Uint8Array): Block => {
    hold(bytes);
    const lines = held.length === 1 ? (held[0] as Uint8Array) : Buffer.concat(held);
    const block: Block = skipping ? { tooLong: true } : { lines };
    held = [];
    heldBytes = 0;
    skipping = false;
    return block;
  };
  for await (const chunk of chunks) {
    let start = 0;
    if (heldBytes > 0) {
      const end = chunk.indexOf(10);
      if (end < 0) {
        hold(chunk);
        continue;
      }
      yield release(chunk.subarray(0, end));
      start = end + 1;
    }
    const end = chunk.lastIndexOf(10);
    if (end >= start) {
      yield { lines: chunk.subarray(start, end) };
      start = end + 1;
    }
    hold(chunk.subarray(start));
  }
  if (heldBytes > 0) yield release(new Uint8Array());
}

/** A byte order mark may open the input; it belongs to no line. */
export function withoutBom(lines: Uint8Array): Uint8Array {
  return lines[0] === 0xef && lines[1] === 0xbb && lines[2] === 0xbf ? lines.subarray(3) : lines;
}
