import { type Compression, compress, compressions, decompress } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import { Reader, varBytesSize, varintSize, type Writer } from "./wire.ts";

/**
 * Record batches of the message format 2 (Kafka 0.11 and later), written and read without objects for what a record is
 * made of. See decision 0022.
 */

/** Before what `length` counts. */
const lead = 12;
/** From a batch's beginning. */
const crcAt = 17;
const attributesAt = 21;
const header = 61;
const compressionMask = 0x07;
const logAppendTime = 0x08;
const transactional = 0x10;
const control = 0x20;

export interface Aborted {
  readonly producerId: number;
  readonly firstOffset: number;
}

/** Bytes that are no records. */
export class CorruptBatch extends Error {
  override readonly name = "CorruptBatch";
}

/** The records in the answer to a fetch, one after another. Its members are those of the record that `next` came to. */
export class BatchReader {
  offset = 0;
  /** Milliseconds since the epoch. */
  timestamp = 0;
  /** Holds key, value and headers. */
  buffer: Buffer;
  keyStart = 0;
  /** -1: null. */
  keyLength = -1;
  valueStart = 0;
  /** -1: null, a tombstone. */
  valueLength = -1;
  headersStart = 0;
  /** Offset after the last batch that is whole: where the next fetch begins. */
  readonly nextOffset: number;
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #from: number;
  /** Transactions that were given up and still go on here, and those that come. */
  readonly #aborted = new Set<number>();
  readonly #coming: Aborted[];
  #at = 0;
  #reader: Reader;
  #left = 0;
  #baseOffset = 0;
  #baseTime = 0;
  #fixedTime: number | undefined;

  /** `from`: what lies below was not asked for. */
  constructor(bytes: Buffer, from: number, aborted: readonly Aborted[]) {
    this.#bytes = bytes;
    this.buffer = bytes;
    this.#reader = new Reader(bytes);
    this.#from = from;
    this.#coming = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
    let end = 0;
    let nextOffset = from;
    // The last one may be cut off.
    while (end + header <= bytes.length && end + lead + bytes.readInt32BE(end + 8) <= bytes.length) {
      nextOffset = Math.max(nextOffset, new Reader(bytes, end).int64() + bytes.readInt32BE(end + 23) + 1);
      end += lead + bytes.readInt32BE(end + 8);
    }
    this.#end = end;
    this.nextOffset = nextOffset;
  }

  /** False after the last one. Throws a CorruptBatch. */
  next(): boolean {
    for (;;) {
      while (this.#left === 0) if (!this.#nextBatch()) return false;
      this.#left--;
      this.#read();
      if (this.offset >= this.#from) return true;
    }
  }

  /** Of the record: in order, as they stand. */
  headers(): { readonly name: string; readonly value: Buffer | null }[] {
    const reader = new Reader(this.buffer, this.headersStart);
    return Array.from({ length: reader.varint() }, () => {
      const name = reader.take(reader.varint()).toString();
      const length = reader.varint();
      return { name, value: length < 0 ? null : reader.take(length) };
    });
  }

  #read(): void {
    const reader = this.#reader;
    const end = reader.varint() + reader.at;
    if (end > reader.buffer.length) throw new CorruptBatch("a record is longer than its batch");
    reader.at++;
    const time = reader.varint();
    this.timestamp = this.#fixedTime ?? this.#baseTime + time;
    this.offset = this.#baseOffset + reader.varint();
    this.keyLength = reader.varint();
    this.keyStart = reader.at;
    if (this.keyLength > 0) reader.at += this.keyLength;
    this.valueLength = reader.varint();
    this.valueStart = reader.at;
    if (this.valueLength > 0) reader.at += this.valueLength;
    this.headersStart = reader.at;
    if (reader.at > end) throw new CorruptBatch("a record is shorter than its parts");
    reader.at = end;
  }

  #nextBatch(): boolean {
    if (this.#at >= this.#end) return false;
    const bytes = this.#bytes;
    const start = this.#at;
    const end = start + lead + bytes.readInt32BE(start + 8);
    this.#at = end;
    const reader = new Reader(bytes, start);
    this.#baseOffset = reader.int64();
    const magic = bytes.readInt8(start + 16);
    if (magic !== 2) throw new CorruptBatch(`message format ${magic} is older than Kafka 0.11`);
    if (crc32c(bytes, start + attributesAt, end) !== bytes.readUInt32BE(start + crcAt)) {
      throw new CorruptBatch(`the batch at offset ${this.#baseOffset} has a wrong checksum`);
    }
    const attributes = bytes.readInt16BE(start + attributesAt);
    reader.at = start + 27;
    this.#baseTime = reader.int64();
    const maxTime = reader.int64();
    this.#fixedTime = attributes & logAppendTime ? maxTime : undefined;
    const producerId = reader.int64();
    reader.at = start + 57;
    const count = reader.int32();
    if (this.#isLeftOut(attributes, producerId, bytes, start)) return true;
    try {
      const type = attributes & compressionMask;
      this.buffer = type === 0 ? bytes : decompress(type, bytes.subarray(start + header, end));
      this.#reader = new Reader(this.buffer, type === 0 ? start + header : 0);
    } catch (error) {
      throw new CorruptBatch(
        `the batch at offset ${this.#baseOffset} cannot be decompressed: ${(error as Error).message}`,
      );
    }
    this.#left = count;
    return true;
  }

  /** Marks of transactions, and records of those that were given up. */
  #isLeftOut(attributes: number, producerId: number, bytes: Buffer, start: number): boolean {
    while (this.#coming.length > 0 && (this.#coming[0] as Aborted).firstOffset <= this.#baseOffset) {
      this.#aborted.add((this.#coming.shift() as Aborted).producerId);
    }
    if (attributes & control) {
      const reader = new Reader(bytes, start + header);
      reader.varint();
      reader.at++;
      reader.varint();
      reader.varint();
      reader.varint();
      // Key: version, and the type, which is 0 for a transaction that was given up.
      reader.at += 2;
      if (reader.int16() === 0) this.#aborted.delete(producerId);
      return true;
    }
    return (attributes & transactional) !== 0 && this.#aborted.has(producerId);
  }
}

/** A record on its way to Kafka. */
export interface OutMessage {
  readonly key: Uint8Array | string | null;
  readonly value: Uint8Array | string | null;
  readonly headers: readonly (readonly [name: string, value: string | Uint8Array])[];
}

export interface Producer {
  readonly id: bigint;
  readonly epoch: number;
}

/** Writes one batch; `sequence`: of its first record. */
export function writeBatch(
  to: Writer,
  messages: readonly OutMessage[],
  {
    producer,
    sequence,
    time,
    compression,
    body,
  }: {
    readonly producer: Producer;
    readonly sequence: number;
    /** Milliseconds since the epoch. */
    readonly time: number;
    readonly compression: Compression;
    /** For the records before they are compressed; empty. */
    readonly body: Writer;
  },
): void {
  const start = to.length;
  to.int64(0)
    .int32(0)
    .int32(-1)
    .int8(2)
    .int32(0)
    .int16(compressions.indexOf(compression))
    .int32(messages.length - 1);
  to.int64(time).int64(time).int64(producer.id).int16(producer.epoch).int32(sequence).int32(messages.length);
  const records = compression === "none" ? to : body;
  for (let index = 0; index < messages.length; index++) writeRecord(records, messages[index] as OutMessage, index);
  if (compression !== "none") to.raw(compress(compression, body.bytes));
  const bytes = to.bytes;
  bytes.writeInt32BE(to.length - start - lead, start + 8);
  bytes.writeUInt32BE(crc32c(bytes, start + attributesAt, to.length), start + crcAt);
}

function writeRecord(to: Writer, { key, value, headers }: OutMessage, index: number): void {
  let size = 1 + 1 + varintSize(index) + varBytesSize(key) + varBytesSize(value) + varintSize(headers.length);
  for (const [name, text] of headers) size += varBytesSize(name) + varBytesSize(text);
  to.varint(size).int8(0).varint(0).varint(index).varBytes(key).varBytes(value).varint(headers.length);
  for (const [name, text] of headers) to.varBytes(name).varBytes(text);
}

/** About what a record takes in a batch. */
export function sizeOf({ key, value, headers }: OutMessage): number {
  let size = 16 + varBytesSize(key) + varBytesSize(value);
  for (const [name, text] of headers) size += varBytesSize(name) + varBytesSize(text);
  return size;
}
