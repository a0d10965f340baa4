import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { ConsumerGauges, IntegrationGauges, Metrics } from "../../runtime/ports/telemetry.ts";
import { WeightedHistogram } from "./weighted-histogram.ts";

/** In seconds; fine around the second that a fleet is held to. */
const latencyBuckets = [
  0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2.5, 5, 10, 30, 60, 300,
];
/** How much of `sluice_error_ratio` a hundred further writes leave of those before: about a third. */
const ratioDecay = 0.99;

export interface PrometheusMetrics extends Metrics {
  readonly contentType: string;
  render(): Promise<string>;
}

const consumerLabels = ["integration", "destination"] as const;
type Label = (typeof consumerLabels)[number];

/** The metrics of contract section 12. */
export function prometheusMetrics(): PrometheusMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  // Gauges with a counter's name, which promtool refuses; what they sum up is there under names of its own.
  for (const what of ["handles", "requests", "resources"]) registry.removeSingleMetric(`nodejs_active_${what}_total`);
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const recordsIn = counter("sluice_records_in_total", "Records taken from the source.", ["integration"]);
  const recordsOut = counter("sluice_records_out_total", "Records that a destination confirmed.", [
    "integration",
    "destination",
    "connector_type",
  ]);
  const filtered = counter("sluice_records_filtered_total", "Records left out on purpose.", ["integration"]);
  const failed = counter("sluice_records_failed_total", "Records sent to the dead letters.", [
    "integration",
    "step",
    "destination",
  ]);
  const requests = counter(
    "sluice_requests_total",
    "Writes to a destination and calls for a step's look-ups, by outcome; what is tried again counts again.",
    ["integration", "step", "destination", "endpoint", "connector_type", "provider", "outcome"],
  );
  const ledger = counter(
    "sluice_ledger_records_total",
    "What ledgers counted, by step and destination: in + expanded = out + filtered + absorbed + dropped + failed; published + inherited = confirmed + failed + pending.",
    ["integration", "step", "destination", "kind"],
  );
  const hooks = counter("sluice_hooks_total", "Requests to hooks of integrations, by what became of them.", [
    "integration",
    "outcome",
  ]);
  const missed = counter("sluice_schedule_missed_total", "Fires of a schedule that were missed and skipped.", [
    "integration",
  ]);
  const losses = counter("sluice_losses_found_total", "Times that logs or store were found to have lost something.", [
    "integration",
    "kind",
  ]);
  const drift = counter("sluice_schema_drift_total", "Fields and types that a stream's schema did not know.", [
    "integration",
  ]);
  const restarts = counter("sluice_actor_restarts_total", "Restarts of actors after a failure.", [
    "integration",
    "actor",
  ]);
  const latency = new WeightedHistogram<Label>({
    name: "sluice_record_latency_seconds",
    help: "From reading a record to its destination's confirmation.",
    buckets: latencyBuckets,
  });

  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  const depth = gauge("sluice_dlq_depth", "Unresolved dead letters.", ["integration"]);
  const alert = gauge("sluice_dlq_alert", "1 while there are more dead letters than alert_depth.", ["integration"]);
  const imbalance = gauge("sluice_ledger_imbalance", "Records that the latest run's ledger cannot account for.", [
    "integration",
    "step",
    "destination",
  ]);
  const circuitLabels = ["integration", "destination", "step"] as const;
  const circuitOpen = gauge("sluice_circuit_open", "1 while a destination or a look-up is waited for.", circuitLabels);
  const circuitOpenSeconds = gauge(
    "sluice_circuit_open_seconds",
    "Since the circuit of a destination or a look-up was closed last.",
    circuitLabels,
  );
  const consumers: readonly { gauge: Gauge; read: (consumer: ConsumerGauges) => number | null }[] = [
    {
      gauge: gauge("sluice_consumer_lag", "Records in the log that are not settled.", consumerLabels),
      read: ({ lag }) => lag,
    },
    {
      gauge: gauge("sluice_credit_available", "Batches that may still be taken in hand.", consumerLabels),
      read: ({ credit }) => credit,
    },
    {
      gauge: circuitOpen,
      read: ({ destination, circuitOpen }) => (destination === undefined ? null : Number(circuitOpen)),
    },
    {
      gauge: circuitOpenSeconds,
      read: ({ destination, circuitOpenSeconds }) => (destination === undefined ? null : circuitOpenSeconds),
    },
    {
      gauge: gauge("sluice_freshness_seconds", "Since a destination was up to date or confirmed.", consumerLabels),
      read: ({ freshnessSeconds }) => freshnessSeconds,
    },
  ];
  const ratio = gauge("sluice_error_ratio", "Share of a destination's recent writes that failed.", consumerLabels);
  /** Writes by destination, those long ago counting little. */
  const writes = new Map<string, { readonly labels: Partial<Record<Label, string>>; all: number; failed: number }>();

  let readGauges = async (): Promise<readonly IntegrationGauges[]> => [];
  const refresh = async () => {
    const integrations = await readGauges();
    for (const { gauge } of consumers) gauge.reset();
    depth.reset();
    alert.reset();
    imbalance.reset();
    for (const { integration, deadLetters, deadLetterAlert, imbalances, consumers: all, lookUps } of integrations) {
      if (deadLetters !== null) depth.set({ integration }, deadLetters);
      if (deadLetterAlert !== null) alert.set({ integration }, Number(deadLetterAlert));
      if (imbalances.length === 0) imbalance.set({ integration }, 0);
      for (const { at, expected, counted } of imbalances) {
        imbalance.inc({ integration, ...at }, Math.abs(expected - counted));
      }
      for (const consumer of all) {
        const { destination } = consumer;
        const labels = destination === undefined ? { integration } : { integration, destination };
        for (const { gauge, read } of consumers) {
          const value = read(consumer);
          if (value !== null) gauge.set(labels, value);
        }
      }
      for (const lookUp of lookUps) {
        circuitOpen.set({ integration, step: lookUp.step }, Number(lookUp.circuitOpen));
        circuitOpenSeconds.set({ integration, step: lookUp.step }, lookUp.circuitOpenSeconds);
      }
    }
    for (const { labels, all, failed } of writes.values()) ratio.set(labels, failed / all);
  };

  return {
    contentType: registry.contentType,
    async render() {
      await refresh();
      return (await registry.metrics()) + latency.render();
    },
    recordsIn: (integration, records) => recordsIn.inc({ integration }, records),
    recordsFiltered: (integration, records) => filtered.inc({ integration }, records),
    recordsOut: (integration, destination, connector_type, records) =>
      recordsOut.inc({ integration, destination, connector_type }, records),
    recordsFailed: (integration, { step = "", destination = "" }, records) =>
      failed.inc({ integration, step, destination }, records),
    recordLatency: (integration, destination, records, seconds) =>
      latency.observe({ integration, destination }, seconds, records),
    request(integration, where, { connectorType: connector_type, provider = connector_type }, outcome) {
      requests.inc({ integration, ...where, connector_type, provider, outcome });
      const { destination } = where;
      if (destination === undefined) return;
      const key = `${integration}\n${destination}`;
      const known = writes.get(key) ?? { labels: { integration, destination }, all: 0, failed: 0 };
      known.all = known.all * ratioDecay + 1;
      known.failed = known.failed * ratioDecay + (outcome === "failed" ? 1 : 0);
      writes.set(key, known);
    },
    actorRestarted: (actor, integration) =>
      restarts.inc(integration === undefined ? { actor } : { actor, integration }),
    hook: (integration, outcome) => hooks.inc({ integration, outcome }),
    scheduleMissed: (integration, fires) => missed.inc({ integration }, fires),
    lossFound: (integration, kind) => losses.inc({ integration, kind }),
    schemaDrift: (integration, facts) => drift.inc({ integration }, facts),
    ledgerRecords: (integration, where, kind, records) => ledger.inc({ integration, ...where, kind }, records),
    gauges(read) {
      readGauges = read;
    },
  };
}
