import { expect, test } from "vitest";
import { labelSize, layOut } from "./graph-layout.ts";

const size = { width: 160, height: 52 };
const graph = {
  nodes: ["source", "filter", "map", "crm", "lake"].map((id) => ({ id, ...size })),
  edges: [
    { name: "source → filter", from: "source", to: "filter" },
    { name: "filter → map", from: "filter", to: "map" },
    { name: "map → crm", from: "map", to: "crm" },
    { name: "map → lake", from: "map", to: "lake" },
  ],
};

test("records go from left to right", () => {
  const { nodes } = layOut(graph);
  const x = (id: string) => nodes.get(id)!.x;
  for (const { from, to } of graph.edges) expect(x(to)).toBeGreaterThan(x(from) + size.width + labelSize.width);
});

test("nodes do not overlap, and each edge's label has its own place", () => {
  const { nodes, edges } = layOut(graph);
  const [crm, lake] = [nodes.get("crm")!, nodes.get("lake")!];
  expect(Math.abs(crm.y - lake.y)).toBeGreaterThanOrEqual(size.height);
  expect(new Set([...edges.values()].map(({ x, y }) => `${x},${y}`)).size).toBe(4);
});
