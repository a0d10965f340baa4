import type { Node, Pattern } from "./parse.ts";

/** What the automaton has no state for: a word's edge, a reference to a group, a condition on what comes or came. */
export type EcmaNode =
  | Exclude<Node, { readonly kind: "sequence" | "choice" | "repeat" }>
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly EcmaNode[] }
  | { readonly kind: "repeat"; readonly of: EcmaNode; readonly least: number; readonly most: number }
  | { readonly kind: "edge" | "reference" }
  | { readonly kind: "look"; readonly of: EcmaNode; readonly ahead: boolean; readonly negative: boolean };

export interface EcmaPattern extends Pick<Pattern, "sets"> {
  readonly root: EcmaNode;
}

const token = {
  group: /\((?:\?(?:[:=!]|<[=!]|<[^>]*>|[a-z-]*:))?/uy,
  quantifier: /(?:[*+?]|\{([0-9]+)(?:(,)([0-9]*))?\})\??/uy,
  class: /\[(?:[^\\\]]|\\.)*\]/suy,
  edge: /\\[bB]/uy,
  reference: /\\(?:[1-9][0-9]*|k<[^>]*>)/uy,
  set: /\\(?:[dDsSwW]|[pP]\{[^}]*\})|\./uy,
  escape:
    /\\(?:u\{[0-9a-fA-F]+\}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|.)/suy,
  character: /./suy,
};

/** A regular expression that ECMAScript takes with the flag `u`. Undefined where it has what is not known here. */
export function parseEcma(pattern: string): EcmaPattern | undefined {
  const sets: RegExp[] = [];
  const setsByText = new Map<string, number>();
  let at = 0;
  const match = (expression: RegExp): string | undefined => {
    expression.lastIndex = at;
    const found = expression.exec(pattern)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const set = (text: string): EcmaNode => {
    let known = setsByText.get(text);
    if (known === undefined) setsByText.set(text, (known = sets.push(new RegExp(`^${text}$`, "u")) - 1));
    return { kind: "set", set: known };
  };

  function atom(): EcmaNode {
    if (match(token.edge)) return { kind: "edge" };
    if (match(token.reference)) return { kind: "reference" };
    const text = match(token.class) ?? match(token.set) ?? match(token.escape);
    if (text !== undefined) return set(text);
    const character = match(token.character) as string;
    if (character === "^" || character === "$") return { kind: character === "^" ? "begin" : "end" };
    return { kind: "literal", codePoint: character.codePointAt(0) as number };
  }

  function quantified(of: EcmaNode): EcmaNode {
    token.quantifier.lastIndex = at;
    const found = token.quantifier.exec(pattern);
    if (found === null) return of;
    at += found[0].length;
    const [text, from, comma, to] = found;
    // Whether it takes as little as it can is of no matter to whether there is a match.
    if (text.startsWith("*")) return { kind: "repeat", of, least: 0, most: Number.POSITIVE_INFINITY };
    if (text.startsWith("+")) return { kind: "repeat", of, least: 1, most: Number.POSITIVE_INFINITY };
    if (text.startsWith("?")) return { kind: "repeat", of, least: 0, most: 1 };
    const least = Number(from);
    const most = comma === undefined ? least : to === "" ? Number.POSITIVE_INFINITY : Number(to);
    return { kind: "repeat", of, least, most };
  }

  const open: Group[] = [{ opener: "", branches: [], parts: [] }];
  while (at < pattern.length) {
    const group = open.at(-1) as Group;
    const opener = match(token.group);
    if (opener !== undefined) {
      // Flags of their own.
      if (/^\(\?[a-z-]/.test(opener)) return undefined;
      open.push({ opener, branches: [], parts: [] });
    } else if (pattern[at] === "|") {
      at++;
      group.branches.push(sequence(group.parts));
      group.parts = [];
    } else if (pattern[at] === ")") {
      at++;
      open.pop();
      const inner = choice(group);
      const look = /^\(\?(<?)([=!])/.exec(group.opener);
      const node: EcmaNode = look
        ? { kind: "look", of: inner, ahead: look[1] === "", negative: look[2] === "!" }
        : inner;
      (open.at(-1) as Group).parts.push(quantified(node));
    } else group.parts.push(quantified(atom()));
  }
  return { root: choice(open[0] as Group), sets };
}

interface Group {
  readonly opener: string;
  readonly branches: EcmaNode[];
  parts: EcmaNode[];
}

const sequence = (parts: readonly EcmaNode[]): EcmaNode =>
  parts.length === 1 ? (parts[0] as EcmaNode) : { kind: "sequence", parts };

function choice({ branches, parts }: Group): EcmaNode {
  const last = sequence(parts);
  return branches.length === 0 ? last : { kind: "choice", parts: [...branches, last] };
}
