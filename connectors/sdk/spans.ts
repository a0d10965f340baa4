import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";

/** The call that is being answered, as its `traceparent` has it. */
interface Parent {
  readonly traceId: string;
  readonly spanId: string;
}

type Attributes = Record<string, string | number>;

const parents = new AsyncLocalStorage<Parent>();
const exportMs = 1_000;
const mostWaiting = 2_048;
let waiting: object[] = [];
let timer: NodeJS.Timeout | undefined;

/** What `work` makes spans of belongs to the call with this `traceparent` (W3C Trace Context); with none, to no trace. */
export function within<T>(traceparent: string | undefined, work: () => T): T {
  const [, traceId, spanId] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(traceparent ?? "") ?? [];
  return traceId === undefined || spanId === undefined ? work() : parents.run({ traceId, spanId }, work);
}

/**
 * A span around `work`, exported by OTLP (JSON over HTTP) where OTEL_EXPORTER_OTLP_ENDPOINT is set; else it costs
 * nothing. Name and attributes must hold no secret and nothing of a record.
 */
export async function span<T>(name: string, work: (attributes: Attributes) => Promise<T>): Promise<T> {
  const attributes: Attributes = {};
  if (!process.env.OTEL_EXPORTER_OTLP_ENDPOINT) return work(attributes);
  const parent = parents.getStore();
  const own = { traceId: parent?.traceId ?? randomBytes(16).toString("hex"), spanId: randomBytes(8).toString("hex") };
  const begin = now();
  let failed = false;
  try {
    return await parents.run(own, () => work(attributes));
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    add({
      ...own,
      ...(parent && { parentSpanId: parent.spanId }),
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
