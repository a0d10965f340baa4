import type { Automaton } from "./automaton.ts";
import type { CharacterClasses } from "./classes.ts";
import { Simulation, type StateSet } from "./simulation.ts";

/** Entries of the table, and states in its rows, that a matcher keeps. */
const mostKept = 16_384;
/** Where the table does not know yet, or where reading ends. */
const unknown = 0;
const refused = -1;
const found = -2;
const noClass = 0xffff;

/**
 * Runs an automaton over texts, in time linear in the text. The sets of states it comes to are the rows of a table (a
 * deterministic automaton) that is filled as texts need it, and begun anew when it is full. Where that happens again
 * and again, the text is read on without it.
 */
export class Matcher {
  private readonly simulation: Simulation;
  private readonly classes: CharacterClasses;
  private readonly anywhere: boolean;
  /** Ids of the classes that were met, by code unit. */
  private readonly ascii = new Uint16Array(128).fill(noClass);
  /** For each row, and each class in it: the entry where the next row begins, or one of the above. Row 0 is not used. */
  private table = new Int32Array(0);
  private width = 8;
  private rows: { readonly set: StateSet; readonly matchesAtEnd: boolean }[] = [];
  private readonly byStates = new Map<string, number>();
  private kept = 0;
  private start = 0;
  private readonly scratch: StateSet;

  /** `anywhere`: a part of the text will do. */
  constructor(automaton: Automaton, classes: CharacterClasses, anywhere: boolean) {
    this.simulation = new Simulation(automaton, anywhere);
    this.classes = classes;
    this.anywhere = anywhere;
    this.scratch = this.simulation.newSet();
    this.forget();
  }

  test(text: string): boolean {
    const { ascii } = this;
    let { table, start: at } = this;
    if (at < 0) return at === found;
    let forgotten = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      let kind = unit < 128 ? ascii[unit]! : noClass;
      if (kind === noClass) {
        const codePoint = text.codePointAt(i)!;
        if (codePoint > 0xffff) i++;
        kind = this.classes.of(codePoint).id;
        if (unit < 128) ascii[unit] = kind;
        if (kind >= this.width) {
          at = this.widen(at);
          table = this.table;
        }
      }
      let next = table[at + kind]!;
      if (next === unknown) {
        const { rows } = this;
        next = this.step(at, kind);
        table = this.table;
        if (this.rows !== rows) {
          // A table that is full again so soon is of no use to this text.
          if (i - forgotten < 10 * rows.length) return this.readOn(text, i + 1, next);
          forgotten = i;
        }
      }
      if (next < 0) return next === found;
      at = next;
    }
    return this.rows[at / this.width]!.matchesAtEnd;
  }

  /** Fills in one entry. */
  private step(from: number, kind: number): number {
    const { simulation, scratch } = this;
    simulation.step(this.rows[from / this.width]!.set, this.classes.byId(kind), scratch);
    if (this.anywhere ? simulation.matches : scratch.count === 0) {
      return (this.table[from + kind] = this.anywhere ? found : refused);
    }
    const states = sorted(scratch);
    const key = String.fromCharCode(...states);
    let to = this.byStates.get(key);
    if (to === undefined) {
      const full = this.kept + states.length + this.width > mostKept;
      if (full) this.forget();
      to = this.addRow(states, false);
      this.byStates.set(key, to);
      if (full) return to;
    }
    return (this.table[from + kind] = to);
  }

  /** Without the table. */
  private readOn(text: string, from: number, at: number): boolean {
    const { simulation } = this;
    if (at < 0) return at === found;
    let set = simulation.newSet();
    let next = simulation.newSet();
    set.states.set(this.rows[at / this.width]!.set.states);
    set.count = this.rows[at / this.width]!.set.count;
    for (let i = from; i < text.length; i++) {
      const codePoint = text.codePointAt(i)!;
      if (codePoint > 0xffff) i++;
      simulation.step(set, this.classes.of(codePoint), next);
      if (this.anywhere && simulation.matches) return true;
      if (next.count === 0) return false;
      [set, next] = [next, set];
    }
    return simulation.matchesAtEnd(set, false);
  }

  /** A new table, with rows for classes that there were not before; gives the row's new place. */
  private widen(at: number): number {
    const { set } = this.rows[at / this.width]!;
    const atStart = at === this.start;
    this.width = 2 * this.classes.count;
    this.forget();
    return atStart ? this.start : this.addRow(set.states, false);
  }

  private forget(): void {
    const { simulation, scratch } = this;
    this.table = new Int32Array(16 * this.width);
    this.rows = [{ set: { states: new Uint16Array(0), count: 0 }, matchesAtEnd: false }];
    this.byStates.clear();
    this.kept = 0;
    simulation.begin(scratch);
    if (this.anywhere && simulation.matches) this.start = found;
    else this.start = scratch.count === 0 ? refused : this.addRow(sorted(scratch), true);
  }

  private addRow(states: Uint16Array, atStart: boolean): number {
    const set = { states, count: states.length };
    const place =
      this.width * this.rows.push({ set, matchesAtEnd: this.simulation.matchesAtEnd(set, atStart) }) - this.width;
    this.kept += states.length + this.width;
    if (place + this.width > this.table.length) {
      const table = new Int32Array(2 * this.table.length);
      table.set(this.table);
      this.table = table;
    }
    return place;
  }
}

/** A copy of a set's states in their order, by which equal sets are known. */
function sorted({ states, count }: StateSet): Uint16Array {
  return states.slice(0, count).sort();
}
