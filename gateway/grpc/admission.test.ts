import { expect, test } from "vitest";
import { packedFinder } from "./admission.ts";

function message(length: number, mark = 0): Buffer {
  const bytes = Buffer.alloc(5 + length, 1);
  bytes.writeUInt8(mark, 0);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

test.each([1, 2, 3, 4, 5, 7, 300, 100_000])("a message that is compressed is found in chunks of %i bytes", (size) => {
  const plain = Buffer.concat([message(0), message(1), message(300), message(0), message(70_000)]);
  const foundIn = (bytes: Buffer) => {
    const hasPacked = packedFinder();
    for (let at = 0; at < bytes.length; at += size) if (hasPacked(bytes.subarray(at, at + size))) return true;
    return false;
  };
  expect(foundIn(plain)).toBe(false);
  expect(foundIn(Buffer.concat([plain, message(3, 1)]))).toBe(true);
  expect(foundIn(message(3, 1))).toBe(true);
  // Its length is no mark.
  expect(foundIn(message(0x0101).subarray(0, 4))).toBe(false);
});
