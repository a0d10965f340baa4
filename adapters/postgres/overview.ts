import type { Caller } from "../../runtime/ports/identity.ts";
import type { OverviewOptions, OverviewPage, OverviewRow, OverviewTotals } from "../../runtime/ports/store.ts";
import type { Database } from "./database.ts";
import { jsonCursor, readJsonCursor } from "./paging.ts";

/** What comes first, the smallest: rows of the same place are told apart by name. */
const places = { attention: "attention", name: "0", dead_letters: "-depth::int" } as const;

/** The caller's integrations with what says how they do, and the latest run of each; sorted and paged by the server. */
export async function overview(db: Database, caller: Caller | null, options: OverviewOptions): Promise<OverviewPage> {
  const { limit, sort, health, enabled, search, deadLetters } = options;
  const start = readJsonCursor(options, isStart);
  // By a range of one id, so that the server does not look for an integration without runs through all the runs there are.
  const found = await db.query<Found>(
    `with letters as materialized (
       select integration_id, count(*) as depth from sluice.dead_letter_records where not resolved group by 1
     ), ranked as materialized (
       select i.id, i.name, coalesce(depth, 0) as depth, enabled, health, circuits::text <> '{}' as open,
              case when not enabled then 6 when health = 'stopped' then 0 when health = 'degraded' then 1
                   when circuits::text <> '{}' then 2 when health = 'waiting' then 3 when depth > 0 then 4 else 5 end
                as attention
         from sluice.integrations i left join letters on integration_id = i.id
        where $1::text is null or owner = $1
     ), totals as (
       select count(*) as integrations, count(*) filter (where enabled) as enabled,
              count(*) filter (where enabled and health = 'ok') as ok,
              count(*) filter (where enabled and health = 'degraded') as degraded,
              count(*) filter (where enabled and health = 'stopped') as stopped,
              count(*) filter (where enabled and health = 'waiting') as waiting,
              count(*) filter (where open) as "circuitsOpen", count(*) filter (where depth > 0) as "withDeadLetters"
         from ranked
     ), page as (
       select id, name, depth, ${places[sort]} as place from ranked
        where ($2::text is null or health = $2) and ($3::bool is null or enabled = $3)
          and ($4::text is null or strpos(lower(name), lower($4)) > 0)
          and ($8::bool is null or (depth > 0) = $8)
          and ($6::int is null or (${places[sort]}, name) > ($6::int, $7::text))
        order by place, name limit $5
     )
     select row_to_json(totals) as totals, page.place, page.depth::int as "deadLetters", i.id, i.name, i.spec, i.enabled,
            i.version, i.owner, i.created_at as "createdAt", i.updated_at as "updatedAt", i.health,
            i.health_reason as "healthReason", i.circuits, run.id as "runId", run.status as "runStatus",
            run.started_at as "runStartedAt", run.finished_at as "runFinishedAt", run.records_failed as "runFailed"
       from totals left join page on true left join sluice.integrations i on i.id = page.id
       left join lateral (select id, status, started_at, finished_at, records_failed from sluice.pipeline_runs
         where integration_id between page.id and page.id order by integration_id desc, id desc limit 1) as run on true
      order by page.place, page.name`,
    [caller?.owner ?? null, health, enabled, search, limit + 1, ...(start ?? [null, null]), deadLetters],
  );
  const rows = found.filter((row): row is FoundRow => row.id !== null);
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    items: items.map(toOverview),
    nextCursor: more ? jsonCursor([last.place, last.name]) : null,
    totals: found[0]!.totals,
  };
}

type Start = readonly [place: number, name: string];

function isStart(value: unknown): value is Start {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [place, name] = value as unknown[];
  const isName = typeof name === "string" && !name.includes("\0") && name.isWellFormed();
  return isName && Number.isInteger(place) && Math.abs(place as number) < 2 ** 31;
}

type Integration = Omit<OverviewRow, "lastRun" | "deadLetters">;

interface FoundRow extends Integration {
  readonly totals: OverviewTotals;
  readonly place: number;
  readonly deadLetters: number;
  readonly runId: string | null;
  readonly runStatus: NonNullable<OverviewRow["lastRun"]>["status"];
  readonly runStartedAt: Date;
  readonly runFinishedAt: Date | null;
  readonly runFailed: number;
}

/** Without a page there is one row, of the totals alone. */
type Found = FoundRow | { readonly id: null; readonly totals: OverviewTotals };

function toOverview(row: FoundRow): OverviewRow {
  const { totals: _, place: __, runId, runStatus, runStartedAt, runFinishedAt, runFailed, ...integration } = row;
  const run = { status: runStatus, startedAt: runStartedAt, finishedAt: runFinishedAt, failed: runFailed };
  return { ...integration, lastRun: runId === null ? null : { id: runId, ...run } };
}
