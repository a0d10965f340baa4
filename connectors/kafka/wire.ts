/** Kafka's primitive types, written one after another. */
export class Writer {
  #buffer: Buffer;
  #length = 0;

  constructor(size = 1024) {
    this.#buffer = Buffer.allocUnsafeSlow(size);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written; it is overwritten where more is. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Makes room. */
  reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const longer = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, needed));
    this.#buffer.copy(longer, 0, 0, this.#length);
    this.#buffer = longer;
  }

  int8(value: number): this {
    this.reserve(1);
    this.#length = this.#buffer.writeInt8(value, this.#length);
    return this;
  }

  int16(value: number): this {
    this.reserve(2);
    this.#length = this.#buffer.writeInt16BE(value, this.#length);
    return this;
  }

  int32(value: number): this {
    this.reserve(4);
    this.#length = this.#buffer.writeInt32BE(value, this.#length);
    return this;
  }

  int64(value: number | bigint): this {
    this.reserve(8);
    this.#length = this.#buffer.writeBigInt64BE(BigInt(value), this.#length);
    return this;
  }

  string(text: string): this {
    const bytes = Buffer.byteLength(text);
    this.int16(bytes).reserve(bytes);
    this.#length += this.#buffer.write(text, this.#length);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** Zigzag, of 53 bits. */
  varint(value: number): this {
    this.reserve(9);
    let left = value >= 0 ? value * 2 : -value * 2 - 1;
    while (left > 0x7f) {
      this.#buffer[this.#length++] = (left % 0x80) | 0x80;
      left = Math.floor(left / 0x80);
    }
    this.#buffer[this.#length++] = left;
    return this;
  }

  /** Its length before it, -1 for null. */
  varBytes(value: Uint8Array | string | null): this {
    if (value === null) return this.varint(-1);
    if (typeof value !== "string") return this.varint(value.length).raw(value);
    const bytes = Buffer.byteLength(value);
    this.varint(bytes).reserve(bytes);
    this.#length += this.#buffer.write(value, this.#length);
    return this;
  }
}

/** How many bytes `varint` takes. */
export function varintSize(value: number): number {
  let left = value >= 0 ? value * 2 : -value * 2 - 1;
  let size = 1;
  for (; left > 0x7f; left = Math.floor(left / 0x80)) size++;
  return size;
}

export function varBytesSize(value: Uint8Array | string | null): number {
  if (value === null) return 1;
  const bytes = typeof value === "string" ? Buffer.byteLength(value) : value.length;
  return varintSize(bytes) + bytes;
}

/** Reads what Writer writes. What is not whole throws a RangeError. */
export class Reader {
  readonly buffer: Buffer;
  at: number;

  constructor(buffer: Buffer, at = 0) {
    this.buffer = buffer;
    this.at = at;
  }

  int8(): number {
    return this.buffer.readInt8(this.at++);
  }

  int16(): number {
    const value = this.buffer.readInt16BE(this.at);
    this.at += 2;
    return value;
  }

  int32(): number {
    const value = this.buffer.readInt32BE(this.at);
    this.at += 4;
    return value;
  }

  /** Offsets and times fit in a number; a producer's id is only compared. */
  int64(): number {
    const value = this.buffer.readInt32BE(this.at) * 0x1_0000_0000 + this.buffer.readUInt32BE(this.at + 4);
    this.at += 8;
    return value;
  }

  string(): string {
    const bytes = this.take(this.int16());
    return bytes.toString();
  }

  take(bytes: number): Buffer {
    const end = this.at + bytes;
    if (bytes < 0 || end > this.buffer.length) throw new RangeError("the message is shorter than it says");
    const taken = this.buffer.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(this.int32(), 0) }, read);
  }

  varint(): number {
    const { buffer } = this;
    let byte = buffer[this.at++] as number;
    if (byte < 0x80) return byte & 1 ? -((byte + 1) >> 1) : byte >> 1;
    let value = byte & 0x7f;
    for (let factor = 0x80; ; factor *= 0x80) {
      byte = buffer[this.at++] as number;
      if (byte === undefined) throw new RangeError("the message is shorter than it says");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
    }
  }
}
