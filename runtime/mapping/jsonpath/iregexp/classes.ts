/** What a pattern can tell of a character: which of its sets take it, and which of its literals it is. */
export interface CharacterClass {
  readonly id: number;
  /** The code point, where it is one of the pattern's literals. */
  readonly literal: number;
  /** By set, 1 where it takes the character. */
  readonly inSet: Uint8Array;
}

/** Code points whose class is kept. */
const mostKept = 4096;

/** Characters that no part of a pattern tells apart are one class. */
export class CharacterClasses {
  private readonly sets: readonly RegExp[];
  private readonly literals: ReadonlySet<number>;
  private readonly byCodePoint = new Map<number, CharacterClass>();
  private readonly bySignature = new Map<string, CharacterClass>();
  private readonly all: CharacterClass[] = [];

  constructor(sets: readonly RegExp[], literals: ReadonlySet<number>) {
    this.sets = sets;
    this.literals = literals;
  }

  /** Classes that were met. */
  get count(): number {
    return this.all.length;
  }

  byId(id: number): CharacterClass {
    return this.all[id]!;
  }

  of(codePoint: number): CharacterClass {
    const known = this.byCodePoint.get(codePoint);
    if (known !== undefined) return known;
    const character = String.fromCodePoint(codePoint);
    const literal = this.literals.has(codePoint) ? codePoint : -1;
    const inSet = Uint8Array.from(this.sets, (set) => Number(set.test(character)));
    const signature = `${literal} ${inSet.join("")}`;
    let found = this.bySignature.get(signature);
    if (found === undefined) {
      found = { id: this.all.length, literal, inSet };
      this.all.push(found);
      this.bySignature.set(signature, found);
    }
    if (this.byCodePoint.size >= mostKept) this.byCodePoint.clear();
    this.byCodePoint.set(codePoint, found);
    return found;
  }
}
