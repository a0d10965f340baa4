import { SluiceError } from "./error.ts";

/**
 * What this node itself needs is away: the Vault with its secrets, or with the key of the store's. Nothing is wrong with
 * a source or a destination: it is waited for without an end, and nobody's attempts count.
 */
export class NotReadyError extends SluiceError {
  constructor(message: string) {
    super("UNAVAILABLE", message);
  }
}
