import type { Correlation, Json, OutRecord } from "../../connectors/sdk/index.ts";

/** As a caller of the store is known. */
interface Asking {
  readonly name: string;
  readonly owner: string | null;
  readonly requestId: string | null;
  readonly traceparent?: string | undefined;
}

/** As a batch's header has them. */
interface Correlated {
  readonly correlation?: Correlation;
  readonly correlations?: readonly (Correlation | null)[];
}

/** What goes along with what a caller sets going; undefined where nobody asked. */
export function correlationOf(caller: Asking | null): Correlation | undefined {
  if (caller === null) return undefined;
  const { name: actor, owner, requestId, traceparent } = caller;
  return {
    actor,
    ...(owner !== null && { owner }),
    ...(requestId !== null && { requestId }),
    ...(traceparent && { traceparent }),
  };
}

/** Of one record of a batch, by its index in the ingest batch; a window's result has that of the batch. */
export function correlationAt({ correlation, correlations }: Correlated, origin: number): Correlation | undefined {
  return correlations?.[origin] ?? correlation;
}

/**
 * What records that are written together have in common: the request that all of them come from, in the trace of the span
 * that writes them. Where they come from several, the span alone.
 */
export function sharedCorrelation(
  records: readonly Pick<OutRecord, "correlation">[],
  traceparent: string | undefined,
): Correlation | undefined {
  const first = records[0]?.correlation;
  const isShared =
    first !== undefined &&
    records.every(({ correlation }) => correlation === first || correlation?.requestId === first.requestId);
  if (!isShared) return traceparent === undefined ? undefined : { traceparent };
  return nearest(first, traceparent);
}

/** In the span that goes on with it, unless that is of another's trace: it may be for several requests. */
export function nearest(correlation: Correlation, traceparent: string | undefined): Correlation {
  if (traceparent === undefined) return correlation;
  const isNear = traceIdOf(traceparent) === traceIdOf(correlation.traceparent ?? traceparent);
  return isNear ? { ...correlation, traceparent } : correlation;
}

/** A `traceparent` header as version 00 writes it; undefined where it is none that can be gone on with. */
export function traceparentOf(header: string | readonly string[] | undefined): string | undefined {
  if (typeof header !== "string") return undefined;
  // A later version has at least the fields of this one (W3C Trace Context, section 2.2).
  const [, version, ids] =
    /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(?:$|-(?!$))/.exec(header) ?? [];
  return ids === undefined || (version === "00" && header.length !== 55) ? undefined : `00-${ids}`;
}

/** The trace that a `traceparent` belongs to. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return traceparent?.split("-")[1];
}

/** As scripts see it in `meta.request`. */
export function requestMeta(correlation: Correlation): Json {
  const { requestId: id, traceparent, actor, owner } = correlation;
  const traceId = traceIdOf(traceparent);
  return {
    ...(id !== undefined && { id }),
    ...(traceId !== undefined && { trace_id: traceId }),
    ...(actor !== undefined && { actor }),
    ...(owner !== undefined && { owner }),
  };
}
