import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { IntegrationGauges, Metrics } from "../../runtime/ports/telemetry.ts";
import { WeightedHistogram } from "./weighted-histogram.ts";

/** In seconds; fine around the second that a fleet is held to. */
const latencyBuckets = [
  0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2.5, 5, 10, 30, 60, 300,
];
/** Calls over which `sluice_error_ratio` is taken. */
const ratioWindow = 1000;

export interface PrometheusMetrics extends Metrics {
  readonly contentType: string;
  render(): Promise<string>;
}

/** The metrics of contract section 12. */
export function prometheusMetrics(): PrometheusMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
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
  const requests = counter("sluice_requests_total", "Batches written, by outcome.", [
    "integration",
    "destination",
    "connector_type",
    "outcome",
  ]);
  const missed = counter("sluice_schedule_missed_total", "Fires of a schedule that were missed and skipped.", [
    "integration",
  ]);
  const restarts = counter("sluice_actor_restarts_total", "Restarts of actors after a failure.", ["actor"]);
  const latency = new WeightedHistogram({
    name: "sluice_record_latency_seconds",
    help: "From reading a record to its destination's confirmation.",
    labelNames: ["integration", "destination"],
    buckets: latencyBuckets,
    registers,
  });

  let readGauges: () => readonly IntegrationGauges[] = () => [];
  const gauge = (name: string, help: string, read: (gauges: IntegrationGauges) => number | null) => {
    new Gauge({
      name,
      help,
      labelNames: ["integration"],
      registers,
      collect() {
        this.reset();
        for (const gauges of readGauges()) {
          const value = read(gauges);
          if (value !== null) this.set({ integration: gauges.integration }, value);
        }
      },
    });
  };
  gauge("sluice_dlq_depth", "Unresolved dead letters.", ({ deadLetters }) => deadLetters);
  gauge("sluice_consumer_lag", "Messages in the logs that are not settled.", ({ consumerLag }) => consumerLag);
  gauge(
    "sluice_credit_available",
    "Messages that may still be taken in hand.",
    ({ creditAvailable }) => creditAvailable,
  );
  gauge("sluice_freshness_seconds", "Since the last record was confirmed.", ({ freshnessSeconds }) => freshnessSeconds);
  gauge(
    "sluice_ledger_imbalance",
    "Records that the ledger cannot account for.",
    ({ ledgerImbalance }) => ledgerImbalance,
  );
  new Gauge({
    name: "sluice_circuit_open",
    help: "1 while a destination is waited for.",
    labelNames: ["integration", "destination"],
    registers,
    collect() {
      this.reset();
      for (const { integration, circuitOpen } of readGauges()) {
        for (const { destination, open } of circuitOpen) this.set({ integration, destination }, open ? 1 : 0);
      }
    },
  });

  const ratios = new Map<string, { integration: string; destination: string; ratio: number }>();
  new Gauge({
    name: "sluice_error_ratio",
    help: "Share of recent writes that failed.",
    labelNames: ["integration", "destination"],
    registers,
    collect() {
      this.reset();
      for (const { integration, destination, ratio } of ratios.values()) this.set({ integration, destination }, ratio);
    },
  });

  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    recordsIn: (integration, records) => recordsIn.inc({ integration }, records),
    recordsFiltered: (integration, records) => filtered.inc({ integration }, records),
    recordsOut: (integration, destination, connector_type, records) =>
      recordsOut.inc({ integration, destination, connector_type }, records),
    recordsFailed: (integration, { step = "", destination = "" }, records) =>
      failed.inc({ integration, step, destination }, records),
    recordLatency: (integration, destination, records, seconds) =>
      latency.observeWeighted({ integration, destination }, seconds, records),
    request(integration, destination, connector_type, outcome) {
      requests.inc({ integration, destination, connector_type, outcome });
      const key = `${integration}\n${destination}`;
      const known = ratios.get(key) ?? { integration, destination, ratio: 0 };
      // An exponential mean stands for the window: no list of calls is kept.
      known.ratio += ((outcome === "failed" ? 1 : 0) - known.ratio) * (2 / (ratioWindow + 1));
      ratios.set(key, known);
    },
    actorRestarted: (path) =>
      restarts.inc({
        actor:
          path
            .split("/")
            .at(-1)
            ?.replace(/-[0-9a-f-]{36}$/, "") ?? path,
      }),
    scheduleMissed: (integration, fires) => missed.inc({ integration }, fires),
    gauges(read) {
      readGauges = read;
    },
  };
}
