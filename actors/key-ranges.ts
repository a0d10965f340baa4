/** More are forgotten, the oldest first. A log that one run writes to gives a single range. */
export const maxRanges = 1024;

/** Numbers that mostly follow one another, kept as ranges. */
export class KeyRanges {
  /** First and last of each range in turn, ascending. */
  readonly #bounds: number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = [...bounds];
  }

  get bounds(): readonly number[] {
    return this.#bounds;
  }

  has(key: number): boolean {
    const at = this.#before(key);
    return at >= 0 && key <= this.#bounds[at + 1]!;
  }

  add(key: number): void {
    const bounds = this.#bounds;
    const at = this.#before(key);
    if (at >= 0 && key <= bounds[at + 1]!) return;
    const follows = at >= 0 && bounds[at + 1] === key - 1;
    const precedes = bounds[at + 2] === key + 1;
    if (follows && precedes) bounds.splice(at + 1, 2);
    else if (follows) bounds[at + 1] = key;
    else if (precedes) bounds[at + 2] = key;
    else bounds.splice(at + 2, 0, key, key);
    if (bounds.length > 2 * maxRanges) bounds.splice(0, 2);
  }

  /** Index of the last range that begins at or before `key`; -2 where none does. Looked for from the end. */
  #before(key: number): number {
    let at = this.#bounds.length - 2;
    while (at >= 0 && this.#bounds[at]! > key) at -= 2;
    return at;
  }
}
