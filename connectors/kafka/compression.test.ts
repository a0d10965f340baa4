import lz4 from "lz4-napi";
import { expect, test } from "vitest";
import { compress, compressions, decompress } from "./compression.ts";
import { checkLz4Length } from "./lz4-frame.ts";
import { uncompressSnappy } from "./snappy.ts";

const limit = 1024 * 1024;
const snappyType = compressions.indexOf("snappy");

/** What is compressed well, badly, and both by turns: runs, noise of a fixed seed, and words. */
function samples(length: number): Buffer[] {
  let seed = 1;
  const noise = Buffer.from(
    Uint8Array.from({ length }, () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed >> 16;
    }),
  );
  const words = Buffer.from("the quick brown fox 0123456789 ".repeat(Math.ceil(length / 31)).slice(0, length));
  const mixed = Buffer.from(noise);
  for (let at = 0; at + 900 < length; at += 2_000) mixed.fill("ab", at, at + 900);
  return [Buffer.alloc(length), noise, words, mixed];
}

const named = compressions.filter((name) => name !== "none");

test.each(named)("what %s makes is what it was again, up to the limit and no byte further", (name) => {
  const type = compressions.indexOf(name);
  for (const bytes of [...samples(limit), ...samples(7), Buffer.alloc(0)]) {
    expect(decompress(type, compress(name, bytes), limit).equals(bytes)).toBe(true);
  }
  for (const bytes of samples(limit + 1)) expect(() => decompress(type, compress(name, bytes), limit)).toThrow();
});

test("a frame of LZ4 is measured whatever its blocks are, and nothing else is taken for one", () => {
  for (const bytes of samples(300_000)) {
    for (const blockChecksums of [false, true]) {
      const frame = lz4.compressFrameSync(bytes, { blockChecksums, contentChecksum: true });
      expect(() => checkLz4Length(frame, bytes.length)).not.toThrow();
      expect(() => checkLz4Length(frame, bytes.length - 1)).toThrow(/more than 299999 bytes/);
    }
  }
  expect(() => checkLz4Length(Buffer.from("0221 4c18 0000 0000".replaceAll(" ", ""), "hex"), limit)).toThrow("no LZ4");
});

test.each([
  [
    "blocks that are small each and large together",
    [...Array(40)].map(() => compress("snappy", Buffer.alloc(32_768)).subarray(16)),
  ],
  ["a length that leads backwards", [Buffer.from([0xff, 0xff, 0xff, 0xfc])]],
  ["a block that breaks off", [Buffer.from([0, 0, 1, 0, 5])]],
])("of snappy, %s are refused", (_, blocks) => {
  const head = compress("snappy", Buffer.alloc(0));
  expect(() => decompress(snappyType, Buffer.concat([head, ...blocks]), limit)).toThrow(RangeError);
});

test.each([
  ["says that it holds more than the limit", [0x81, 0x80, 0x40, 0]],
  ["has a literal with a length that is negative in 32 bits", [8, 0xfc, 0xfa, 0xff, 0xff, 0xff]],
  ["copies from before its beginning", [8, 0x01, 0x05]],
  ["copies more than it says that it holds", [2, 0x00, 0x61, 0x1d, 0x01]],
  ["is shorter than it says", [9, 0x00, 0x61]],
  ["has a length without an end", [0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
  ["is empty", []],
])("a block of snappy that %s is refused", (_, bytes) => {
  expect(() => uncompressSnappy(Buffer.from(bytes), limit)).toThrow(RangeError);
});

test("a copy of snappy may reach into what it writes", () => {
  // "ab", and 8 from two bytes back.
  expect(String(uncompressSnappy(Buffer.from([10, 0x04, 0x61, 0x62, 0x1e, 0x02, 0x00]), limit))).toBe("ababababab");
});
