import { noTracing } from "../../runtime/ports/telemetry.ts";
import type { StartedTracing, TracingOptions } from "./otlp.ts";

/**
 * Exports spans where the standard's variables name a collector (`OTEL_EXPORTER_OTLP_ENDPOINT`, or `…_TRACES_ENDPOINT`);
 * otherwise nothing is loaded and nothing costs.
 */
export async function startTracing(options: TracingOptions): Promise<StartedTracing> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = options.env;
  const isOff = options.env.OTEL_SDK_DISABLED === "true" || options.env.OTEL_TRACES_EXPORTER === "none";
  if (!(own || all) || isOff) return { tracing: noTracing, shutdown: async () => {} };
  const { startOtlp } = await import("./otlp.ts");
  return startOtlp(options);
}
