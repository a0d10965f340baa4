import { buildAutomaton, maxStates, op } from "./automaton.ts";
import { CharacterClasses } from "./classes.ts";
import { Matcher } from "./matcher.ts";
import { maxDepth, maxLength, maxSets, type Pattern, parseIRegexp, type Refusal } from "./parse.ts";

export type { Matcher } from "./matcher.ts";

/** An I-Regexp (RFC 9485) for texts as a whole or for their parts; undefined for one that is refused. */
export function compileIRegexp(pattern: string, whole: boolean): Matcher | undefined {
  const prepared = prepare(pattern);
  return typeof prepared === "string" ? undefined : new Matcher(prepared.automaton, prepared.classes, !whole);
}

/** What is wrong with a pattern, as the end of a sentence, or undefined. Such a pattern matches nothing. */
export function checkIRegexp(pattern: string): string | undefined {
  const prepared = prepare(pattern);
  if (prepared === "invalid") return "is no I-Regexp (RFC 9485)";
  const limit = `at most ${maxLength} characters, ${maxStates} with their repetitions, ${maxSets} classes, ${maxDepth} levels`;
  return prepared === "too large" ? `is too large an I-Regexp (${limit})` : undefined;
}

/** Patterns that come from records: few are kept, so that their number costs no memory. */
const cache = new Map<string, Matcher | undefined>();
const mostCached = 64;

/** As `compileIRegexp`, for a pattern that may come again. */
export function cachedIRegexp(pattern: string, whole: boolean): Matcher | undefined {
  const key = (whole ? "w" : "p") + pattern;
  const known = cache.get(key);
  if (known !== undefined || cache.has(key)) return known;
  if (cache.size >= mostCached) cache.clear();
  const compiled = compileIRegexp(pattern, whole);
  cache.set(key, compiled);
  return compiled;
}

/** Tells whether a text has a match. */
export interface Tester {
  test(text: string): boolean;
}

/** For parts of texts; undefined where the pattern is too large. */
export function testerOf(pattern: Pattern): Tester | undefined {
  const prepared = automatonOf(pattern);
  return typeof prepared === "string" ? undefined : new Matcher(prepared.automaton, prepared.classes, true);
}

function prepare(pattern: string) {
  const parsed = parseIRegexp(pattern);
  return typeof parsed === "string" ? parsed : automatonOf(parsed);
}

function automatonOf(parsed: Pattern) {
  const automaton = buildAutomaton(parsed);
  const refusal: Refusal = "too large";
  if (automaton === undefined) return refusal;
  const literals = new Set(automaton.arg.filter((_, state) => automaton.op[state] === op.literal));
  return { automaton, classes: new CharacterClasses(parsed.sets, literals) };
}
