import { expect, test } from "vitest";
import { type Compression, compressions } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import { murmur2, partitioners } from "./partitioner.ts";
import { BatchReader, CorruptBatch, type OutMessage, writeBatch } from "./record-batch.ts";
import { Reader, varintSize, Writer } from "./wire.ts";

const message = (value: string | null, more: Partial<OutMessage> = {}): OutMessage => ({
  key: null,
  value,
  headers: [],
  ...more,
});

function batch(messages: readonly OutMessage[], compression: Compression = "none", producerId = 7n): Buffer {
  const to = new Writer(16);
  const producer = { id: producerId, epoch: 0 };
  writeBatch(to, messages, { producer, sequence: 3, time: 1_700_000_000_000, compression, body: new Writer(16) });
  return Buffer.from(to.bytes);
}

/** As the broker numbers it; the offset stands before what the checksum covers. */
function at(offset: number, bytes: Buffer): Buffer {
  bytes.writeBigInt64BE(BigInt(offset));
  return bytes;
}

/** With other attributes, and so another checksum. */
function marked(bytes: Buffer, attributes: number): Buffer {
  bytes.writeInt16BE(attributes, 21);
  bytes.writeUInt32BE(crc32c(bytes, 21), 17);
  return bytes;
}

function read(reader: BatchReader): (readonly [offset: number, value: string | null])[] {
  const found: (readonly [number, string | null])[] = [];
  while (reader.next()) {
    const { buffer, valueStart, valueLength } = reader;
    found.push([reader.offset, valueLength < 0 ? null : buffer.toString("utf8", valueStart, valueStart + valueLength)]);
  }
  return found;
}

test("CRC-32C and murmur2 give what their references give", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  // Of Kafka's own tests.
  const hashes = { "21": -973932308, foobar: -790332482, "a-little-bit-long-string": -985981536, abc: 479470107 };
  for (const [text, hash] of Object.entries(hashes)) expect(murmur2(Buffer.from(text))).toBe(hash);
  expect(partitioners.crc32(Buffer.from("123456789"), 1_000)).toBe(0xcbf43926 % 1_000);
});

test("numbers of any size come back from the wire", () => {
  for (const number of [0, -1, 1, 63, -64, 64, 300, -300, 2 ** 31, -(2 ** 31), 2 ** 45 + 1, -(2 ** 45)]) {
    const bytes = new Writer(1).varint(number).bytes;
    expect(bytes.length).toBe(varintSize(number));
    expect(new Reader(bytes).varint()).toBe(number);
  }
  expect(new Reader(new Writer(1).int64(2 ** 52 + 3).bytes).int64()).toBe(2 ** 52 + 3);
  expect(new Reader(new Writer(1).int64(-1).bytes).int64()).toBe(-1);
});

test.each(compressions)("records come back from a batch with %s", (compression) => {
  const messages = [
    message("ä".repeat(200)),
    message(null, { key: "k" }),
    message("", {
      headers: [
        ["a", "1"],
        ["a", "2"],
      ],
    }),
  ];
  const reader = new BatchReader(at(5, batch(messages, compression)), 0, []);
  expect(reader.nextOffset).toBe(8);
  expect(reader.next()).toBe(true);
  expect(reader).toMatchObject({ offset: 5, timestamp: 1_700_000_000_000, keyLength: -1 });
  expect(reader.next()).toBe(true);
  expect(reader).toMatchObject({ offset: 6, keyLength: 1, valueLength: -1 });
  expect(reader.next()).toBe(true);
  expect(reader).toMatchObject({ offset: 7, valueLength: 0 });
  expect(reader.headers().map(({ name, value }) => [name, String(value)])).toEqual([
    ["a", "1"],
    ["a", "2"],
  ]);
  expect(reader.next()).toBe(false);
});

test("what was not asked for, and a batch that is cut off, are left out", () => {
  const whole = Buffer.concat([at(0, batch([message("a"), message("b"), message("c")])), at(3, batch([message("d")]))]);
  expect(read(new BatchReader(whole, 2, []))).toEqual([
    [2, "c"],
    [3, "d"],
  ]);
  const cut = new BatchReader(whole.subarray(0, whole.length - 1), 0, []);
  expect(cut.nextOffset).toBe(3);
  expect(read(cut)).toHaveLength(3);
});

test("transactions that were given up, and the marks at their ends, are left out", () => {
  const transactional = 0x10;
  const control = 0x20;
  const abort = message("", { key: Buffer.from([0, 0, 0, 0]) });
  const commit = message("", { key: Buffer.from([0, 0, 0, 1]) });
  const bytes = Buffer.concat([
    marked(at(0, batch([message("gone")], "none", 1n)), transactional),
    marked(at(1, batch([message("kept")], "none", 2n)), transactional),
    marked(at(2, batch([abort], "none", 1n)), transactional | control),
    marked(at(3, batch([message("kept too")], "none", 1n)), transactional),
    marked(at(4, batch([commit], "none", 1n)), transactional | control),
  ]);
  const reader = new BatchReader(bytes, 0, [{ producerId: 1, firstOffset: 0 }]);
  expect(read(reader)).toEqual([
    [1, "kept"],
    [3, "kept too"],
  ]);
  expect(reader.nextOffset).toBe(5);
});

test("bytes that changed on the way are noticed", () => {
  for (const compression of compressions) {
    const bytes = at(0, batch([message("some text that is long enough")], compression));
    bytes[bytes.length - 3]! ^= 1;
    expect(() => read(new BatchReader(bytes, 0, []))).toThrow(CorruptBatch);
  }
  const old = at(0, batch([message("a")]));
  old.writeInt8(1, 16);
  expect(() => read(new BatchReader(old, 0, []))).toThrow(/older than Kafka 0.11/);
});
