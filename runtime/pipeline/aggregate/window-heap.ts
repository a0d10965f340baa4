/** What the heap orders: by start, and by `order` where they start together. */
interface Timed {
  readonly start: number;
  readonly order: number;
  /** Kept by the heap: where the item stands in it. */
  place: number;
}

/** A binary heap: the item that started first, with any item removed in logarithmic time. */
export class WindowHeap<T extends Timed> {
  readonly #items: T[] = [];

  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    this.#items.push(item);
    this.#up(item, this.#items.length - 1);
  }

  remove({ place }: T): void {
    const last = this.#items.pop() as T;
    if (place === this.#items.length) return;
    this.#up(last, place);
    this.#down(last, last.place);
  }

  #up(item: T, from: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.#items[parent] as T;
      if (!isBefore(item, above)) break;
      this.#put(above, place);
      place = parent;
    }
    this.#put(item, place);
  }

  #down(item: T, from: number): void {
    let place = from;
    for (;;) {
      const left = this.#items[2 * place + 1];
      const right = this.#items[2 * place + 2];
      const child = left !== undefined && right !== undefined && isBefore(right, left) ? right : left;
      if (child === undefined || !isBefore(child, item)) break;
      const below = child.place;
      this.#put(child, place);
      place = below;
    }
    this.#put(item, place);
  }

  #put(item: T, place: number): void {
    this.#items[place] = item;
    item.place = place;
  }
}

function isBefore(a: Timed, b: Timed): boolean {
  return a.start < b.start || (a.start === b.start && a.order < b.order);
}
