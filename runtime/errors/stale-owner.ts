/**
 * Thrown when a later owner has taken the log over (invariant 5), when it is gone, or when an append was given up that may
 * still land. Not retried: who owns it must own it anew.
 */
export class StaleOwnerError extends Error {
  override readonly name: string = "StaleOwnerError";
}
