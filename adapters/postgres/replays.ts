import type { SQL } from "drizzle-orm";
import type { Correlation } from "../../connectors/sdk/index.ts";
import type { Caller } from "../../runtime/ports/identity.ts";
import type { DeadLetterFilter, JobError, JobRow, ReplayLetter, ReplayStore } from "../../runtime/ports/replays.ts";
import { correlationOf } from "../../runtime/record/index.ts";
import { audit, isOfOwn } from "./audit.ts";
import type { Database } from "./database.ts";
import { conditions, isPossible, ofOwn } from "./dead-letters.ts";
import { and, asc, eq, gt, isNull, sql } from "./drizzle.ts";
import { lockReplays } from "./locks.ts";
import { type Shared, withOriginals } from "./originals.ts";
import { isUuid, sorted } from "./paging.ts";
import { createRun } from "./runs.ts";
import { deadLetterRecords, deadLetterReplays, jobs } from "./schema.ts";

const analyzedFrom = 5_000;

export function replayStore(db: Database, caller: Caller | null): ReplayStore {
  const own = isOfOwn(db, jobs.integrationId, caller);
  const ownLetters = isOfOwn(db, deadLetterRecords.integrationId, caller);
  return {
    async open({ id, runId, integrationId, integrationVersion, options, filter, actor }) {
      return db.transaction(async (tx) => {
        await lockReplays(tx, integrationId);
        const version = options.version === "current" ? sql`${integrationVersion}::int` : sql`integration_version`;
        const letters = tx.orm
          .select({
            jobId: sql`${id}::uuid`.as("job_id"),
            deadLetterId: deadLetterRecords.id,
            version: version.as("version"),
            state: sql`'open'`.as("state"),
            runId: sql`null::uuid`.as("run_id"),
            failureId: sql`null::uuid`.as("failure_id"),
          })
          .from(deadLetterRecords)
          .where(and(unresolved(integrationId, filter), ownLetters, isFree))
          // As they are read and settled.
          .orderBy(asc(deadLetterRecords.id));
        if (isPossible(filter)) await tx.orm.insert(deadLetterReplays).select(letters);
        const { total } = await progress(tx, id);
        if (total === 0 && filter.ids !== undefined) return null;
        // The first pages are read before the server has looked at what came at once.
        if (total > analyzedFrom) await tx.query("analyze sluice.dead_letter_replays");
        const job = {
          id,
          integrationId,
          kind: "replay" as const,
          status: "running" as const,
          options,
          createdBy: actor,
          correlation: correlationOf(caller) ?? null,
        };
        await tx.orm.insert(jobs).values(job);
        await openRun(tx, id, runId);
        await audit(tx, caller, "job.created", { id }, { after: { integration_id: integrationId, options, filter } });
        return find(tx, id, own);
      });
    },

    async count(integrationId, filter) {
      if (!isPossible(filter)) return 0;
      return db.orm.$count(deadLetterRecords, and(unresolved(integrationId, filter), ownLetters));
    },

    async unresolved(integrationId, filter, after, limit) {
      if (!isPossible(filter)) return [];
      const {
        id,
        integrationVersion,
        step,
        destination,
        positionBase,
        positionOrdinal,
        recordId,
        child,
        source,
        raw,
        corrected,
        state,
        rawOf,
        stateOf,
      } = deadLetterRecords;
      const rows = await db.orm
        .select({
          id,
          integration_version: integrationVersion,
          step,
          destination,
          position_base: positionBase,
          position_ordinal: positionOrdinal,
          record_id: recordId,
          child,
          source,
          raw,
          corrected,
          state,
          rawOf,
          stateOf,
        })
        .from(deadLetterRecords)
        .where(and(unresolved(integrationId, filter), ownLetters, after === null ? undefined : gt(id, after)))
        .orderBy(asc(id))
        .limit(limit);
      return (await withOriginals(db, rows)).map((row) => toLetter(row, true));
    },

    get: (id) => find(db, id, own),

    async list(integrationId, options) {
      if (!isUuid(integrationId)) return { items: [], nextCursor: null };
      const { where, orderBy, page } = sorted<Pick<JobRow, "id">>(options, jobs.id);
      const rows = await db.orm
        .select()
        .from(jobs)
        .where(
          and(
            eq(jobs.integrationId, integrationId),
            own,
            options.status ? eq(jobs.status, options.status) : undefined,
            where,
          ),
        )
        .orderBy(...orderBy)
        .limit(options.limit + 1);
      const { nextCursor } = page(rows);
      const items = rows.slice(0, options.limit);
      return { items: await withProgress(db, items), nextCursor };
    },

    async unfinished(integrationId) {
      const ofOne = integrationId === null ? undefined : eq(jobs.integrationId, integrationId);
      const rows = await db.orm
        .select()
        .from(jobs)
        .where(and(isNull(jobs.finishedAt), own, ofOne))
        .orderBy(asc(jobs.id))
        .limit(1_000);
      return withProgress(db, rows);
    },

    async status(id) {
      const [row] = await db.orm.select({ status: jobs.status }).from(jobs).where(eq(jobs.id, id));
      return row?.status ?? null;
    },

    async move(id, from, to) {
      if (!isUuid(id)) return false;
      return db.transaction(async (tx) => {
        const rows = await tx.query<{ before: string; integration_id: string }>(
          `update sluice.jobs as job set status = $3 from (select id, status from sluice.jobs where id = $1 for update) as was
            where job.id = was.id and job.status = any($2) and finished_at is null and ${ofOwn("$4")}
           returning was.status as before, job.integration_id`,
          [id, from, to, caller?.owner ?? null],
        );
        const [row] = rows;
        if (row === undefined) return false;
        const { before: status, integration_id } = row;
        const change = { before: { integration_id, status }, after: { integration_id, status: to } };
        await audit(tx, caller, `job.${to}`, { id }, change);
        return true;
      });
    },

    next: (id, runId, ending) => db.transaction((tx) => openRun(tx, id, runId, ending)),

    async fail(id, error) {
      await db.transaction((tx) => failJob(tx, id, error));
    },

    async page(id, version, after, limit) {
      const claims = await db.query<{ id: string; state: string }>(
        `select dead_letter_id as id, state from sluice.dead_letter_replays
          where job_id = $1 and version = $2 and dead_letter_id > $3 order by dead_letter_id limit $4`,
        [id, version, after ?? "00000000-0000-0000-0000-000000000000", limit],
      );
      // Asked for by their ids, so that the days that have none of them are left out.
      const rows = await db.query<LetterRow & Shared>(
        `select id, integration_version, step, destination, position_base, position_ordinal, record_id, child, source, raw, corrected, state,
                raw_of as "rawOf", state_of as "stateOf"
           from sluice.dead_letter_records where id = any($1::uuid[])`,
        [claims.map(({ id }) => id)],
      );
      const letters = new Map((await withOriginals(db, rows)).map((row) => [row.id, row]));
      // What retention dropped meanwhile is passed over.
      const found = claims.flatMap(({ id, state }) => {
        const row = letters.get(id);
        return row === undefined ? [] : [toLetter(row, state === "open")];
      });
      return { letters: found, last: claims.at(-1)?.id ?? null };
    },

    async failed(id, runId) {
      const [row] = await db.query<{ failed: number }>(
        "select count(*) as failed from sluice.dead_letter_replays where job_id = $1 and run_id = $2 and state = 'failed'",
        [id, runId],
      );
      return row!.failed;
    },
  };
}

async function withProgress(db: Database, rows: readonly (typeof jobs.$inferSelect)[]): Promise<JobRow[]> {
  const found = await progressOf(
    db,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => ({ ...row, progress: found.get(row.id) ?? noProgress }));
}

async function find(db: Database, id: string, own: SQL | undefined): Promise<JobRow | null> {
  if (!isUuid(id)) return null;
  const [row] = await db.orm
    .select()
    .from(jobs)
    .where(and(eq(jobs.id, id), own));
  return row === undefined ? null : ((await withProgress(db, [row]))[0] as JobRow);
}

async function openRun(tx: Database, id: string, runId: string, ending: string | null = null): Promise<boolean> {
  const [job] = await tx.query<{
    status: JobRow["status"];
    integration_id: string;
    correlation: Correlation | null;
  }>("select status, integration_id, correlation from sluice.jobs where id = $1 and finished_at is null for update", [
    id,
  ]);
  if (job === undefined) return false;
  const integrationId = job.integration_id;
  const [left] = await tx.query<{ version: number }>(
    "select version from sluice.dead_letter_replays where job_id = $1 and state = 'open' order by version limit 1",
    [id],
  );
  if (job.status !== "cancelled" && left !== undefined) {
    const [busy] = await tx.query(
      `select 1 from sluice.pipeline_runs
        where integration_id = $1 and status = 'running' and job_id = $2 and id is distinct from $3`,
      [integrationId, id, ending],
    );
    if (job.status === "paused" || busy !== undefined) return false;
    if (ending !== null && (await isStuck(tx, id, ending))) return failJob(tx, id, stuck);
    const integrationVersion = left.version;
    await createRun(tx, {
      id: runId,
      integrationId,
      integrationVersion,
      trigger: "manual",
      jobId: id,
      correlation: job.correlation,
    });
    return true;
  }
  await release(tx, id);
  const { failed } = await progress(tx, id);
  const status = job.status === "cancelled" ? job.status : failed > 0 ? "partial" : "success";
  await tx.query("update sluice.jobs set status = $2, finished_at = now() where id = $1", [id, status]);
  return false;
}

/** A run that replays nothing would be followed by others like it for ever. */
const stuck: JobError = {
  code: "NOT_FOUND",
  message: "what is left of the dead letters is gone: there is nothing to replay",
};

/** The run settled nothing, and retention has dropped what is left. */
async function isStuck(tx: Database, id: string, runId: string): Promise<boolean> {
  const [row] = await tx.query<{ stuck: boolean }>(
    `select not exists (select 1 from sluice.dead_letter_replays where job_id = $1 and run_id = $2)
        and not exists (select 1 from sluice.dead_letter_replays as replay
                          join sluice.dead_letter_records as letter on letter.id = replay.dead_letter_id
                         where replay.job_id = $1 and replay.state = 'open') as stuck`,
    [id, runId],
  );
  return row!.stuck;
}

async function failJob(tx: Database, id: string, error: JobError): Promise<false> {
  await release(tx, id);
  await tx.query(
    "update sluice.jobs set status = 'failed', error = $2, finished_at = now() where id = $1 and finished_at is null",
    [id, JSON.stringify(error)],
  );
  return false;
}

const isFree = sql`not exists (select 1 from sluice.dead_letter_replays as replay
  where replay.dead_letter_id = ${deadLetterRecords.id} and replay.state = 'open')`;

const unresolved = (integrationId: string, filter: DeadLetterFilter) =>
  and(eq(deadLetterRecords.integrationId, integrationId), ...conditions(false, filter));

const noProgress: JobRow["progress"] = { total: 0, passed: 0, failed: 0 };

async function progress(db: Database, id: string): Promise<JobRow["progress"]> {
  return (await progressOf(db, [id])).get(id) ?? noProgress;
}

/** By job, in one statement for all of them; left out: jobs of no dead letters. */
async function progressOf(db: Database, ids: readonly string[]): Promise<Map<string, JobRow["progress"]>> {
  const rows = await db.query<JobRow["progress"] & { readonly job_id: string }>(
    `select job_id, count(*) as total, count(*) filter (where state = 'passed') as passed,
            count(*) filter (where state = 'failed') as failed
       from sluice.dead_letter_replays where job_id = any($1::uuid[]) group by job_id`,
    [ids],
  );
  return new Map(rows.map(({ job_id, ...counts }) => [job_id, counts]));
}

/** What was not replayed is free for other jobs. */
async function release(tx: Database, id: string): Promise<void> {
  await tx.query("update sluice.dead_letter_replays set state = 'left' where job_id = $1 and state = 'open'", [id]);
}

interface LetterRow
  extends Pick<ReplayLetter, "id" | "step" | "destination" | "child" | "source" | "raw" | "corrected"> {
  readonly position_base: string;
  readonly position_ordinal: number;
  readonly record_id: string;
  readonly integration_version: number;
  readonly state: string | null;
}

function toLetter(row: LetterRow, open: boolean): ReplayLetter {
  const { id, step, destination, child, source, raw, corrected, state } = row;
  const { position_base, position_ordinal, record_id, integration_version: integrationVersion } = row;
  const known = { id, integrationVersion, step, destination, child, source, raw, corrected, state };
  return { ...known, recordId: record_id, position: { base: position_base, ordinal: position_ordinal }, open };
}
