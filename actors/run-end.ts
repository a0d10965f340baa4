import { randomUUIDv7 } from "node:crypto";
import type { Clock } from "../runtime/ports/clock.ts";
import type { BatchHeader } from "../runtime/ports/log.ts";
import type { RunError, RunStatus } from "../runtime/ports/store.ts";
import { positionIn } from "./intake.ts";
import { persist } from "./persist.ts";
import type { RunOptions, RunParts } from "./run-options.ts";
import { sourceName } from "./source-name.ts";

/** A record that failed at two destinations is one failed record. */
export function failedRecords({ run, store }: RunOptions): Promise<number> {
  return run.jobId ? store.replays.failed(run.jobId, run.id) : store.runs.failedRecords(run.id);
}

/** Before the run itself is closed: a crash between the two finds it open, and comes here again. */
export async function endReplay(
  { options: { run, store }, clock }: { options: Pick<RunOptions, "run" | "store">; clock: Clock },
  jobId: string,
  failure: RunError | undefined,
  as: RunStatus | undefined,
  signal: AbortSignal,
): Promise<void> {
  await persist(clock, signal, async () => {
    if (failure) return store.replays.fail(jobId, failure);
    if (as === "cancelled") await store.replays.move(jobId, ["running", "paused"], "cancelled");
    await store.replays.next(jobId, randomUUIDv7(), run.id);
  });
}

/** Every destination has what is before them: should the log be lost, nothing that was not delivered is behind them. */
export async function saveCursors(
  { options: { run, integration, store }, clock }: Pick<RunParts, "options" | "clock">,
  last: BatchHeader | null,
  signal: AbortSignal,
): Promise<void> {
  if (last?.runId !== run.id) return;
  for (const source of integration.sources) {
    const name = sourceName(source);
    const cursor = positionIn(last, name)?.cursor ?? null;
    await persist(clock, signal, () => store.checkpoints.saveCursor(run.integrationId, name, cursor));
  }
}
