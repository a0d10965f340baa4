import {
  BaseEdge,
  EdgeLabelRenderer,
  type EdgeProps,
  type Edge as FlowEdge,
  type Node as FlowNode,
  getBezierPath,
  Handle,
  type NodeProps,
  Position,
  ReactFlow,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { memo, useMemo } from "react";
import type { Graph, GraphEdge, GraphNode } from "../../api/types.ts";
import { bytes, rate, shortCount } from "../../lib/format.ts";
import { layOut } from "./graph-layout.ts";
import styles from "./graph-picture.module.css";
import { circuitWord, creditText, iconOf, queueText } from "./graph-words.tsx";
import { NodeName } from "./node-name.tsx";

type NodeOf = FlowNode<{ readonly node: GraphNode }, "box">;
type EdgeOf = FlowEdge<{ readonly edge: GraphEdge; readonly isBottleneck: boolean; readonly at: Point }, "flow">;
interface Point {
  readonly x: number;
  readonly y: number;
}

const sizeOf = ({ kind }: GraphNode) => (kind === "log" ? { width: 116, height: 40 } : { width: 172, height: 56 });

/** The DAG of an integration. What it shows, the table beside it says in words. Loaded lazily, for its size. */
export default function GraphPicture({ graph }: { readonly graph: Graph }) {
  const shape = JSON.stringify([graph.nodes.map(({ id, kind }) => [id, kind]), graph.edges.map(({ id }) => id)]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a layout lasts as long as the shape; figures come each second.
  const layout = useMemo(
    () =>
      layOut({
        nodes: graph.nodes.map((node) => ({ id: node.id, ...sizeOf(node) })),
        edges: graph.edges.map(({ id, from, to }) => ({ name: id, from, to })),
      }),
    [shape],
  );
  const nodes = graph.nodes.map((node): NodeOf => {
    const { x, y, width, height } = layout.nodes.get(node.id)!;
    return { id: node.id, type: "box", position: { x, y }, width, height, data: { node } };
  });
  const edges = graph.edges.map((edge): EdgeOf => {
    const data = { edge, isBottleneck: graph.bottleneck?.edge === edge.id, at: layout.edges.get(edge.id)! };
    return { id: edge.id, source: edge.from, target: edge.to, type: "flow", data };
  });
  return (
    <div className={styles.picture} style={{ height: Math.min(420, Math.max(190, layout.height + 48)) }}>
      <ReactFlow
        key={shape}
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        fitView
        fitViewOptions={{ padding: 0.04, maxZoom: 1 }}
        minZoom={0.2}
        maxZoom={1.5}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        zoomOnScroll={false}
        zoomOnDoubleClick={false}
        preventScrolling={false}
        disableKeyboardA11y
      />
    </div>
  );
}

const Box = memo(({ data: { node } }: NodeProps<NodeOf>) => {
  const Icon = iconOf(node);
  const circuit = circuitWord(node.circuit);
  const failing = node.failed_per_second > 0;
  return (
    <div
      className={styles.node}
      data-kind={node.kind}
      data-state={circuit === null ? (failing ? "failing" : "ok") : "open"}
    >
      <Handle type="target" position={Position.Left} className={styles.handle!} isConnectable={false} />
      <Icon aria-hidden size={15} />
      <span className={styles.words}>
        <span className={styles.name} title={node.name}>
          <NodeName node={node} />
        </span>
        {node.kind !== "log" && (
          <span className={styles.type}>
            {circuit ?? (failing ? `${node.type} · ${rate(node.failed_per_second)} failed/s` : node.type)}
          </span>
        )}
      </span>
      <Handle type="source" position={Position.Right} className={styles.handle!} isConnectable={false} />
    </div>
  );
});

function Flow({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, data }: EdgeProps<EdgeOf>) {
  const [path] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  if (data === undefined) return null;
  const { edge, isBottleneck, at } = data;
  const state = isBottleneck ? "bottleneck" : edge.blocked ? "blocked" : edge.per_second > 0 ? "moving" : "idle";
  // The table has the whole of it.
  const { credit, queue } = edge;
  return (
    <>
      <BaseEdge path={path} className={styles.edge!} data-state={state} />
      <EdgeLabelRenderer>
        <div
          className={styles.label}
          data-state={state}
          style={{ transform: `translate(-50%, -50%) translate(${at.x}px, ${at.y}px)` }}
        >
          {isBottleneck && <strong>Bottleneck</strong>}
          <span className={styles.rate}>{rate(edge.per_second)}/s</span>
          {queue !== null && <span title={queueText(queue) ?? ""}>{shortCount(queue.records)} waiting</span>}
          {credit !== null && (
            <span title={creditText(credit) ?? ""}>
              credit {credit.unit === "bytes" ? bytes(credit.available) : `${credit.available}/${credit.limit}`}
            </span>
          )}
        </div>
      </EdgeLabelRenderer>
    </>
  );
}

const nodeTypes = { box: Box };
const edgeTypes = { flow: Flow };
