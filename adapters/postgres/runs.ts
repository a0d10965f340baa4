import type { Correlation } from "../../connectors/sdk/index.ts";
import type { Caller } from "../../runtime/ports/identity.ts";
import type { RunRow, RunStore } from "../../runtime/ports/store.ts";
import { correlationOf } from "../../runtime/record/index.ts";
import { audit, isOfOwn } from "./audit.ts";
import type { Database } from "./database.ts";
import { dayOf, firstId } from "./days.ts";
import { and, asc, eq, getTableColumns, gte, lt, ne, sql } from "./drizzle.ts";
import { lockRuns } from "./locks.ts";
import { idAt, isUuid, notAfter, sorted } from "./paging.ts";
import { integrations, pipelineRuns } from "./schema.ts";

type NewRun = Omit<Parameters<RunStore["create"]>[0], "onlyIfIdle">;
type RunToMake = NewRun & { readonly correlation?: Correlation | null | undefined };

export function runStore(db: Database, caller: Caller | null): RunStore {
  const own = isOfOwn(db, pipelineRuns.integrationId, caller);
  return {
    create: (run) =>
      db.transaction(async (tx) => {
        const asked = { ...run, correlation: correlationOf(caller) };
        const made = await (run.onlyIfIdle ? createWhenIdle(tx, asked) : createRun(tx, asked));
        if (made !== null) await audit(tx, caller, "run.started", made, { after: told(made) });
        return made;
      }),

    openEvent: ({ integrationId, integrationVersion, trigger, runId: id }) =>
      db.transaction(async (tx) => {
        await lockRuns(tx, integrationId);
        if ((await enabledVersion(tx, integrationId)) !== integrationVersion) return null;
        return createWhenIdle(tx, { id, integrationId, integrationVersion, trigger });
      }),

    async get(id) {
      if (!isUuid(id)) return null;
      const [row] = await db.orm
        .select(listed)
        .from(pipelineRuns)
        .where(and(eq(pipelineRuns.id, id), own));
      return row === undefined ? null : toRun(row);
    },

    async series(id) {
      if (!isUuid(id)) return null;
      const [row] = await db.orm
        .select({ series: pipelineRuns.series })
        .from(pipelineRuns)
        .where(and(eq(pipelineRuns.id, id), own));
      return row?.series ?? null;
    },

    async list(integrationId, options) {
      if (!isUuid(integrationId)) return { items: [], nextCursor: null };
      const { status, trigger = null, since = null, until = null } = options;
      const { where, orderBy, page } = sorted<RunRow>(options, pipelineRuns.id);
      const rows = await db.orm
        .select(listed)
        .from(pipelineRuns)
        .where(
          and(
            eq(pipelineRuns.integrationId, integrationId),
            own,
            status === null ? undefined : eq(pipelineRuns.status, status),
            trigger === null ? undefined : eq(pipelineRuns.trigger, trigger),
            // The days before and after are left out by their ids, which were made about then.
            since === null
              ? undefined
              : and(gte(pipelineRuns.startedAt, since), gte(pipelineRuns.id, idAt(since.getTime() - dayMs))),
            until === null
              ? undefined
              : and(notAfter(pipelineRuns.startedAt, until), lt(pipelineRuns.id, idAt(until.getTime() + dayMs))),
            where,
          ),
        )
        .orderBy(...orderBy)
        .limit(options.limit + 1);
      return page(rows.map(toRun));
    },

    async running(integrationId) {
      const rows = await db.orm
        .select(listed)
        .from(pipelineRuns)
        .where(
          and(running, own, integrationId === undefined ? undefined : eq(pipelineRuns.integrationId, integrationId)),
        )
        .orderBy(asc(pipelineRuns.id));
      return rows.map(toRun);
    },

    requestCancel: (id) =>
      db.transaction(async (tx) => {
        if (!isUuid(id)) return null;
        const [row] = await tx.orm
          .update(pipelineRuns)
          .set({ cancelRequestedAt: sql`coalesce(${pipelineRuns.cancelRequestedAt}, now())` })
          .where(and(eq(pipelineRuns.id, id), running, own))
          .returning(listed);
        if (row === undefined) return null;
        const run = toRun(row);
        await audit(tx, caller, "run.cancelled", run, {
          before: { ...told(run), cancel_requested_at: null },
          after: { ...told(run), cancel_requested_at: row.cancelRequestedAt },
        });
        return run;
      }),

    async finish(id, { status, error, counts }) {
      const closed = await db.orm
        .update(pipelineRuns)
        .set({
          status,
          error,
          finishedAt: sql`now()`,
          waiting: null,
          recordsIn: counts.in,
          recordsOut: counts.out,
          recordsFiltered: counts.filtered,
          recordsFailed: counts.failed,
          byDestination: counts.byDestination,
          ledger: counts.ledger ?? null,
        })
        .where(and(eq(pipelineRuns.id, id), running))
        .returning({ id: pipelineRuns.id });
      return closed.length > 0;
    },

    // In a transaction for its longer timeout: a run may have millions.
    failedRecords: (id) =>
      db.transaction(async (tx) => {
        const [row] = await tx.query<{ failed: number }>(
          "select count(distinct record_id) as failed from sluice.dead_letter_records where run_id = $1 and id >= $2",
          // None is older than its run; a day for clocks that differ.
          [id, firstId(dayOf(id) - 1)],
        );
        return row!.failed;
      }),

    async lastCompleted(integrationIds) {
      const latest = (status: string) =>
        `(select finished_at from sluice.pipeline_runs where integration_id = given.id and status = '${status}'
           order by id desc limit 1)`;
      const rows = await db.query<{ id: string; at: Date | null }>(
        `select id, greatest(${latest("success")}, ${latest("partial")}) as at from unnest($1::uuid[]) as given (id)`,
        [[...integrationIds]],
      );
      return new Map(rows.flatMap(({ id, at }) => (at === null ? [] : [[id, at]])));
    },
  };
}

// Counters over time are asked for by themselves.
const { series: _, ...listed } = getTableColumns(pipelineRuns);
const dayMs = 86_400_000;

/** What of a run is told in the audit log. */
const told = ({ integrationId, integrationVersion, trigger, status, jobId }: RunRow) => ({
  integration_id: integrationId,
  integration_version: integrationVersion,
  trigger,
  status,
  ...(jobId && { job_id: jobId }),
});

const running = eq(pipelineRuns.status, "running");

/** The version of an integration that is enabled, or null. */
export async function enabledVersion(tx: Database, id: string): Promise<number | null> {
  const [row] = await tx.orm
    .select({ version: integrations.version })
    .from(integrations)
    .where(and(eq(integrations.id, id), integrations.enabled))
    .for("key share");
  return row?.version ?? null;
}

/**
 * Null when a run of the integration is running, save one that only takes what is invoked: that makes way. Race-free,
 * since all who ask hold the integration's lock.
 */
export async function createWhenIdle(tx: Database, run: RunToMake): Promise<RunRow | null> {
  await lockRuns(tx, run.integrationId);
  const [busy] = await tx.orm
    .select({ id: pipelineRuns.id })
    .from(pipelineRuns)
    .where(and(running, eq(pipelineRuns.integrationId, run.integrationId), inTheWay(run)))
    .limit(1);
  return busy === undefined ? createRun(tx, run) : null;
}

function inTheWay({ trigger }: RunToMake) {
  return trigger === "invoke" ? undefined : ne(pipelineRuns.trigger, "invoke");
}

export async function createRun(db: Database, run: RunToMake & { readonly jobId?: string }): Promise<RunRow> {
  const { id, integrationId, integrationVersion, trigger, jobId, correlation = null } = run;
  const [row] = await db.orm
    .insert(pipelineRuns)
    .values({ id, integrationId, integrationVersion, trigger, status: "running", jobId, correlation })
    .returning(listed);
  return toRun(row!);
}

function toRun(row: Omit<typeof pipelineRuns.$inferSelect, "series">): RunRow {
  const { recordsIn, recordsOut, recordsFiltered, recordsFailed, byDestination, ledger, ...run } = row;
  return {
    ...run,
    counts: {
      in: recordsIn,
      out: recordsOut,
      filtered: recordsFiltered,
      failed: recordsFailed,
      byDestination,
      ...(ledger && { ledger }),
    },
  };
}
