import { setTimeout as delay } from "node:timers/promises";
import { type Link, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import { NodeSDK, resources } from "@opentelemetry/sdk-node";
import type { SpanName, Tracing } from "../../runtime/ports/telemetry.ts";
import { type EndedSpan, SpanRecorder } from "./recorder.ts";
import { samplerOf } from "./sampler.ts";

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

const shutdownMs = 3000;

const kinds: Partial<Record<SpanName, SpanKind>> = {
  receive: SpanKind.SERVER,
  append: SpanKind.PRODUCER,
  process: SpanKind.CONSUMER,
  "look up": SpanKind.CLIENT,
  write: SpanKind.CLIENT,
};

/**
 * Spans by OTLP. The SDK reads the OTEL_ variables itself (endpoint, protocol, headers, sizes of batches) and exports what
 * it is given: which spans those are, and their ids, the recorder says.
 */
export function startOtlp({ env, version, node, warn }: TracingOptions): StartedTracing {
  /** Of the span that is made next. */
  let ids = { traceId: "", spanId: "" };
  const sdk = new NodeSDK({
    serviceName: env.OTEL_SERVICE_NAME || "sluice",
    resource: resources.resourceFromAttributes({ "service.version": version, "service.instance.id": node }),
    // RECORD_AND_SAMPLED, whatever it is: what is not to be exported does not come here.
    sampler: { shouldSample: () => ({ decision: 2 }), toString: () => "SpanRecorder" },
    idGenerator: { generateTraceId: () => ids.traceId, generateSpanId: () => ids.spanId },
    // Metrics are scraped and logs are written: spans alone are exported.
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
  const tracer = trace.getTracer("sluice", version);
  const emit = ({ name, traceId, spanId, parentId, began, ended, attributes, links, error }: EndedSpan): void => {
    ids = { traceId, spanId };
    const above = parentId === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, at(traceId, parentId));
    const kind = kinds[name] ?? SpanKind.INTERNAL;
    const span = tracer.startSpan(name, { kind, attributes, links: links.map(linkTo), startTime: began }, above);
    if (error !== undefined) {
      span.setAttribute("error.type", error).setStatus({ code: SpanStatusCode.ERROR, message: error });
    }
    span.end(ended);
  };
  // A collector that is away must not keep the node from stopping.
  const shutdown = () => Promise.race([sdk.shutdown(), delay(shutdownMs, undefined, { ref: false })]);
  return { tracing: new SpanRecorder(samplerOf(env, warn), emit), shutdown };
}

function at(traceId: string, spanId: string) {
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
}

function linkTo(traceparent: string): Link {
  const [, traceId = "", spanId = ""] = traceparent.split("-");
  return { context: at(traceId, spanId) };
}
