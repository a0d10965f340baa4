import { Graph, layout } from "@dagrejs/dagre";

/** From left to right, in pixels. */
export interface Placed {
  readonly id: string;
  /** Its upper left corner. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface PlacedEdge {
  readonly name: string;
  /** Middle of its label. */
  readonly x: number;
  readonly y: number;
}

export interface GraphShape {
  readonly nodes: readonly { readonly id: string; readonly width: number; readonly height: number }[];
  readonly edges: readonly { readonly name: string; readonly from: string; readonly to: string }[];
}

export interface Layout {
  readonly nodes: ReadonlyMap<string, Placed>;
  readonly edges: ReadonlyMap<string, PlacedEdge>;
  readonly width: number;
  readonly height: number;
}

/** Room for an edge's figures. */
export const labelSize = { width: 104, height: 48 };

/** Where the nodes of a DAG stand, so that edges cross as little as may be and each has room for its figures. */
export function layOut({ nodes, edges }: GraphShape): Layout {
  const graph = new Graph({ directed: true, multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 28, edgesep: 16, ranksep: 18, marginx: 4, marginy: 4 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  for (const { name, from, to } of edges) graph.setEdge(from, to, { ...labelSize, labelpos: "c" }, name);
  layout(graph);
  const placed = nodes.map(({ id }) => {
    const { x, y, width, height } = graph.node(id);
    return [id, { id, x: x - width / 2, y: y - height / 2, width, height }] as const;
  });
  const labelled = edges.map(({ name, from, to }) => {
    const { x = 0, y = 0 } = graph.edge(from, to, name);
    return [name, { name, x, y }] as const;
  });
  const { width = 0, height = 0 } = graph.graph();
  return { nodes: new Map(placed), edges: new Map(labelled), width, height };
}
