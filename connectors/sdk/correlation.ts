/** What goes along from a request with all that it sets going. What is not known is absent. */
export interface Correlation {
  /** Its `X-Request-ID`. */
  readonly requestId?: string;
  /** W3C Trace Context. */
  readonly traceparent?: string;
  /** Who asked: the name of a key, or a token's subject. */
  readonly actor?: string;
  /** The team of who asked. */
  readonly owner?: string;
}

/** What an outgoing HTTP request is given of it, by header: who asked stays here. */
export function correlationHeaders({ requestId, traceparent }: Correlation = {}): Record<string, string> {
  return {
    ...(requestId !== undefined && { "x-request-id": requestId }),
    ...(traceparent !== undefined && { traceparent }),
  };
}
