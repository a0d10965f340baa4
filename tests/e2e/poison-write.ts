import { isMainThread } from "node:worker_threads";
import { AppendDestination } from "../../connectors/file/append-destination.ts";
import { ReplaceDestination } from "../../connectors/file/replace-destination.ts";

/**
 * Loaded before the node's program (`node --import`), this ends it with SIGKILL in each write of a record that says
 * `"poison":true` to a file; the product knows nothing of it.
 */
if (isMainThread) {
  for (const prototype of [AppendDestination.prototype, ReplaceDestination.prototype]) {
    const { write } = prototype;
    prototype.write = function (this: never, batch) {
      if (batch.records.some(({ text }) => text.includes('"poison":true'))) process.kill(process.pid, "SIGKILL");
      return write.call(this, batch);
    };
  }
}
