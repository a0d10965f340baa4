import type { Graph } from "../../api/types.ts";
import { rate } from "../../lib/format.ts";
import { circuitWord, creditText, queueText } from "./graph-words.tsx";
import styles from "./small-table.module.css";

/** The graph in words, for screen readers, phones, and who likes figures better. */
export function GraphTable({ graph }: { readonly graph: Graph }) {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const nameOf = (id: string) => {
    const node = nodes.get(id);
    return node === undefined ? id : `${node.name}${node.kind === "log" ? "" : ` (${node.kind})`}`;
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways must be reached by the keyboard
    <section className={styles.scroll} tabIndex={0} aria-label="The graph as a table">
      <table className={styles.table}>
        <caption className="sr-only">Edges of the graph, in the order of the flow</caption>
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col">To</th>
            <th scope="col" className={styles.number}>
              Records/s
            </th>
            <th scope="col">Waiting</th>
            <th scope="col">Credit</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {graph.edges.map((edge) => {
            const isBottleneck = graph.bottleneck?.edge === edge.id;
            const circuit = circuitWord(nodes.get(edge.to)?.circuit);
            const state = isBottleneck
              ? "bottleneck"
              : edge.blocked
                ? "blocked"
                : edge.per_second > 0
                  ? "moving"
                  : "idle";
            return (
              <tr key={edge.id} data-state={isBottleneck ? "bad" : undefined}>
                <th scope="row">{nameOf(edge.from)}</th>
                <td>{nameOf(edge.to)}</td>
                <td className={styles.number}>{rate(edge.per_second)}</td>
                <td>{queueText(edge.queue) ?? "–"}</td>
                <td>{creditText(edge.credit) ?? "–"}</td>
                <td>{circuit === null ? state : `${state}, ${circuit}`}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
