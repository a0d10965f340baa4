/** Records by `sluice_record_latency_seconds`, from reading to the destination's confirmation, cumulated by bound. */
export type Latencies = ReadonlyMap<number, number>;

const bucket = /^sluice_record_latency_seconds_bucket\{[^}]*\ble="([^"]+)"[^}]*\} (\S+)$/gm;

/** Out of the text of /metrics, all integrations and destinations together. */
export function latenciesIn(metrics: string): Latencies {
  const found = new Map<number, number>();
  for (const [, bound, count] of metrics.matchAll(bucket)) {
    const le = bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound);
    found.set(le, (found.get(le) ?? 0) + Number(count));
  }
  return found;
}

/** Percentiles in milliseconds of what came between two readings: the upper bounds of their buckets. */
export function latencyPercentiles(before: Latencies, after: Latencies) {
  const total = countOf(after) - countOf(before);
  const bounds = [...after.keys()].sort((a, b) => a - b);
  const at = (share: number) => {
    const bound = bounds.find((le) => (after.get(le) ?? 0) - (before.get(le) ?? 0) >= total * share);
    return bound === undefined || bound === Number.POSITIVE_INFINITY ? null : bound * 1000;
  };
  return { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), p999_ms: at(0.999) };
}

function countOf(latencies: Latencies): number {
  return latencies.get(Number.POSITIVE_INFINITY) ?? 0;
}

/** A counter's values by integration, summed over its other labels. */
export function countsIn(metrics: string, counter: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const line of metrics.split("\n")) {
    const [, integration, count] = line.startsWith(`${counter}{`) ? (sample.exec(line) ?? []) : [];
    if (integration !== undefined) found.set(integration, (found.get(integration) ?? 0) + Number(count));
  }
  return found;
}

const sample = /\bintegration="([^"]+)"[^}]*\} (\S+)$/;
