const words = 3;
/** Of one generation; a generation that is full ends early. 12 bytes for each, and as much again for room. */
const maxIds = 2 ** 21;

/** Ids of 12 bytes (digests), each kept for at least `windowMs`, while fewer than two million come in that time. */
export class SeenIds {
  readonly #windowMs: number;
  #now = new Table(1_024);
  #before = new Table(1);
  #begun: number;

  constructor(windowMs: number, now: number) {
    this.#windowMs = windowMs;
    this.#begun = now;
  }

  /** `id` in base64. */
  has(id: string): boolean {
    const key = Buffer.from(id, "base64");
    return this.#now.has(key) || this.#before.has(key);
  }

  add(id: string, now: number): void {
    if (now - this.#begun >= this.#windowMs || this.#now.size >= maxIds) {
      // Where nothing came for so long, what is older is too old by now.
      this.#before = now - this.#begun >= 2 * this.#windowMs ? new Table(1) : this.#now;
      this.#now = new Table(1_024);
      this.#begun = now;
    }
    this.#now.add(Buffer.from(id, "base64"));
  }
}

/** Open addressing; what is free is all zeros, which no digest is. */
class Table {
  #slots: Uint32Array;
  size = 0;

  constructor(capacity: number) {
    this.#slots = new Uint32Array(capacity * words);
  }

  has(key: Buffer): boolean {
    return !this.#isFree(this.#find(key.readUInt32LE(0), key.readUInt32LE(4), key.readUInt32LE(8)));
  }

  add(key: Buffer): void {
    if (this.size * 2 >= this.#slots.length / words) this.#grow();
    this.#put(key.readUInt32LE(0), key.readUInt32LE(4), key.readUInt32LE(8));
  }

  #put(a: number, b: number, c: number): void {
    const at = this.#find(a, b, c);
    if (!this.#isFree(at)) return;
    this.#slots[at] = a;
    this.#slots[at + 1] = b;
    this.#slots[at + 2] = c;
    this.size++;
  }

  #isFree(at: number): boolean {
    return this.#slots[at] === 0 && this.#slots[at + 1] === 0 && this.#slots[at + 2] === 0;
  }

  /** Where it is, or would be. */
  #find(a: number, b: number, c: number): number {
    const slots = this.#slots;
    const capacity = slots.length / words;
    for (let at = (a % capacity) * words; ; at = (at + words) % slots.length) {
      if ((slots[at] === a && slots[at + 1] === b && slots[at + 2] === c) || this.#isFree(at)) return at;
    }
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(before.length * 2);
    this.size = 0;
    for (let at = 0; at < before.length; at += words) {
      const [a, b, c] = before.subarray(at, at + words) as unknown as [number, number, number];
      if (a !== 0 || b !== 0 || c !== 0) this.#put(a, b, c);
    }
  }
}
