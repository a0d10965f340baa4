/** An I-Regexp (RFC 9485) as parsed. Sets are named by their place in `Pattern.sets`, literals by their code point. */
export type Node =
  | { readonly kind: "literal"; readonly codePoint: number }
  | { readonly kind: "set"; readonly set: number }
  /** `^` and `$` keep their ECMAScript meaning, as the compliance suite has it. */
  | { readonly kind: "begin" | "end" }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Node[] }
  /** `most` may be infinite. */
  | { readonly kind: "repeat"; readonly of: Node; readonly least: number; readonly most: number };

export interface Pattern {
  readonly root: Node;
  /** Each takes one character or refuses it. */
  readonly sets: readonly RegExp[];
}

/** Why a pattern matches nothing. */
export type Refusal = "invalid" | "too large";

/** Deeper nesting of groups is refused, so that a pattern cannot exhaust the stack. */
export const maxDepth = 250;
/** Distinct character classes; each is asked about every character that is new. */
export const maxSets = 64;
/** Characters of a pattern: they bound how many kinds of characters its classes can tell apart. */
export const maxLength = 10_000;

const category = "(?:L[lmotu]?|M[cen]?|N[dlo]?|P[c-fios]?|Z[lps]?|S[ckmo]?|C[cfno]?)";
const token = {
  quantifier: /[*+?]|\{([0-9]+)(?:(,)([0-9]*))?\}/y,
  escape: /\\[()*+\-.?[\\\]^nrt{|}]/y,
  category: new RegExp(`\\\\[pP]\\{${category}\\}`, "uy"),
  normal: /[^()*+.?[\\\]{|}\ud800-\udfff]/uy,
  classCharacter: /[^\-[\\\]\ud800-\udfff]/uy,
};
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

export function parseIRegexp(pattern: string): Pattern | Refusal {
  return pattern.length > maxLength ? "too large" : new Parser(pattern).parse();
}

class Parser {
  private readonly pattern: string;
  private readonly sets: RegExp[] = [];
  private readonly setsByText = new Map<string, number>();
  private at = 0;

  constructor(pattern: string) {
    this.pattern = pattern;
  }

  parse(): Pattern | Refusal {
    /** Groups that are open, innermost last: the branches that are complete and the one that is not. */
    const open: { readonly branches: Node[]; parts: Node[] }[] = [{ branches: [], parts: [] }];
    while (this.at < this.pattern.length) {
      const group = open.at(-1)!;
      if (this.take("(")) {
        if (open.push({ branches: [], parts: [] }) > maxDepth) return "too large";
      } else if (this.take("|")) {
        group.branches.push(sequence(group.parts));
        group.parts = [];
      } else if (this.take(")")) {
        open.pop();
        if (open.length === 0) return "invalid";
        const atom = this.quantified(choice(group));
        if (atom === undefined) return "invalid";
        open.at(-1)!.parts.push(atom);
      } else {
        const atom = this.atom();
        // An anchor does not repeat, as in ECMAScript's unicode mode: a quantifier after it is no atom.
        const part = atom?.kind === "begin" || atom?.kind === "end" ? atom : atom && this.quantified(atom);
        if (part === undefined) return "invalid";
        group.parts.push(part);
      }
    }
    if (open.length > 1) return "invalid";
    if (this.sets.length > maxSets) return "too large";
    return { root: choice(open[0]!), sets: this.sets };
  }

  private atom(): Node | undefined {
    if (this.take("^")) return { kind: "begin" };
    if (this.take("$")) return { kind: "end" };
    if (this.take(".")) return this.set("[^\\n\\r]");
    if (this.take("[")) {
      const text = this.classExpression();
      return text === undefined ? undefined : this.set(text);
    }
    const category = this.match(token.category);
    if (category !== undefined) return this.set(category);
    const escaped = this.match(token.escape)?.slice(1);
    const character = escaped === undefined ? this.match(token.normal) : (escapes[escaped] ?? escaped);
    return character === undefined ? undefined : { kind: "literal", codePoint: character.codePointAt(0)! };
  }

  /** What follows may repeat it. Undefined where it has its limits the wrong way round. */
  private quantified(of: Node): Node | undefined {
    token.quantifier.lastIndex = this.at;
    const found = token.quantifier.exec(this.pattern);
    if (found === null) return of;
    this.at += found[0].length;
    const [text, from, comma, to] = found;
    if (text === "*") return { kind: "repeat", of, least: 0, most: Number.POSITIVE_INFINITY };
    if (text === "+") return { kind: "repeat", of, least: 1, most: Number.POSITIVE_INFINITY };
    if (text === "?") return { kind: "repeat", of, least: 0, most: 1 };
    const least = Number(from);
    const most = comma === undefined ? least : to === "" ? Number.POSITIVE_INFINITY : Number(to);
    return most < least ? undefined : { kind: "repeat", of, least, most };
  }

  /** What stands between `[` and `]`, as ECMAScript writes it. */
  private classExpression(): string | undefined {
    let text = this.take("^") ? "[^" : "[";
    let items = 0;
    if (this.take("-")) {
      text += "\\-";
      items++;
    }
    for (;;) {
      if (this.pattern[this.at] === "-" && this.pattern[this.at + 1] === "]" && items > 0) {
        this.at += 2;
        return `${text}\\-]`;
      }
      if (this.take("]")) return items > 0 ? `${text}]` : undefined;
      let item = this.match(token.category);
      if (item === undefined) {
        item = this.classCharacter();
        if (item === undefined) return undefined;
        if (this.pattern[this.at] === "-" && this.pattern[this.at + 1] !== "]") {
          this.at++;
          const end = this.classCharacter();
          if (end === undefined) return undefined;
          item += `-${end}`;
        }
      }
      text += item;
      items++;
    }
  }

  private classCharacter(): string | undefined {
    const character = this.match(token.classCharacter);
    // Elsewhere than in front a ^ is a character as any other, in ECMAScript too.
    return character ?? this.match(token.escape);
  }

  private set(text: string): Node | undefined {
    let set = this.setsByText.get(text);
    if (set === undefined) {
      try {
        set = this.sets.push(new RegExp(`^${text}$`, "u")) - 1;
      } catch {
        return undefined; // A range in the wrong order passes the grammar: [z-a].
      }
      this.setsByText.set(text, set);
    }
    return { kind: "set", set };
  }

  private match(expression: RegExp): string | undefined {
    expression.lastIndex = this.at;
    const found = expression.exec(this.pattern)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private take(character: string): boolean {
    if (this.pattern[this.at] !== character) return false;
    this.at++;
    return true;
  }
}

const sequence = (parts: readonly Node[]): Node => (parts.length === 1 ? parts[0]! : { kind: "sequence", parts });

function choice({ branches, parts }: { readonly branches: readonly Node[]; readonly parts: readonly Node[] }): Node {
  const last = sequence(parts);
  return branches.length === 0 ? last : { kind: "choice", parts: [...branches, last] };
}
