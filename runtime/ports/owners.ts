/**
 * What is asked of an integration's owner: the one node that may append to its log. Whichever node a request comes to,
 * it asks the owner by this and hands on what that answers; where it is the owner itself, no server is between.
 */
export interface Owners {
  /** Largest request and largest answer, in bytes: nats-server takes no larger message. */
  readonly maxBytes: number;
  /**
   * Asks the node that serves `what` of an integration, and gives its answer, or throws what it threw (a SluiceError as
   * it was, anything else as INTERNAL_ERROR). Besides that:
   * - UNAVAILABLE (NobodyError): nobody serves it now, since the integration is disabled or waits, its owner has just
   *   died, or a hand-over is under way. Nothing was done: to ask again does nothing twice.
   * - TIMEOUT: no answer within `timeoutMs`, or the connection was lost meanwhile. Whether it was done is not known.
   * - VALIDATION_ERROR: the request is larger than `maxBytes`.
   */
  ask(integrationId: string, what: string, request: Uint8Array, options: AskOptions): Promise<Uint8Array>;
  /**
   * Called by whoever owns an integration, for as long as it does: answers what is asked. Of two on one node the later one
   * is asked. Returns how to stop; what is under way then is still answered.
   */
  serve(integrationId: string, what: string, serve: Serve): () => void;
}

export interface AskOptions {
  readonly timeoutMs: number;
}

/**
 * Several are called at once, as they come: a bound is the server's own business (throw RetryLaterError). `signal` aborts
 * when nobody waits for the answer any more.
 */
export type Serve = (request: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;
