/** More are forgotten, the lowest first: what is forgotten is read again, and never left out. */
const most = 64;

/** Up to here all was read. */
export function readThrough(ranges: readonly (readonly [number, number])[] = []): number {
  const [[from, to] = [0, 0]] = ranges;
  return from <= 1 ? to : 0;
}

/** Sequences that were read, as ranges in order. */
export class Ranges {
  readonly #ranges: [number, number][];

  constructor(ranges: readonly (readonly [number, number])[] = []) {
    this.#ranges = ranges.map(([from, to]) => [from, to]);
  }

  has(sequence: number): boolean {
    return this.#ranges.some(([from, to]) => from <= sequence && sequence <= to);
  }

  /** `previous`: what was read just before it, where nothing lies between them that is to be read. */
  add(sequence: number, previous: number | undefined): void {
    const last = this.#ranges.at(-1);
    if (last && last[1] === previous && sequence > previous) {
      last[1] = sequence;
      return;
    }
    const at = this.#ranges.findIndex(([from]) => from > sequence);
    this.#ranges.splice(at === -1 ? this.#ranges.length : at, 0, [sequence, sequence]);
    if (this.#ranges.length > most) this.#ranges.splice(1, 1);
  }

  /** All up to this sequence was read. */
  through(sequence: number): void {
    if (sequence === 0) return;
    while ((this.#ranges[0]?.[1] ?? Number.POSITIVE_INFINITY) <= sequence) this.#ranges.shift();
    const [first] = this.#ranges;
    if (first && first[0] <= sequence + 1) first[0] = 1;
    else this.#ranges.unshift([1, sequence]);
  }

  toJSON(): [number, number][] {
    return this.#ranges.map(([from, to]) => [from, to]);
  }
}
