import type { Node, Pattern } from "./parse.ts";

/** What a state of the automaton does. */
export const op = { literal: 0, set: 1, split: 2, begin: 3, end: 4, match: 5 } as const;

/**
 * Thompson's automaton of a pattern, its repetitions written out. State i reads a character (`arg` is its code point or
 * set) or nothing, and goes on to `out`, of a split also to `other`.
 */
export interface Automaton {
  readonly op: Uint8Array;
  readonly arg: Int32Array;
  readonly out: Uint16Array;
  readonly other: Uint16Array;
  readonly start: number;
  readonly match: number;
}

/** States of an automaton. Each may be looked at for each character of a text: 100 kB take two seconds at the worst. */
export const maxStates = 2_000;

/** Undefined where there would be too many states. */
export function buildAutomaton({ root }: Pattern): Automaton | undefined {
  const size = sizeOf(root) + 1;
  return size > maxStates ? undefined : new Builder(size).build(root);
}

/** How many states a node takes; nothing that is repeated counts as one, since building takes its time for each. */
function sizeOf(node: Node): number {
  switch (node.kind) {
    case "sequence":
      return node.parts.reduce((sum, part) => sum + sizeOf(part), 0);
    case "choice":
      return node.parts.reduce((sum, part) => sum + sizeOf(part) + 1, 0);
    case "repeat": {
      const size = Math.max(sizeOf(node.of), 1);
      if (node.most === Number.POSITIVE_INFINITY) return size * Math.max(node.least, 1) + 1;
      return size * node.most + node.most - node.least;
    }
    default:
      return 1;
  }
}

/** Built from its end, so that what follows a state is there before it. */
class Builder {
  private readonly op: Uint8Array;
  private readonly arg: Int32Array;
  private readonly out: Uint16Array;
  private readonly other: Uint16Array;
  private count = 0;

  constructor(size: number) {
    this.op = new Uint8Array(size);
    this.arg = new Int32Array(size);
    this.out = new Uint16Array(size);
    this.other = new Uint16Array(size);
  }

  build(root: Node): Automaton {
    const match = this.state(op.match, 0);
    const start = this.node(root, match);
    return { op: this.op, arg: this.arg, out: this.out, other: this.other, start, match };
  }

  /** The state where a node begins that goes on to `next`. */
  private node(node: Node, next: number): number {
    switch (node.kind) {
      case "literal":
        return this.state(op.literal, next, node.codePoint);
      case "set":
        return this.state(op.set, next, node.set);
      case "begin":
      case "end":
        return this.state(op[node.kind], next);
      case "sequence":
        return node.parts.reduceRight((after, part) => this.node(part, after), next);
      case "choice":
        return node.parts.map((part) => this.node(part, next)).reduceRight((rest, branch) => this.split(branch, rest));
      case "repeat":
        return this.repeat(node.of, node.least, node.most, next);
    }
  }

  private repeat(of: Node, least: number, most: number, next: number): number {
    let start = next;
    let copies = least;
    if (most === Number.POSITIVE_INFINITY) {
      const loop = this.split(0, next);
      this.out[loop] = this.node(of, loop);
      start = least === 0 ? loop : this.out[loop]!;
      copies = Math.max(least - 1, 0);
    } else {
      for (let i = least; i < most; i++) start = this.split(this.node(of, start), next);
    }
    for (let i = 0; i < copies; i++) start = this.node(of, start);
    return start;
  }

  private split(out: number, other: number): number {
    const state = this.state(op.split, out);
    this.other[state] = other;
    return state;
  }

  private state(what: number, out: number, arg = 0): number {
    const state = this.count++;
    this.op[state] = what;
    this.out[state] = out;
    this.arg[state] = arg;
    return state;
  }
}
