import { noTracing } from "../../runtime/ports/telemetry.ts";
import type { StartedTracing, TracingOptions } from "./otlp.ts";

const none: StartedTracing = { tracing: noTracing, shutdown: async () => {} };

/**
 * Exports spans where the standard's variables name a collector (`OTEL_EXPORTER_OTLP_ENDPOINT`, or `…_TRACES_ENDPOINT`);
 * otherwise nothing is loaded and nothing costs.
 */
export async function startTracing(options: TracingOptions): Promise<StartedTracing> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = options.env;
  const isOff = options.env.OTEL_SDK_DISABLED === "true" || options.env.OTEL_TRACES_EXPORTER === "none";
  if (!(own || all) || isOff) return none;
  const protocol = options.env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || options.env.OTEL_EXPORTER_OTLP_PROTOCOL;
  // By gRPC it may be an address without a scheme. The standard has settings that are wrong told of, and no failure.
  if (protocol !== "grpc" && !/^https?:$/.test(URL.parse((own || all) as string)?.protocol ?? "")) {
    const name = own ? "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" : "OTEL_EXPORTER_OTLP_ENDPOINT";
    options.warn(`${name} is no address such as http://127.0.0.1:4318: no spans are exported`);
    return none;
  }
  const { startOtlp } = await import("./otlp.ts");
  return startOtlp(options);
}
