import { SluiceError } from "../../../errors/index.ts";
import { type Tester, testerOf } from "./index.ts";
import { maxDepth, maxLength, maxSets, type Node } from "./parse.ts";
import { type EcmaNode, type EcmaPattern, parseEcma } from "./parse-ecma.ts";

/**
 * A regular expression of ECMAScript, with the flag `u`, for parts of texts, in time that no text makes explode: one that
 * may go back is run by an automaton. Throws, with a sentence, for what is none, and for what neither can run in time.
 */
export function compileEcma(pattern: string): Tester {
  const native = new RegExp(pattern, "u");
  const parsed = pattern.length > maxLength ? undefined : parseEcma(pattern);
  if (parsed === undefined || isTooDeep(parsed.root)) throw tooSlow(pattern);
  const looseness = loosenessOf(parsed.root);
  // One repetition of one character has one way to match from each place: from one place, that is quick.
  if (looseness === 0 || (looseness === 1 && beginsAtStart(parsed.root))) return native;
  const linear = testerOfParts(parsed);
  if (linear !== undefined) return linear;
  // From each place: the square of the text's length.
  if (looseness === 1) return native;
  throw tooSlow(pattern);
}

const tooSlow = (pattern: string): SluiceError =>
  new SluiceError(
    "VALIDATION_ERROR",
    `the pattern ${pattern.slice(0, 200)} can take very long on some texts: look-arounds (but for those after a leading ^), references to groups, \\b and flags of their own go with one repetition at most`,
  );

/** How many ways there are to divide a text among repetitions, roughly: more than one may multiply. */
function loosenessOf(node: EcmaNode): number {
  switch (node.kind) {
    case "sequence":
    case "choice":
      return node.parts.reduce((sum, part) => sum + loosenessOf(part), 0);
    case "look":
      return loosenessOf(node.of);
    case "reference":
      return 1;
    case "repeat": {
      const { of, least, most } = node;
      if (most <= 1 && of.kind !== "sequence" && of.kind !== "choice") return loosenessOf(of) + (most - least);
      if (of.kind === "literal" || of.kind === "set") return least === most ? 0 : 1;
      return Number.POSITIVE_INFINITY;
    }
    default:
      return 0;
  }
}

function beginsAtStart(node: EcmaNode): boolean {
  if (node.kind === "begin") return true;
  if (node.kind === "choice") return node.parts.every(beginsAtStart);
  return node.kind === "sequence" && node.parts[0] !== undefined && beginsAtStart(node.parts[0]);
}

/** By automatons: one for the pattern, and one for each of the conditions that it begins with. */
function testerOfParts({ root, sets }: EcmaPattern): Tester | undefined {
  if (sets.length > maxSets) return undefined;
  const parts = root.kind === "sequence" ? root.parts : [root];
  const from = parts[0]?.kind === "begin" ? 1 : 0;
  let to = from;
  while (from === 1 && parts[to]?.kind === "look" && (parts[to] as Look).ahead) to++;
  const conditions = parts.slice(from, to) as Look[];
  const begin: EcmaNode = { kind: "begin" };
  const testers: { readonly tester: Tester; readonly negative: boolean }[] = [];
  for (const { of, negative } of [
    ...conditions.map(({ of, negative }) => ({ of: [begin, of], negative })),
    { of: [...parts.slice(0, from), ...parts.slice(to)], negative: false },
  ]) {
    const node: EcmaNode = { kind: "sequence", parts: of };
    const tester = isNode(node) ? testerOf({ root: node, sets }) : undefined;
    if (tester === undefined) return undefined;
    testers.push({ tester, negative });
  }
  return { test: (text) => testers.every(({ tester, negative }) => tester.test(text) !== negative) };
}

type Look = Extract<EcmaNode, { readonly kind: "look" }>;

/** Whether the automaton has states for it. */
function isNode(node: EcmaNode): node is Node {
  if (node.kind === "sequence" || node.kind === "choice") return node.parts.every(isNode);
  if (node.kind === "repeat") return isNode(node.of);
  return node.kind !== "look" && node.kind !== "edge" && node.kind !== "reference";
}

/** A group is up to three levels of nodes. */
function isTooDeep(root: EcmaNode): boolean {
  let level: readonly EcmaNode[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > 3 * maxDepth) return true;
    level = level.flatMap((node) => ("parts" in node ? node.parts : "of" in node ? [node.of] : []));
  }
  return false;
}
