import type { RunRow, ScheduleStore } from "../../runtime/ports/store.ts";
import type { Database } from "./database.ts";
import { and, eq, sql } from "./drizzle.ts";
import { lockRuns } from "./locks.ts";
import { createRun, createWhenIdle, enabledVersion } from "./runs.ts";
import { type FireOutcome, integrations, scheduledFires } from "./schema.ts";

export function scheduleStore(db: Database): ScheduleStore {
  return {
    fire: ({ integrationId, integrationVersion, instant, overlap, runId }) =>
      db.transaction(async (tx) => {
        await lockRuns(tx, integrationId);
        if ((await enabledVersion(tx, integrationId)) !== integrationVersion) return null;
        const fire = { integrationId, instant, integrationVersion, outcome: "started" as const, runId };
        const claimed = await tx.orm
          .insert(scheduledFires)
          .values(fire)
          .onConflictDoNothing()
          .returning({ instant: scheduledFires.instant });
        if (claimed.length === 0) return null;
        const run = await open(tx, { integrationId, integrationVersion, runId, always: overlap === "run" });
        if (run === null) await settle(tx, fire, overlap === "queue" ? "queued" : "skipped", null);
        return { run };
      }),

    fireQueued: (integrationId, runId) =>
      db.transaction(async (tx) => {
        await lockRuns(tx, integrationId);
        const integrationVersion = await enabledVersion(tx, integrationId);
        if (integrationVersion === null) return null;
        // What was queued by a former version never fires: that schedule is gone.
        await tx.query(
          `update sluice.scheduled_fires set outcome = 'skipped'
            where integration_id = $1 and outcome = 'queued' and integration_version <> $2`,
          [integrationId, integrationVersion],
        );
        const [fire] = await tx.orm
          .select({ integrationId: scheduledFires.integrationId, instant: scheduledFires.instant })
          .from(scheduledFires)
          .where(and(eq(scheduledFires.integrationId, integrationId), eq(scheduledFires.outcome, "queued")))
          .orderBy(scheduledFires.instant)
          .limit(1);
        if (fire === undefined) return null;
        const run = await open(tx, { integrationId, integrationVersion, runId, always: false });
        if (run !== null) await settle(tx, fire, "started", runId);
        return run;
      }),

    async lastFires() {
      const last = sql<Date | null>`(select max(instant) from sluice.scheduled_fires where integration_id = ${integrations.id})`;
      const rows = await db.orm.select({ id: integrations.id, last }).from(integrations);
      return new Map(rows.flatMap(({ id, last }) => (last === null ? [] : [[id, last]])));
    },
  };
}

function open(
  tx: Database,
  run: { integrationId: string; integrationVersion: number; runId: string; always: boolean },
): Promise<RunRow | null> {
  const { integrationId, integrationVersion, runId: id, always } = run;
  const row = { id, integrationId, integrationVersion, trigger: "schedule" as const };
  return always ? createRun(tx, row) : createWhenIdle(tx, row);
}

async function settle(
  tx: Database,
  fire: { integrationId: string; instant: Date },
  outcome: FireOutcome,
  runId: string | null,
): Promise<void> {
  await tx.orm
    .update(scheduledFires)
    .set({ outcome, runId })
    .where(and(eq(scheduledFires.integrationId, fire.integrationId), eq(scheduledFires.instant, fire.instant)));
}
