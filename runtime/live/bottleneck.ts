import type { Graph, GraphEdge, GraphNode } from "../ports/live.ts";

/**
 * The first edge from the source whose receiver gives no credit while nothing behind it is held up: what holds all the
 * others up. Null where there is none.
 */
export function bottleneckOf(
  nodes: readonly GraphNode[],
  edges: readonly GraphEdge[],
  waiting: string | null,
): Graph["bottleneck"] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const leaving = Map.groupBy(edges, ({ from }) => from);
  const isHeldUp = (node: string): boolean =>
    (leaving.get(node) ?? []).some(({ to, blocked }) => blocked || isHeldUp(to));
  const edge = edges.find(({ blocked, to }) => blocked && !isHeldUp(to));
  if (edge === undefined) return null;
  const receiver = byId.get(edge.to) as GraphNode;
  const slow = nodes.find(({ kind, circuit }) => kind === "step" && circuit && circuit.state !== "closed");
  return { edge: edge.id, reason: reasonOf(edge, receiver, receiver.kind === "step" ? slow : undefined, waiting) };
}

function reasonOf(
  { queue, per_second }: GraphEdge,
  { kind, name, circuit }: GraphNode,
  lookUp: GraphNode | undefined,
  waiting: string | null,
): string {
  const waits = queue === null ? "" : ` while ${counted(queue.records)} for it`;
  if (kind === "destination") {
    if (circuit && circuit.state !== "closed") {
      const half = circuit.state === "open" ? "is open" : "is half open, and lets few calls pass";
      return `The circuit of destination ${name} ${half}${waits}: ${circuit.reason}`;
    }
    if (waiting !== null) return `Destination ${name} takes nothing${waits}: ${waiting}`;
    return `Destination ${name} is the slowest part: it takes ${rate(per_second)}${waits}.`;
  }
  if (kind === "step") {
    if (lookUp)
      return `Step ${lookUp.name} waits, since the circuit of its look-ups is not closed: ${lookUp.circuit?.reason}`;
    if (waiting !== null) return `The steps from ${name} on stand still${waits}: ${waiting}`;
    return `The steps from ${name} on are the slowest part: they take ${rate(per_second)}${waits}.`;
  }
  return waiting === null ? `The ${name} has no room at this moment.` : `The ${name} takes no more: ${waiting}`;
}

const rate = (perSecond: number) => `${Math.round(perSecond).toLocaleString("en")} records a second`;
const counted = (records: number) =>
  records === 1 ? "1 record waits" : `${records.toLocaleString("en")} records wait`;
