/** More are forgotten, the lowest first: what is forgotten is read again, and never left out. */
const most = 64;

/** Up to here all was read. */
export function readThrough(ranges: readonly (readonly [number, number])[] = []): number {
  let through = 0;
  for (const [from, to] of ranges) if (from <= through + 1) through = Math.max(through, to);
  return through;
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

  /** Up to here all was read. */
  get end(): number {
    return readThrough(this.#ranges);
  }

  /** `previous`: a lower one; nothing between them is to be read. */
  add(sequence: number, previous = sequence - 1): void {
    const ranges = this.#ranges;
    let at = ranges.length;
    while (at > 0 && (ranges[at - 1] as [number, number])[0] > sequence) at--;
    const before = ranges[at - 1];
    if (before && before[1] >= previous) {
      before[1] = Math.max(before[1], sequence);
      at--;
    } else ranges.splice(at, 0, [previous + 1, sequence]);
    const [here, behind] = [ranges[at] as [number, number], ranges[at + 1]];
    if (behind && behind[0] <= here[1] + 1) {
      here[1] = Math.max(here[1], behind[1]);
      ranges.splice(at + 1, 1);
    }
    if (ranges.length > most) ranges.splice(1, 1);
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
