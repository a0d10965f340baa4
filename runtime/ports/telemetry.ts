import type { Correlation } from "../../connectors/sdk/index.ts";
import type { Imbalance } from "./ledger.ts";

/** Counts and times of the record path. Calls are per batch; `records` is the weight. Never throws. */
export interface Metrics {
  recordsIn(integration: string, records: number): void;
  recordsFiltered(integration: string, records: number): void;
  recordsOut(integration: string, destination: string, connectorType: string, records: number): void;
  /** `where` is the step's or the destination's id. */
  recordsFailed(
    integration: string,
    where: { readonly step?: string; readonly destination?: string },
    records: number,
  ): void;
  /** Seconds from reading to the destination's confirmation. */
  recordLatency(integration: string, destination: string, records: number, seconds: number): void;
  /** A write to a destination, whose stream is the `endpoint`, or a call for a step's look-ups. */
  request(
    integration: string,
    where: { readonly step?: string; readonly destination?: string; readonly endpoint?: string },
    connector: { readonly connectorType: string; readonly provider?: string | undefined },
    outcome: "ok" | "failed",
  ): void;
  /** `actor` is its name in the tree, `integration` undefined for those of the node itself. */
  actorRestarted(actor: string, integration?: string): void;
  /** What became of a request to an integration's hook. */
  hook(
    integration: string,
    outcome: "accepted" | "duplicate" | "challenge" | "refused" | "invalid" | "unavailable",
  ): void;
  scheduleMissed(integration: string, fires: number): void;
  /** `status` as the run's row has it. */
  runEnded(integration: string, status: string): void;
  /** What logs or store were found to have lost. */
  lossFound(integration: string, kind: string): void;
  /** What records had that their stream's schema did not know, each counted once a run. */
  schemaDrift(integration: string, facts: number): void;
  /** What a run's ledger counted at a step, which may be `source`, or a destination; `kind` as its counters are called. */
  ledgerRecords(
    integration: string,
    where: { readonly step: string } | { readonly destination: string },
    kind: string,
    records: number,
  ): void;
  /** Gauges are asked for when they are scraped. */
  gauges(read: () => Promise<NodeGauges>): void;
}

/** How a node does. */
export interface NodeGauges {
  /** Those that this node owns. What is counted of others is forgotten in time. */
  readonly integrations: readonly IntegrationGauges[];
  /** Names of all integrations that there are, whoever owns them. */
  readonly names: ReadonlySet<string>;
  /** Integrations of this node by their health. */
  readonly health: Readonly<Record<string, number>>;
  /** What the node needs to do its work, and whether it is there. */
  readonly ready: Readonly<Record<string, boolean>>;
  /** On the disk of the data folder, in bytes; null where it cannot be measured. */
  readonly diskFreeBytes: number | null;
}

export interface IntegrationGauges {
  readonly integration: string;
  /** Ids of its steps. */
  readonly steps: readonly string[];
  /** Seconds between its schedule's fires, the longest of those around now; 0: read all the time; null: neither. */
  readonly intervalSeconds: number | null;
  /** Unresolved; null where the store has not said yet. */
  readonly deadLetters: number | null;
  /** There are more than the integration's alert depth; null where it has none, or the store has not said yet. */
  readonly deadLetterAlert: boolean | null;
  /** What the latest run's ledger cannot account for. */
  readonly imbalances: readonly Imbalance[];
  readonly consumers: readonly ConsumerGauges[];
  /** The steps that look up, while a run is going on. */
  readonly lookUps: readonly LookUpGauges[];
}

/** The circuit of a step's look-ups. */
export interface LookUpGauges extends Pick<ConsumerGauges, "circuitOpen" | "circuitOpenSeconds"> {
  readonly step: string;
}

/** One consumer of an integration's logs. */
export interface ConsumerGauges {
  /** Undefined: the steps, where several destinations follow them. */
  readonly destination: string | undefined;
  /** Records in its log that are not settled. */
  readonly lag: number;
  /** Batches that it may still take in hand. */
  readonly credit: number;
  readonly circuitOpen: boolean;
  /** Since the circuit was closed last; 0 while it is. */
  readonly circuitOpenSeconds: number;
  /** Seconds since the destination was up to date or confirmed a record; null before the first. */
  readonly freshnessSeconds: number | null;
}

export type Attributes = Readonly<Record<string, string | number>>;

export interface Span {
  /** W3C `traceparent` of this span; where nothing is exported that of its parent, or undefined. */
  readonly traceparent: string | undefined;
  /** What is known only now may be added; with an `error.type` it failed, too. A span that never ends is not exported. */
  end(error?: unknown, attributes?: Attributes): void;
}

export type SpanName = "receive" | "open" | "read" | "append" | "process" | "look up" | "deliver" | "write" | "settle";

/** What a span is of. */
export interface SpanOrigin {
  /** W3C `traceparent` of the span above it; undefined: a trace begins. */
  readonly parent?: string | undefined;
  /** Where several came together in it, the others. */
  readonly links?: readonly string[] | undefined;
  /** When it began, in milliseconds since the epoch; left out: now. */
  readonly since?: number | undefined;
}

/**
 * Spans of batches, at the actors' boundaries: of a request that brought records, of each source and destination that is
 * opened, of each call of a far side. None is of a record.
 */
export interface Tracing {
  start(name: SpanName, attributes: Attributes, origin?: SpanOrigin): Span;
}

const noSpan: Span = { traceparent: undefined, end: () => {} };

/** Where nothing is exported: what a request came with goes along all the same, where it is one. */
export const noTracing: Tracing = {
  start: (_name, _attributes, { parent, links } = {}) =>
    parent === undefined || links !== undefined ? noSpan : { traceparent: parent, end: () => {} },
};

/** The same, with attributes that all spans share. */
export function withAttributes(tracing: Tracing, shared: Attributes): Tracing {
  if (tracing === noTracing) return noTracing;
  return { start: (name, attributes, origin) => tracing.start(name, { ...shared, ...attributes }, origin) };
}

/** A span has no more links. */
const linksMax = 64;

/**
 * Of what is gathered of several spans: part of the first of their traces that is sampled, with a link to each of
 * the others, those that are sampled first.
 */
export function gathered(traceparents: Iterable<string | undefined>): SpanOrigin {
  const all = new Set(traceparents);
  all.delete(undefined);
  const [only] = all as Set<string>;
  if (all.size < 2) return { parent: only };
  const isSampled = (traceparent: string) => traceparent.endsWith("1");
  const sorted = [...(all as Set<string>)].sort((a, b) => Number(isSampled(b)) - Number(isSampled(a)));
  const [parent, ...links] = sorted;
  return { parent, links: links.slice(0, linksMax) };
}

/** As attributes of a span: how many of its records failed, and with what the first did. */
export function failedIn(failures: readonly { readonly code: string }[]): Attributes {
  const [first] = failures;
  return { "sluice.failed": failures.length, ...(first && { "error.type": first.code }) };
}

/** What goes along with what is done in a span. */
export function inSpan(
  correlation: Correlation | null | undefined,
  { traceparent }: Pick<Span, "traceparent">,
): Correlation {
  return { ...correlation, ...(traceparent !== undefined && { traceparent }) };
}
