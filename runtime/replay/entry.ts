import type { ResolvedIntegration } from "../config/index.ts";
import type { ReplayLetter, ReplayOptions } from "../ports/replays.ts";

/** Where replayed records enter, and what of them goes on: each arrives only where it is missing. */
export interface Entry {
  readonly at: "head" | "step" | "destination";
  /** Of the step or the destination; empty at the head. */
  readonly id: string;
  /** A window's result enters behind the windows of its step. */
  readonly window?: true;
  /** Steps and destinations that the records may fail at and reach; left out: all. */
  readonly only?: readonly string[];
}

type Failed = Pick<ReplayLetter, "step" | "destination" | "position" | "corrected" | "state">;
type Graph = Pick<ResolvedIntegration, "steps" | "destinations">;

/**
 * Where a dead letter enters an integration's steps. By default one that failed at a step begins anew, at the head; one
 * that a destination refused goes to that destination alone, as the steps left it, unless its payload was corrected.
 * A text: why it cannot be replayed.
 */
export function entryOf(letter: Failed, from: ReplayOptions["from"], graph: Graph): Entry | string {
  const { step, destination, state, corrected, position } = letter;
  const failedAt = step ?? destination;
  // The source or the schema contract refused it.
  if (failedAt === null) return { at: "head", id: "" };
  const at = step === null ? "destination" : "step";
  const known = (step === null ? graph.destinations : graph.steps).some(({ id }) => id === failedAt);
  const window = position.ordinal < 0;
  if (!known && (at === "destination" || window)) return `the integration has no ${at} ${failedAt} any more`;
  const early = from ?? (at === "step" || corrected !== null ? "head" : "step");
  if ((early === "head" || state === null || !known) && !window) {
    const only = known ? connected(failedAt, graph) : undefined;
    return { at: "head", id: "", ...(only && { only }) };
  }
  return { at, id: failedAt, ...(window && { window }) };
}

/** Whether what becomes of one child of a record is the dead letter's: the child itself, what it came from, what it became. */
export function isOf(letterChild: string, child: string): boolean {
  if (letterChild === "" || child === "" || child === letterChild) return true;
  return child.startsWith(`${letterChild}.`) || letterChild.startsWith(`${child}.`);
}

/** What feeds a step or destination, it, and what it feeds; undefined where that is everything. */
function connected(id: string, { steps, destinations }: Graph): readonly string[] | undefined {
  const nodes = [...steps, ...destinations];
  const found = new Set([id]);
  // In the order of the graph, so that one pass each way does.
  for (const { id, needs } of nodes) if (needs.some((need) => found.has(need))) found.add(id);
  const before = new Set([id]);
  for (const { id, needs } of nodes.toReversed()) {
    if (!before.has(id)) continue;
    for (const need of needs) if (need !== "source") before.add(need);
  }
  for (const each of before) found.add(each);
  return found.size === nodes.length ? undefined : [...found];
}
