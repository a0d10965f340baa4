import type { Feed, ResolvedIntegration } from "../config/index.ts";
import type { CircuitState, Graph, GraphEdge, GraphNode, Latency } from "../ports/live.ts";
import { bottleneckOf } from "./bottleneck.ts";

type Credit = NonNullable<GraphEdge["credit"]>;
type Queue = NonNullable<GraphEdge["queue"]>;

/** What takes from a log. */
export interface ConsumerFigures {
  readonly credit: Credit;
  /** What waits in the log for it. */
  readonly queue: Queue;
  /** It has had no credit to give for most of the last seconds, or waits for its destination. */
  readonly blocked: boolean;
  /** Room for what is written to that log; null: no run is under way. */
  readonly room: Credit | null;
  /** Whoever writes to the log waits for room. */
  readonly full: boolean;
}

/** What stands at a destination: written, and not confirmed. */
export interface WriterFigures {
  readonly records: number;
  /** Most of what is in hand stands here. */
  readonly blocked: boolean;
  readonly latency: Latency | null;
}

/** What the graph is drawn with. Rates in records a second. */
export interface GraphFigures {
  /** By the names that the flow meter has. */
  readonly rate: (name: string) => number;
  /** Of the steps (undefined), or a destination that has a log of its own. */
  readonly consumer: (destination: string | undefined) => ConsumerFigures;
  readonly writer: (destination: string) => WriterFigures;
  readonly circuits: Readonly<Record<string, CircuitState>>;
  /** Why the run does not move. */
  readonly waiting: string | null;
}

export const ingestLog = "log:ingest";
export const sourceKey = ({ connector, stream }: { readonly connector: string; readonly stream: string }) =>
  `source ${connector} ${stream}`;

/** An integration as what it is made of, with what flows between. `logged`: each destination has a log of its own. */
export function graphOf(
  integration: Pick<ResolvedIntegration, "sources" | "steps" | "destinations" | "trigger">,
  figures: GraphFigures,
  logged: boolean,
): Graph {
  const { sources, steps, destinations } = integration;
  const { rate, consumer, writer, circuits } = figures;
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  const still = { in_per_second: 0, out_per_second: 0, filtered_per_second: 0, failed_per_second: 0 };
  const connect = (from: string, to: string, more: Omit<GraphEdge, "id" | "from" | "to">) =>
    void edges.push({ id: `${from}>${to}`, from, to, ...more });
  const fused = { credit: null, queue: null, blocked: false };

  const main = consumer(logged ? undefined : destinations[0]?.id);
  // Records that are pushed in come from nowhere that is configured.
  const read =
    sources.length > 0 ? sources : [{ connector: integration.trigger.type, stream: integration.trigger.type }];
  for (const [index, source] of read.entries()) {
    const id = `source:${index}`;
    const per_second = read.length === 1 ? rate("in") : rate(sourceKey(source));
    const { stream: name, connector: type } = source;
    nodes.push({ id, kind: "source", name, type, ...still, in_per_second: per_second, out_per_second: per_second });
    connect(id, ingestLog, { per_second, credit: main.room, queue: null, blocked: main.full });
  }
  const log = { kind: "log" as const, type: "jetstream", filtered_per_second: 0, failed_per_second: 0 };
  nodes.push({ id: ingestLog, name: "ingest log", ...log, in_per_second: rate("in"), out_per_second: rate("in") });

  const types = new Map(steps.map(({ id, type }) => [id, type]));
  /** What a step, or the source, gives to one of those that follow it. */
  const given = (feed: Feed, to: string) =>
    feed === "source"
      ? rate("step source out")
      : rate(types.get(feed) === "route" ? `step ${feed} to ${to}` : `step ${feed} out`);
  const from = (feed: Feed) => (feed === "source" ? ingestLog : `step:${feed}`);
  const feed = (
    needs: readonly Feed[],
    name: string,
    to: string,
    rest: Omit<GraphEdge, "id" | "from" | "to" | "per_second">,
  ) => {
    for (const one of needs) {
      const { credit, queue, blocked } = one === "source" ? { ...main, blocked: main.blocked || rest.blocked } : rest;
      connect(from(one), to, { per_second: given(one, name), credit, queue, blocked });
    }
  };
  for (const { id, type, needs } of steps) {
    const of = (kind: string) => rate(`step ${id} ${kind}`);
    const circuit = circuits[`step ${id}`];
    nodes.push({
      ...{ id: `step:${id}`, kind: "step", name: id, type },
      ...{ in_per_second: of("in"), out_per_second: of("out") },
      ...{ filtered_per_second: of("filtered"), failed_per_second: of("failed") },
      ...(circuit && { circuit }),
    });
    feed(needs, id, `step:${id}`, fused);
  }
  for (const { id, connector, needs } of destinations) {
    const to = `destination:${id}`;
    const of = (kind: string) => rate(`destination ${id} ${kind}`);
    const own = writer(id);
    if (logged) {
      const sink = consumer(id);
      const logId = `log:${id}`;
      nodes.push({ id: logId, name: "deliver log", ...log, in_per_second: of("in"), out_per_second: of("out") });
      feed(needs, id, logId, { credit: sink.room, queue: null, blocked: sink.full });
      const { credit, queue, blocked } = sink;
      connect(logId, to, { per_second: of("out"), credit, queue, blocked });
    } else {
      feed(needs, id, to, { credit: null, queue: { records: own.records, bytes: null }, blocked: own.blocked });
    }
    nodes.push({
      ...{ id: to, kind: "destination", name: id, type: connector },
      ...{ in_per_second: of("in"), out_per_second: of("out"), filtered_per_second: 0 },
      ...{ failed_per_second: of("failed"), latency: own.latency, circuit: circuits[id] as CircuitState },
    });
  }
  return { nodes, edges, bottleneck: bottleneckOf(nodes, edges, figures.waiting) };
}
