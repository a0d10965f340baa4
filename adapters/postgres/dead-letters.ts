import type { SQL } from "drizzle-orm";
import type { Json } from "../../connectors/sdk/index.ts";
import type { Caller } from "../../runtime/ports/identity.ts";
import type { DeadLetterFilter, DeadLetterGroup } from "../../runtime/ports/replays.ts";
import type { DeadLetterRow, DeadLetterStore, Page, PageOptions } from "../../runtime/ports/store.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { audit, isOfOwn } from "./audit.ts";
import { clean } from "./clean.ts";
import type { Database } from "./database.ts";
import { and, eq, getTableColumns, gte, inArray, lte, sql } from "./drizzle.ts";
import { withOriginals } from "./originals.ts";
import { idAt, isUuid, jsonCursor, readJsonCursor, type SortKey, sorted } from "./paging.ts";
import { deadLetterRecords } from "./schema.ts";

// Lists never carry payloads.
const { payload, raw, state, corrected, rawOf, stateOf, ...listed } = getTableColumns(deadLetterRecords);

const sortKeys: Readonly<Record<string, SortKey<DeadLetterRow>>> = {
  last_attempted_at: {
    column: deadLetterRecords.lastAttemptedAt,
    type: "timestamptz",
    value: ({ lastAttemptedAt }) => lastAttemptedAt.toISOString(),
  },
};

export function deadLetterStore(db: Database, caller: Caller | null): DeadLetterStore {
  const own = isOfOwn(db, deadLetterRecords.integrationId, caller);
  return {
    async get(id) {
      if (!isUuid(id)) return null;
      const [row] = await db.orm
        .select()
        .from(deadLetterRecords)
        .where(and(eq(deadLetterRecords.id, id), own));
      if (row === undefined) return null;
      const [whole] = await withOriginals(db, [row]);
      const { payload = null, raw, state, corrected } = whole!;
      return { ...toDeadLetter(row), payload, raw, state: parsed(state), corrected: parsed(corrected) };
    },

    async list(integrationId, options) {
      const { resolved, filter = {} } = options;
      if (!isUuid(integrationId) || !isPossible(filter)) return { items: [], nextCursor: null };
      const { where, orderBy, page } = sorted<DeadLetterRow>(options, deadLetterRecords.id, sortKeys);
      const rows = await db.orm
        .select(listed)
        .from(deadLetterRecords)
        .where(and(eq(deadLetterRecords.integrationId, integrationId), own, where, ...conditions(resolved, filter)))
        .orderBy(...orderBy)
        .limit(options.limit + 1);
      return page(rows.map(toDeadLetter));
    },

    async groups(integrationId, { resolved = false, filter = {}, ...options }) {
      if (!isUuid(integrationId) || !isPossible(filter)) return { items: [], nextCursor: null };
      const { texts, values } = textConditions(filter, 7);
      const which = [`integration_id = $6 and ${resolved ? "" : "not "}resolved`, ...texts].join(" and ");
      return grouped(db, caller, which, [integrationId, ...values], options);
    },

    async errorsOf(runId, options) {
      if (!isUuid(runId)) return { items: [], nextCursor: null };
      // The days before the run are left out by their ids, which were made about then.
      const from = idAt(Number.parseInt(runId.replace("-", "").slice(0, 12), 16) - 86_400_000);
      return grouped(db, caller, "run_id = $6 and letter.id >= $7", [runId, from], options);
    },

    async correct(id, payload, actor, versions = null) {
      const text = payload === null ? null : JSON.stringify(payload);
      return changed(
        db,
        caller,
        `update sluice.dead_letter_records as letter
            set version = letter.version + 1, corrected = $2, corrected_at = case when $2::text is null then null else now() end,
                corrected_by = case when $2::text is null then null else $3 end`,
        [id, text, actor],
        versions,
      );
    },

    async discard(id, reason, actor, versions = null) {
      return changed(
        db,
        caller,
        `update sluice.dead_letter_records as letter
            set version = letter.version + 1, resolved = true, resolution = 'discarded', resolution_reason = $2, resolved_at = now(),
                resolved_by = $3`,
        [id, clean(reason), actor],
        versions,
      );
    },

    async depths() {
      const rows = await db.query<{ id: string; depth: number }>(
        "select integration_id as id, count(*) as depth from sluice.dead_letter_records where not resolved group by 1",
      );
      return new Map(rows.map(({ id, depth }) => [id, depth]));
    },
  };
}

/** What the filter says, as conditions. */
export function conditions(resolved: boolean | null, filter: DeadLetterFilter): SQL[] {
  const { code, step, destination, runId, fingerprint, since, until, recordId, ids } = filter;
  const table = deadLetterRecords;
  const given: (SQL | false)[] = [
    // As the partial indexes say it.
    resolved !== null && (resolved ? sql`resolved` : sql`not resolved`),
    code !== undefined && eq(table.code, code),
    step !== undefined && eq(table.step, step),
    destination !== undefined && eq(table.destination, destination),
    runId !== undefined && eq(table.runId, runId),
    fingerprint !== undefined && eq(table.fingerprint, fingerprint),
    recordId !== undefined && eq(table.recordId, recordId),
    since !== undefined && gte(table.lastAttemptedAt, since),
    until !== undefined && lte(table.lastAttemptedAt, until),
    ids !== undefined && inArray(table.id, [...ids]),
  ];
  return given.filter((condition) => condition !== false);
}

/** The same as text, whose parameters begin with that number. */
function textConditions(
  { code, step, destination, runId, fingerprint, since, until, recordId }: DeadLetterFilter,
  from: number,
) {
  const given = [
    ["code =", code],
    ["step =", step],
    ["destination =", destination],
    ["run_id =", runId],
    ["fingerprint =", fingerprint],
    ["record_id =", recordId],
    ["last_attempted_at >=", since],
    ["last_attempted_at <=", until],
  ].filter(([, value]) => value !== undefined) as [string, string | Date][];
  return { texts: given.map(([is], at) => `${is} $${from + at}`), values: given.map(([, value]) => value) };
}

/** Dead letters that failed alike as one row each. `which`: of `values`, the first of which is $6. */
async function grouped(
  db: Database,
  caller: Caller | null,
  which: string,
  values: readonly (string | Date)[],
  options: PageOptions,
): Promise<Page<DeadLetterGroup>> {
  const after = readJsonCursor(options, isGroupCursor);
  // Later pages count what there was at the first one: what is added meanwhile would move groups between pages.
  const rows = await db.query<GroupRow & { readonly upTo: string }>(
    `select groups.*, example.* from (
       select fingerprint, count(*) as count, min(first_failed_at) as first, max(last_attempted_at) as last,
              min(integration_version) as "firstVersion", max(integration_version) as "lastVersion",
              bound.id as "upTo"
         from sluice.dead_letter_records as letter,
              (select coalesce($3::uuid, (select id from sluice.dead_letter_records as letter
                 where ${which} order by id desc limit 1)) as id) as bound
        where ${which} and letter.id <= bound.id and ${ofOwn("$2")}
        group by fingerprint, bound.id
       having $4::bigint is null or count(*) < $4 or (count(*) = $4 and fingerprint > $5::text)
        order by count desc, fingerprint limit $1) as groups,
       lateral (select id, code, message, step, destination, rule from sluice.dead_letter_records as letter
         where ${which} and fingerprint = groups.fingerprint and id <= groups."upTo"
         order by id desc limit 1) as example
      order by groups.count desc, groups.fingerprint`,
    [options.limit + 1, caller?.owner ?? null, ...(after ?? [null, null, null]), ...values],
  );
  const items = rows.slice(0, options.limit);
  const last = items.at(-1);
  const more = rows.length > options.limit && last !== undefined;
  return {
    items: items.map(({ upTo, ...row }) => toGroup(row)),
    nextCursor: more ? jsonCursor([last.upTo, last.count, last.fingerprint]) : null,
  };
}

/** Whether anything can have what it asks for: Postgres compares no id with what is none, and knows no NUL. */
export function isPossible({ runId, ids, step, destination, fingerprint, recordId }: DeadLetterFilter): boolean {
  const texts = [step, destination, fingerprint, recordId].every((text) => !text?.includes("\0"));
  return texts && (runId === undefined || isUuid(runId)) && (ids?.every(isUuid) ?? true);
}

/** What of a dead letter that changes is told in the audit log: of a payload, whether there is one. */
interface Told {
  readonly corrected: boolean;
  readonly corrected_by: string | null;
  readonly resolution: string | null;
  readonly resolution_reason: string | null;
  readonly version: number;
}

const toldColumns = `corrected is not null as corrected, corrected_by, resolution, resolution_reason, version`;

/** Of a dead letter that nobody else has in hand. */
async function changed(
  db: Database,
  caller: Caller | null,
  update: string,
  values: readonly [id: string, value: string | null, actor: string],
  versions: readonly number[] | null,
) {
  const [id] = values;
  if (!isUuid(id)) return false;
  return db.transaction(async (tx) => {
    const [before] = await tx.query<Told>(
      `select ${toldColumns} from sluice.dead_letter_records where id = $1 for update`,
      [id],
    );
    const rows = await tx.query<Told & { readonly resolved: boolean }>(
      `${update} where id = $1 and not resolved and ${ofOwn("$4")} and ($5::int[] is null or version = any($5))
         and not exists
         (select 1 from sluice.dead_letter_replays where dead_letter_id = letter.id and state = 'open')
       returning resolved, ${toldColumns}`,
      [...values, caller?.owner ?? null, versions && [...versions]],
    );
    const [row] = rows;
    if (row === undefined || before === undefined) return false;
    const { resolved, ...after } = row;
    const action = resolved ? "dead_letter.discarded" : "dead_letter.corrected";
    await audit(tx, caller, action, { id }, { before: { ...before }, after });
    return true;
  });
}

/** That a row is of an integration of the team that a parameter names; null: of any. */
export function ofOwn(parameter: string): string {
  return `(${parameter}::text is null or integration_id in (select id from sluice.integrations where owner = ${parameter}))`;
}

/** The newest dead letter at the first page; count and fingerprint of the last group before the page. */
type GroupCursor = readonly [upTo: string, count: number, fingerprint: string];

function isGroupCursor(value: unknown): value is GroupCursor {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [upTo, count, fingerprint] = value as unknown[];
  const texts = typeof upTo === "string" && isUuid(upTo) && typeof fingerprint === "string";
  return texts && Number.isSafeInteger(count) && !fingerprint.includes("\0") && fingerprint.isWellFormed();
}

interface GroupRow {
  readonly fingerprint: string;
  readonly count: number;
  readonly first: Date;
  readonly last: Date;
  readonly firstVersion: number;
  readonly lastVersion: number;
  readonly id: string;
  readonly code: DeadLetterRow["code"];
  readonly message: string;
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
}

function toGroup(row: GroupRow): DeadLetterGroup {
  const { fingerprint, count, first, last, firstVersion, lastVersion, ...example } = row;
  return { fingerprint, count, firstFailedAt: first, lastAttemptedAt: last, firstVersion, lastVersion, example };
}

type Listed = Omit<
  typeof deadLetterRecords.$inferSelect,
  "payload" | "raw" | "state" | "corrected" | "rawOf" | "stateOf"
>;

function toDeadLetter(row: Listed): DeadLetterRow {
  return {
    id: row.id,
    runId: row.runId,
    integrationId: row.integrationId,
    integrationVersion: row.integrationVersion,
    recordId: row.recordId,
    step: row.step,
    destination: row.destination,
    rule: row.rule,
    code: row.code,
    message: row.message,
    position: { base: row.positionBase, ordinal: row.positionOrdinal },
    attempts: row.attempts,
    errors: row.errors,
    firstFailedAt: row.firstFailedAt,
    lastAttemptedAt: row.lastAttemptedAt,
    fingerprint: row.fingerprint,
    traceId: row.traceId,
    correlation: row.correlation,
    correctedAt: row.correctedAt,
    correctedBy: row.correctedBy,
    resolved: row.resolved,
    resolution: row.resolution,
    resolutionReason: row.resolutionReason,
    resolvedAt: row.resolvedAt,
    resolvedBy: row.resolvedBy,
    resolvedRunId: row.resolvedRunId,
    version: row.version,
  };
}

/** What a step left behind as a JSON value; null where it is none. */
function parsed(text: string | null): Json {
  try {
    return text === null ? null : parseJson(text);
  } catch {
    return null;
  }
}
