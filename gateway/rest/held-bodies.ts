import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { RetryLaterError } from "../../runtime/errors/index.ts";

/**
 * Counts what of bodies has come, until their requests are answered: `most` bytes at the most, and those for one receiver
 * as many as are left for all others. A body that would make it more ends in a RetryLaterError, and the rest of it is
 * thrown away. To be called before the body is read.
 */
export function holdBodies(most: number): (receiver: string, payload: Readable, response: ServerResponse) => void {
  const heldBy = new Map<string, number>();
  let held = 0;
  /** Answers what is held for the receiver then. */
  const add = (receiver: string, bytes: number): number => {
    const now = (heldBy.get(receiver) ?? 0) + bytes;
    if (now === 0) heldBy.delete(receiver);
    else heldBy.set(receiver, now);
    held += bytes;
    return now;
  };
  return (receiver, payload, response) => {
    let own = 0;
    const count = (chunk: Buffer) => {
      own += chunk.length;
      if (add(receiver, chunk.length) <= most - held) return;
      payload.off("data", count);
      payload.emit(
        "error",
        new RetryLaterError("as many webhooks are under way as this node holds for the integration", 1_000),
      );
      payload.resume();
    };
    payload.on("data", count);
    response.once("close", () => {
      add(receiver, -own);
    });
  };
}
