import { noTracing, type Tracing } from "../../runtime/ports/telemetry.ts";

/** Exports spans when `OTEL_EXPORTER_OTLP_ENDPOINT` is set; otherwise nothing is loaded and nothing costs. */
export async function startTracing(
  env: NodeJS.ProcessEnv,
  version: string,
): Promise<{ readonly tracing: Tracing; shutdown(): Promise<void> }> {
  if (!env.OTEL_EXPORTER_OTLP_ENDPOINT) return { tracing: noTracing, shutdown: async () => {} };
  const { startOtlp } = await import("./otlp.ts");
  return startOtlp(env.OTEL_SERVICE_NAME || "sluice", version);
}
