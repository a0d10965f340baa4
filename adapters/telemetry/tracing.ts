import { noTracing, type Tracing } from "../../runtime/ports/telemetry.ts";

export interface TracingOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Of the product. */
  readonly version: string;
  /** This node's id. */
  readonly node: string;
  /** What of the settings is not understood. */
  readonly warn: (problem: string) => void;
}

export interface StartedTracing {
  readonly tracing: Tracing;
  shutdown(): Promise<void>;
}

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
