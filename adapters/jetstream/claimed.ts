import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../runtime/errors/index.ts";
import type { ClaimStore } from "../../runtime/ports/store.ts";
import { backoffMs, type NatsLink } from "./link.ts";

/**
 * The payload of a batch that was too large for a message; null where the store has it no more. While the store is away
 * it is waited for: what is in the log is no worse for that. Rejects when the signal aborts.
 */
export async function claimed(
  claim: string,
  { claims, link }: { readonly claims: Pick<ClaimStore, "get">; readonly link: Pick<NatsLink, "trouble"> },
  signal: AbortSignal,
): Promise<Uint8Array | null> {
  const self = {};
  try {
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      try {
        return await claims.get(claim);
      } catch (error) {
        link.trouble(self, `a batch too large for the log cannot be fetched from the store (${messageOf(error)})`);
      }
      await delay(backoffMs(tries), undefined, { signal });
    }
  } finally {
    link.trouble(self, undefined);
  }
}
