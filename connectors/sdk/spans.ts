import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import type { Correlation } from "./correlation.ts";

type Attributes = Record<string, string | number>;

/** What is known of the call that is being answered. */
const current = new AsyncLocalStorage<Correlation>();
const exportMs = 1_000;
const mostWaiting = 2_048;
let waiting: object[] = [];
let timer: NodeJS.Timeout | undefined;

/** `work` belongs to this request, and its spans to that trace; with none, to nothing. */
export function within<T>(correlation: Correlation | undefined, work: () => T): T {
  return correlation === undefined ? work() : current.run(correlation, work);
}

/** What set going what is being done, with the span that it is done in. */
export const currentCorrelation = (): Correlation | undefined => current.getStore();

/**
 * A span around `work`, exported by OTLP (JSON over HTTP) where OTEL_EXPORTER_OTLP_ENDPOINT is set; else it costs
 * nothing. Name and attributes must hold no secret and nothing of a record.
 */
export async function span<T>(name: string, work: (attributes: Attributes) => Promise<T>): Promise<T> {
  const attributes: Attributes = {};
  if (!process.env.OTEL_EXPORTER_OTLP_ENDPOINT) return work(attributes);
  const correlation = current.getStore();
  const [, traceId = randomBytes(16).toString("hex"), parentSpanId, flags = "01"] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(correlation?.traceparent ?? "") ?? [];
  const own = { traceId, spanId: randomBytes(8).toString("hex") };
  const traceparent = `00-${own.traceId}-${own.spanId}-${flags}`;
  const isSampled = (Number.parseInt(flags, 16) & 1) === 1;
  const begin = now();
  let failed = false;
  try {
    return await current.run({ ...correlation, traceparent }, () => work(attributes));
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    // Of a trace that is not sampled, what failed is kept all the same.
    if (isSampled || failed)
      add({
        ...own,
        ...(parentSpanId !== undefined && { parentSpanId }),
        name,
        kind: 3,
        startTimeUnixNano: begin,
        endTimeUnixNano: now(),
        attributes: Object.entries(attributes).map(([key, value]) => ({
          key,
          value: typeof value === "number" ? { intValue: value } : { stringValue: value },
        })),
        status: { code: failed ? 2 : 1 },
      });
  }
}

/** Sends what has not been sent: before the end of the process. */
export async function flushSpans(): Promise<void> {
  clearTimeout(timer);
  timer = undefined;
  const spans = waiting;
  waiting = [];
  const endpoint = process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (spans.length === 0 || !endpoint) return;
  const name = process.env.OTEL_SERVICE_NAME || "sluice-plugin";
  const resource = { attributes: [{ key: "service.name", value: { stringValue: name } }] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "sluice" }, spans }] }] });
  const headers = { "content-type": "application/json" };
  const signal = AbortSignal.timeout(exportMs);
  // Telemetry that cannot be had is no error of the connector.
  await fetch(`${endpoint.replace(/\/$/, "")}/v1/traces`, { method: "POST", headers, body, signal })
    .then((answer) => answer.arrayBuffer())
    .catch(() => undefined);
}

function add(made: object): void {
  if (waiting.length >= mostWaiting) waiting.shift();
  waiting.push(made);
  timer ??= setTimeout(() => void flushSpans(), exportMs).unref();
}

function now(): string {
  return String(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1_000)) * 1_000n);
}
