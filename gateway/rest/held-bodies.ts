import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { RetryLaterError } from "../../runtime/errors/index.ts";

/**
 * Counts what of bodies has come, until their requests are answered. A body that would make it more than `most` bytes
 * ends in a RetryLaterError, and the rest of it is thrown away. To be called before the body is read.
 */
export function holdBodies(most: number): (payload: Readable, response: ServerResponse) => void {
  let held = 0;
  return (payload, response) => {
    let own = 0;
    const count = (chunk: Buffer) => {
      own += chunk.length;
      held += chunk.length;
      if (held <= most) return;
      payload.off("data", count);
      payload.emit("error", new RetryLaterError("as many webhooks are under way as this node holds", 1_000));
      payload.resume();
    };
    payload.on("data", count);
    response.once("close", () => {
      held -= own;
    });
  };
}
