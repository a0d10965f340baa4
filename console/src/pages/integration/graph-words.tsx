import {
  Braces,
  Database,
  Filter,
  GitFork,
  Group,
  type LucideIcon,
  PackageOpen,
  Rows3,
  ScanSearch,
  Send,
  ShieldCheck,
  Shuffle,
  Split,
} from "lucide-react";
import type { Circuit, Graph, GraphEdge, GraphNode } from "../../api/types.ts";
import { bytes, shortCount } from "../../lib/format.ts";

const steps: Readonly<Record<string, LucideIcon>> = {
  filter: Filter,
  map: Shuffle,
  validate: ShieldCheck,
  enrich: ScanSearch,
  split: Split,
  aggregate: Group,
  transform: Braces,
  route: GitFork,
};

export function iconOf({ kind, type }: GraphNode): LucideIcon {
  if (kind === "source") return Database;
  if (kind === "destination") return Send;
  return kind === "log" ? Rows3 : (steps[type] ?? PackageOpen);
}

/** Null where it is closed, or there is none. */
export function circuitWord(circuit: Circuit | undefined): string | null {
  if (circuit === undefined || circuit.state === "closed") return null;
  return circuit.state === "open" ? "circuit open" : "circuit half open";
}

export function creditText(credit: GraphEdge["credit"]): string | null {
  if (credit === null) return null;
  const { available, limit, unit } = credit;
  return unit === "bytes"
    ? `credit ${bytes(available)} of ${bytes(limit)}`
    : `credit ${shortCount(available)}/${shortCount(limit)}`;
}

export function queueText(queue: GraphEdge["queue"]): string | null {
  if (queue === null) return null;
  const waiting = `${shortCount(queue.records)} waiting`;
  return queue.bytes === null || queue.bytes === 0 ? waiting : `${waiting}, ${bytes(queue.bytes)}`;
}

/** What holds records up, in a sentence. */
export function bottleneckText({ bottleneck, edges, nodes }: Graph): string {
  if (bottleneck !== null) {
    const edge = edges.find(({ id }) => id === bottleneck.edge);
    const name = (id: string | undefined) => nodes.find((node) => node.id === id)?.name ?? id;
    return `Bottleneck: ${name(edge?.from)} → ${name(edge?.to)}. ${bottleneck.reason}`;
  }
  return edges.some(({ per_second: moving }) => moving > 0)
    ? "Nothing holds records up: the source sets the pace."
    : "Nothing moves at the moment.";
}
