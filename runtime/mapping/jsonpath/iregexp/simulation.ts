import { type Automaton, op } from "./automaton.ts";
import type { CharacterClass } from "./classes.ts";

/** States that an automaton may be in: the first `count` of `states`, those only that read, match or wait for the end. */
export interface StateSet {
  states: Uint16Array;
  count: number;
}

/** All the states at once that a text may have led to, character by character. */
export class Simulation {
  private readonly automaton: Automaton;
  private readonly anywhere: boolean;
  private readonly hasEnd: boolean;
  /** In which round a state was last added to a set: each is looked at once in a round. */
  private readonly added: Uint32Array;
  private round = 0;
  private readonly stack: Uint16Array;

  /** `anywhere`: a match may begin at any character. */
  constructor(automaton: Automaton, anywhere: boolean) {
    const size = automaton.op.length;
    this.automaton = automaton;
    this.anywhere = anywhere;
    this.hasEnd = automaton.op.includes(op.end);
    this.added = new Uint32Array(size);
    this.stack = new Uint16Array(2 * size + 1);
  }

  newSet(): StateSet {
    return { states: new Uint16Array(this.automaton.op.length), count: 0 };
  }

  /** Where a text begins. */
  begin(into: StateSet): void {
    into.count = 0;
    this.beginRound();
    this.add(into, this.automaton.start, true, false);
  }

  /** What a character leads to. */
  step({ states, count }: Readonly<StateSet>, kind: CharacterClass, into: StateSet): void {
    const { op: ops, arg, out, start } = this.automaton;
    into.count = 0;
    this.beginRound();
    for (let i = 0; i < count; i++) {
      const state = states[i]!;
      const what = ops[state];
      const taken =
        what === op.literal ? arg[state] === kind.literal : what === op.set && kind.inSet[arg[state]!] === 1;
      if (taken) this.add(into, out[state]!, false, false);
    }
    if (this.anywhere) this.add(into, start, false, false);
  }

  /** Whether the set that was made last holds a match, whatever follows. */
  get matches(): boolean {
    return this.added[this.automaton.match] === this.round;
  }

  /** Whether a set holds a match where the text ends. `atStart`: it is where the text begins too. */
  matchesAtEnd({ states, count }: Readonly<StateSet>, atStart: boolean): boolean {
    const { op: ops, match, out } = this.automaton;
    if (states.subarray(0, count).includes(match)) return true;
    if (!this.hasEnd) return false;
    const reached = this.newSet();
    this.beginRound();
    for (let i = 0; i < count; i++) if (ops[states[i]!] === op.end) this.add(reached, out[states[i]!]!, atStart, true);
    return this.matches;
  }

  private beginRound(): void {
    this.round = (this.round + 1) >>> 0;
    // The counter has come round: what it said of long ago must not be taken for now.
    if (this.round === 0) this.added.fill(this.round++);
  }

  /** Adds a state, or what it leads to without reading. */
  private add(into: StateSet, first: number, atStart: boolean, atEnd: boolean): void {
    const { added, round, stack } = this;
    const { op: ops, out, other } = this.automaton;
    let height = 1;
    stack[0] = first;
    while (height > 0) {
      const state = stack[--height]!;
      if (added[state] === round) continue;
      added[state] = round;
      const what = ops[state];
      if (what === op.split) {
        stack[height++] = other[state]!;
        stack[height++] = out[state]!;
      } else if (what === op.begin) {
        if (atStart) stack[height++] = out[state]!;
      } else if (what === op.end && atEnd) stack[height++] = out[state]!;
      else into.states[into.count++] = state;
    }
  }
}
