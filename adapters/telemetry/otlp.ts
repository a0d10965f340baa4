import { setTimeout as delay } from "node:timers/promises";
import { context, defaultTextMapGetter, defaultTextMapSetter, SpanStatusCode, trace } from "@opentelemetry/api";
import { core, NodeSDK, resources } from "@opentelemetry/sdk-node";
import { failureOf } from "../../runtime/delivery/index.ts";
import type { Span, Tracing } from "../../runtime/ports/telemetry.ts";

const shutdownMs = 3000;

/** Spans by OTLP. The SDK reads the OTEL_ variables itself: endpoint, protocol, headers, sampler, sizes of batches. */
export function startOtlp(
  serviceName: string,
  version: string,
): { readonly tracing: Tracing; shutdown(): Promise<void> } {
  const sdk = new NodeSDK({
    serviceName,
    resource: resources.resourceFromAttributes({ "service.version": version }),
    // Metrics are scraped and logs are written: spans alone are exported.
    metricReaders: [],
    logRecordProcessors: [],
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
      end(error, more) {
        if (more) span.setAttributes(more);
        if (error !== undefined) {
          // Its code and no more: a message may quote a record (invariant 7).
          const { code } = failureOf(error);
          span.setAttribute("error.type", code).setStatus({ code: SpanStatusCode.ERROR, message: code });
        }
        span.end();
      },
    };
  };
  // A collector that is away must not keep the node from stopping.
  const shutdown = () => Promise.race([sdk.shutdown(), delay(shutdownMs, undefined, { ref: false })]);
  return { tracing: { start }, shutdown };
}
