import type { Log } from "../runtime/ports/log.ts";
import { sinkName } from "./balance.ts";
import { sourceSubject } from "./intake.ts";
import { tickSubject } from "./ticker.ts";

/** Kept of each log after it was settled, for replay; whichever is less. */
const history = { bytes: 256 * 1024 * 1024, ageMs: 3 * 24 * 60 * 60 * 1000 };
/** How far a deliver log may be out of the ingest log's order: what a consumer may have unacknowledged is made again. */
export const disorder = 2_000;

/**
 * Deletes from an integration's logs what every consumer has settled and the history does not keep. From the ingest log
 * only what no unsettled delivery comes from: it is the original of a dead letter.
 */
export async function trim(logs: { readonly ingest: Log; readonly deliver: Log }): Promise<void> {
  const { ingest, deliver } = logs;
  // Before the deliver log is looked at: what gets there later comes from behind this floor.
  const floor = (await ingest.stats()).consumers.steps?.ackFloor ?? 0;
  let original = Number.POSITIVE_INFINITY;
  const destinations = await deliver.subjects();
  if (destinations.length > 0) {
    const { consumers } = await deliver.stats();
    const beyond = await deliver.beyond(history);
    for (const id of destinations) {
      const settled = consumers[sinkName(id)]?.ackFloor ?? 0;
      const next = await deliver.next(id, settled);
      original = Math.min(original, (next?.header.ingestSequence ?? Number.POSITIVE_INFINITY) - disorder);
      await deliver.purge(id, Math.min(settled, beyond));
    }
  }
  const upTo = Math.min(floor, await ingest.beyond(history), original - 1);
  await ingest.purge(sourceSubject, upTo);
  await ingest.purge(tickSubject, upTo);
}
