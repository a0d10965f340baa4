import { context, defaultTextMapGetter, defaultTextMapSetter, SpanStatusCode, trace } from "@opentelemetry/api";
import { messageOf } from "../../runtime/errors/index.ts";
import { noTracing, type Span, type Tracing } from "../../runtime/ports/telemetry.ts";

export interface StartedTracing {
  readonly tracing: Tracing;
  shutdown(): Promise<void>;
}

/** Exports spans by OTLP when `OTEL_EXPORTER_OTLP_ENDPOINT` is set; otherwise nothing is loaded and nothing costs. */
export async function startTracing(env: NodeJS.ProcessEnv, version: string): Promise<StartedTracing> {
  if (!env.OTEL_EXPORTER_OTLP_ENDPOINT) return { tracing: noTracing, shutdown: async () => {} };
  const [{ NodeSDK, core, resources }, { OTLPTraceExporter }] = await Promise.all([
    import("@opentelemetry/sdk-node"),
    import("@opentelemetry/exporter-trace-otlp-proto"),
  ]);
  const sdk = new NodeSDK({
    serviceName: env.OTEL_SERVICE_NAME ?? "sluice",
    resource: resources.resourceFromAttributes({ "service.version": version }),
    traceExporter: new OTLPTraceExporter(),
    instrumentations: [],
  });
  sdk.start();
  const propagator = new core.W3CTraceContextPropagator();
  const tracer = trace.getTracer("sluice", version);
  const start: Tracing["start"] = (name, attributes, parent): Span => {
    const parentContext = parent
      ? propagator.extract(context.active(), { traceparent: parent }, defaultTextMapGetter)
      : context.active();
    const span = tracer.startSpan(name, { attributes }, parentContext);
    const carrier: Record<string, string> = {};
    propagator.inject(trace.setSpan(parentContext, span), carrier, defaultTextMapSetter);
    return {
      traceparent: carrier.traceparent,
      end(error) {
        if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
        span.end();
      },
    };
  };
  return { tracing: { start }, shutdown: () => sdk.shutdown() };
}
