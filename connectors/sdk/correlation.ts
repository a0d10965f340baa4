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

/** What an outgoing HTTP request is given of it, by header: who asked stays here (`identityHeaders`). */
export function correlationHeaders({ requestId, traceparent }: Correlation = {}): Record<string, string> {
  return {
    ...(requestId !== undefined && { "x-request-id": requestId }),
    ...(traceparent !== undefined && { traceparent }),
  };
}

/** Who asked, by header, for servers that are meant to know: percent-encoded, since a name may have any characters. */
export function identityHeaders({ actor, owner }: Correlation = {}): Record<string, string> {
  return {
    ...(actor !== undefined && { "x-sluice-actor": encodeURIComponent(actor.toWellFormed()) }),
    ...(owner !== undefined && { "x-sluice-owner": encodeURIComponent(owner.toWellFormed()) }),
  };
}
