/** A step, or anything else that is fed by others. */
export interface Node {
  readonly id: string;
  readonly needs: readonly string[];
}

export interface SortedGraph {
  /** Ids in an order in which each comes after all it needs; what hangs on a cycle is left out. */
  readonly order: readonly string[];
  /** Ids of one cycle, each needed by the next and the last by the first; empty when there is none. */
  readonly cycle: readonly string[];
}

/** Sorts nodes by what they need, keeping the given order where it may. Needs that name no node are taken as met. */
export function sortGraph(nodes: readonly Node[]): SortedGraph {
  const waiting = new Map(nodes.map((node) => [node.id, node]));
  const order: string[] = [];
  for (let progress = true; progress; ) {
    progress = false;
    for (const node of waiting.values()) {
      if (node.needs.some((need) => waiting.has(need))) continue;
      waiting.delete(node.id);
      order.push(node.id);
      progress = true;
    }
  }
  return { order, cycle: findCycle(waiting) };
}

/** Every node given waits for another one of them, so that walking back must come round. */
function findCycle(waiting: ReadonlyMap<string, Node>): string[] {
  const first = waiting.values().next().value;
  if (first === undefined) return [];
  const walked: string[] = [];
  let at = first;
  while (!walked.includes(at.id)) {
    walked.push(at.id);
    at = waiting.get(at.needs.find((need) => waiting.has(need))!)!;
  }
  return walked.slice(walked.indexOf(at.id)).reverse();
}
