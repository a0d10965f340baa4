export { startLogger } from "./logger.ts";
export { type PrometheusMetrics, prometheusMetrics } from "./metrics.ts";
export { startTracing } from "./tracing.ts";
