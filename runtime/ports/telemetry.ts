/** Counts and times of the record path. Calls are per batch; `records` is the weight. Never throws. */
export interface Metrics {
  recordsIn(integration: string, records: number): void;
  recordsFiltered(integration: string, records: number): void;
  recordsOut(integration: string, destination: string, connectorType: string, records: number): void;
  /** `where` is the step's or the destination's id. */
  recordsFailed(integration: string, where: { readonly step?: string; readonly destination?: string }, records: number): void;
  /** Seconds from reading to the destination's confirmation. */
  recordLatency(integration: string, destination: string, records: number, seconds: number): void;
  request(integration: string, destination: string, connectorType: string, outcome: "ok" | "failed"): void;
  actorRestarted(path: string): void;
  scheduleMissed(integration: string, fires: number): void;
  /** Gauges are asked for when they are scraped. */
  gauges(read: () => readonly IntegrationGauges[]): void;
}

export interface IntegrationGauges {
  readonly integration: string;
  /** Messages in the logs that are not settled. */
  readonly consumerLag: number;
  /** Records that may still be taken in hand. */
  readonly creditAvailable: number;
  /** Seconds since the last record was confirmed, or null before the first. */
  readonly freshnessSeconds: number | null;
  readonly ledgerImbalance: number;
  readonly deadLetters: number;
  readonly circuitOpen: readonly { readonly destination: string; readonly open: boolean }[];
}

export interface Span {
  /** W3C `traceparent` of this span, or undefined where nothing is traced. */
  readonly traceparent: string | undefined;
  end(error?: unknown): void;
}

/** Batch-level spans at the actors' boundaries: read, append, process, deliver, settle. */
export interface Tracing {
  start(name: string, attributes: Readonly<Record<string, string | number>>, parent?: string): Span;
}

const noSpan: Span = { traceparent: undefined, end: () => {} };

/** Where nothing is exported. */
export const noTracing: Tracing = { start: () => noSpan };
