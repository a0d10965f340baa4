export { startLogger } from "./logger.ts";
export { type PrometheusMetrics, prometheusMetrics } from "./metrics.ts";
export { type StartedTracing, startTracing } from "./tracing.ts";
