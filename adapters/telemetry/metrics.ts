import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { ConsumerGauges, Metrics, NodeGauges } from "../../runtime/ports/telemetry.ts";
import { BoundedCounter, BoundedGauge, type Labels, maxSeries as mostSeries } from "./bounded-series.ts";
import { WeightedHistogram } from "./weighted-histogram.ts";

/** In seconds; fine around the second that a fleet is held to. */
const latencyBuckets = [
  0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2.5, 5, 10, 30, 60, 300,
];
/** How much of `sluice_error_ratio` a hundred further writes leave of those before: about a third. */
const ratioDecay = 0.99;
/** What was counted of an integration that was deleted or is another node's now is told for so long: a scrape has it. */
const graceMs = 5 * 60_000;

export interface PrometheusMetrics extends Metrics {
  readonly contentType: string;
  render(): Promise<string>;
}

export interface MetricsOptions {
  /** Shown by `sluice_build_info`. */
  readonly version?: string;
  /** Label sets of each metric. */
  readonly maxSeries?: number;
  readonly now?: () => number;
}

const noGauges: NodeGauges = { integrations: [], names: new Set(), health: {}, ready: {}, diskFreeBytes: null };

/** The metrics of contract section 12, and what alerts and dashboards need beside them. */
export function prometheusMetrics({
  version = "",
  maxSeries = mostSeries,
  now = Date.now,
}: MetricsOptions = {}): PrometheusMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  // Gauges with a counter's name, which promtool refuses; what they sum up is there under names of its own.
  for (const what of ["handles", "requests", "resources"]) registry.removeSingleMetric(`nodejs_active_${what}_total`);
  const full = new Counter({
    name: "sluice_metric_overflow_total",
    help: "Values that a metric had no room for, since it has as many label sets as it may.",
    labelNames: ["metric"],
    registers,
  });
  const onFull = (metric: string) => full.inc({ metric });
  /** Integrations of which something was counted here. */
  const counted = new Set<string>();
  const counters: { forget(integrations: ReadonlySet<string>): void }[] = [];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) => {
    const made = new BoundedCounter({ name, help, labelNames, registers, maxSeries, onFull });
    counters.push(made);
    return (labels: Labels<L>, value?: number) => {
      const { integration } = labels as Labels<string>;
      if (integration !== undefined) counted.add(integration);
      made.inc(labels, value);
    };
  };
  const gauges: { reset(): void }[] = [];
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) => {
    const made = new BoundedGauge({ name, help, labelNames, registers, maxSeries, onFull });
    gauges.push(made);
    return made;
  };

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
  const missed = counter("sluice_schedule_missed_total", "Fires of a schedule that were missed and skipped.", [
    "integration",
  ]);
  const runs = counter("sluice_runs_total", "Runs that ended, by their status.", ["integration", "status"]);
  const drift = counter("sluice_schema_drift_total", "Fields and types that a stream's schema did not know.", [
    "integration",
  ]);
  const restarts = counter("sluice_actor_restarts_total", "Restarts of actors after a failure.", [
    "integration",
    "actor",
  ]);
  const latency = new WeightedHistogram({
    name: "sluice_record_latency_seconds",
    help: "From reading a record to its destination's confirmation.",
    labelNames: ["integration", "destination"],
    buckets: latencyBuckets,
    maxSeries,
    onFull,
  });
  counters.push(latency);
  // These two are of integrations that are another node's, too, or of none: a hook's node need not own it, and an
  // integration that the store forgot is known by its id alone.
  const bounded = { registers, maxSeries, onFull };
  const hooks = new BoundedCounter({
    name: "sluice_hooks_total",
    help: "Requests to hooks of integrations, by what became of them.",
    labelNames: ["integration", "outcome"],
    ...bounded,
  });
  const hooked = new Set<string>();
  const losses = new BoundedCounter({
    name: "sluice_losses_found_total",
    help: "Times that logs or store were found to have lost something.",
    labelNames: ["integration", "kind"],
    ...bounded,
  });

  const consumerLabels = ["integration", "destination"] as const;
  const circuitLabels = ["integration", "destination", "step"] as const;
  const depth = gauge("sluice_dlq_depth", "Unresolved dead letters.", ["integration"]);
  const alert = gauge("sluice_dlq_alert", "1 while there are more dead letters than alert_depth.", ["integration"]);
  const imbalance = gauge("sluice_ledger_imbalance", "Records that the latest run's ledger cannot account for.", [
    "integration",
    "step",
    "destination",
  ]);
  const circuitOpen = gauge("sluice_circuit_open", "1 while a destination or a look-up is waited for.", circuitLabels);
  const circuitOpenSeconds = gauge(
    "sluice_circuit_open_seconds",
    "Since the circuit of a destination or a look-up was closed last.",
    circuitLabels,
  );
  const lag = gauge("sluice_consumer_lag", "Records in the log that are not settled.", consumerLabels);
  const credit = gauge("sluice_credit_available", "Batches that may still be taken in hand.", consumerLabels);
  const freshness = gauge(
    "sluice_freshness_seconds",
    "Since a destination was up to date or confirmed.",
    consumerLabels,
  );
  const interval = gauge(
    "sluice_schedule_interval_seconds",
    "Between the schedule's fires, the longest of those around now; 0 where the source is read all the time.",
    ["integration"],
  );
  const ratio = gauge("sluice_error_ratio", "Share of a destination's recent writes that failed.", consumerLabels);
  const byHealth = gauge("sluice_integrations", "Integrations that this node owns, by their health.", ["health"]);
  const ready = gauge("sluice_ready", "1 while a part of the node is ready, as /readyz says.", ["part"]);
  const diskFree = gauge("sluice_disk_free_bytes", "Free on the disk of the data folder.", []);
  new Gauge({
    name: "sluice_build_info",
    help: "1, with the version of this node.",
    labelNames: ["version"],
    registers,
  }).set({ version }, 1);

  /** Writes by integration and destination, those long ago counting little. */
  const writes = new Map<string, Map<string, { all: number; failed: number }>>();
  const seeded = new Set<string>();
  /** A counter that begins with what it counted first has not risen, as Prometheus sees it: from 0 on it has. */
  const seed = ({ integrations }: NodeGauges) => {
    for (const { integration, steps, consumers, intervalSeconds } of integrations) {
      if (seeded.has(integration)) continue;
      seeded.add(integration);
      recordsIn({ integration }, 0);
      filtered({ integration }, 0);
      runs({ integration, status: "failed" }, 0);
      if (intervalSeconds !== null) missed({ integration }, 0);
      for (const step of ["source", ...steps]) failed({ integration, step, destination: "" }, 0);
      for (const { destination } of consumers) {
        if (destination !== undefined) failed({ integration, step: "", destination }, 0);
      }
    }
  };

  const goneSince = new Map<string, number>();
  const forgetGone = ({ integrations, names }: NodeGauges) => {
    const here = new Set(integrations.map(({ integration }) => integration));
    const gone = new Set<string>();
    for (const name of counted) {
      if (here.has(name)) goneSince.delete(name);
      else if (!goneSince.has(name)) goneSince.set(name, now());
      else if (now() - (goneSince.get(name) as number) >= graceMs) gone.add(name);
    }
    if (gone.size > 0) for (const one of counters) one.forget(gone);
    for (const name of gone) {
      for (const kept of [counted, goneSince, writes, seeded]) kept.delete(name);
    }
    const deleted = new Set([...hooked].filter((name) => !names.has(name)));
    if (deleted.size > 0) hooks.forget(deleted);
    for (const name of deleted) hooked.delete(name);
  };

  const consumerGauges: readonly {
    readonly gauge: Pick<BoundedGauge<"integration" | "destination">, "add">;
    readonly read: (consumer: ConsumerGauges) => number | null;
  }[] = [
    { gauge: lag, read: ({ lag }) => lag },
    { gauge: credit, read: ({ credit }) => credit },
    {
      gauge: circuitOpen,
      read: ({ destination, circuitOpen }) => (destination === undefined ? null : Number(circuitOpen)),
    },
    {
      gauge: circuitOpenSeconds,
      read: ({ destination, circuitOpenSeconds }) => (destination === undefined ? null : circuitOpenSeconds),
    },
    { gauge: freshness, read: ({ freshnessSeconds }) => freshnessSeconds },
  ];
  let readGauges = async () => noGauges;
  const refresh = async () => {
    const node = await readGauges();
    for (const one of gauges) one.reset();
    seed(node);
    forgetGone(node);
    for (const [part, is] of Object.entries(node.ready)) ready.add({ part }, Number(is));
    for (const [health, count] of Object.entries(node.health)) byHealth.add({ health }, count);
    if (node.diskFreeBytes !== null) diskFree.add({}, node.diskFreeBytes);
    for (const one of node.integrations) {
      const { integration, deadLetters, deadLetterAlert, imbalances, lookUps, intervalSeconds } = one;
      if (deadLetters !== null) depth.add({ integration }, deadLetters);
      if (deadLetterAlert !== null) alert.add({ integration }, Number(deadLetterAlert));
      if (intervalSeconds !== null) interval.add({ integration }, intervalSeconds);
      if (imbalances.length === 0) imbalance.add({ integration }, 0);
      for (const { at, expected, counted } of imbalances) {
        imbalance.add({ integration, ...at }, Math.abs(expected - counted));
      }
      for (const consumer of one.consumers) {
        const { destination } = consumer;
        const labels = destination === undefined ? { integration } : { integration, destination };
        for (const { gauge, read } of consumerGauges) {
          const value = read(consumer);
          if (value !== null) gauge.add(labels, value);
        }
        const written = destination !== undefined && writes.get(integration)?.get(destination);
        if (written) ratio.add(labels, written.failed / written.all);
      }
      for (const { step, circuitOpen: isOpen, circuitOpenSeconds: seconds } of lookUps) {
        circuitOpen.add({ integration, step }, Number(isOpen));
        circuitOpenSeconds.add({ integration, step }, seconds);
      }
    }
  };

  return {
    contentType: registry.contentType,
    async render() {
      await refresh();
      return (await registry.metrics()) + latency.render();
    },
    recordsIn: (integration, records) => recordsIn({ integration }, records),
    recordsFiltered: (integration, records) => filtered({ integration }, records),
    recordsOut: (integration, destination, connector_type, records) =>
      recordsOut({ integration, destination, connector_type }, records),
    recordsFailed: (integration, { step = "", destination = "" }, records) =>
      failed({ integration, step, destination }, records),
    recordLatency: (integration, destination, records, seconds) =>
      latency.observe({ integration, destination }, seconds, records),
    request(integration, where, { connectorType: connector_type, provider = connector_type }, outcome) {
      requests({ integration, ...where, connector_type, provider, outcome });
      const { destination } = where;
      if (destination === undefined) return;
      const ofIntegration = writes.get(integration) ?? new Map<string, { all: number; failed: number }>();
      writes.set(integration, ofIntegration);
      const known = ofIntegration.get(destination) ?? { all: 0, failed: 0 };
      known.all = known.all * ratioDecay + 1;
      known.failed = known.failed * ratioDecay + (outcome === "failed" ? 1 : 0);
      ofIntegration.set(destination, known);
    },
    actorRestarted: (actor, integration) => restarts(integration === undefined ? { actor } : { actor, integration }),
    hook(integration, outcome) {
      hooked.add(integration);
      hooks.inc({ integration, outcome });
    },
    scheduleMissed: (integration, fires) => missed({ integration }, fires),
    runEnded: (integration, status) => runs({ integration, status }),
    lossFound: (integration, kind) => losses.inc({ integration, kind }),
    schemaDrift: (integration, facts) => drift({ integration }, facts),
    ledgerRecords: (integration, where, kind, records) => ledger({ integration, ...where, kind }, records),
    gauges(read) {
      readGauges = read;
    },
  };
}
