import { and, desc, eq, getTableColumns, gte, inArray, lt, lte, type SQL, sql } from "drizzle-orm";
import type { Json } from "../../connectors/sdk/index.ts";
import type { Caller } from "../../runtime/ports/identity.ts";
import type { DeadLetterFilter, DeadLetterGroup } from "../../runtime/ports/replays.ts";
import type { DeadLetterRow, DeadLetterStore } from "../../runtime/ports/store.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { audit, isOfOwn } from "./audit.ts";
import { clean } from "./clean.ts";
import type { Database } from "./database.ts";
import { withOriginals } from "./originals.ts";
import { isUuid, jsonCursor, pageOf, pageStart, readJsonCursor } from "./paging.ts";
import { deadLetterRecords } from "./schema.ts";

// Lists never carry payloads.
const { payload, raw, state, corrected, rawOf, stateOf, ...listed } = getTableColumns(deadLetterRecords);

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
      const before = pageStart(options);
      const rows = await db.orm
        .select(listed)
        .from(deadLetterRecords)
        .where(
          and(
            eq(deadLetterRecords.integrationId, integrationId),
            own,
            before === undefined ? undefined : lt(deadLetterRecords.id, before),
            ...conditions(resolved, filter),
          ),
        )
        .orderBy(desc(deadLetterRecords.id))
        .limit(options.limit + 1);
      return pageOf(rows.map(toDeadLetter), options);
    },

    async groups(integrationId, options) {
      if (!isUuid(integrationId)) return { items: [], nextCursor: null };
      const after = readJsonCursor(options, isGroupCursor);
      // Later pages count what there was at the first one: what is added meanwhile would move groups between pages.
      const rows = await db.query<GroupRow & { readonly upTo: string }>(
        `select groups.*, example.* from (
           select fingerprint, count(*) as count, min(first_failed_at) as first, max(last_attempted_at) as last,
                  bound.id as "upTo"
             from sluice.dead_letter_records as letter,
                  (select coalesce($4::uuid, (select id from sluice.dead_letter_records
                     where integration_id = $1 and not resolved order by id desc limit 1)) as id) as bound
            where integration_id = $1 and not resolved and letter.id <= bound.id and ${ofOwn("$3")}
            group by fingerprint, bound.id
           having $5::bigint is null or count(*) < $5 or (count(*) = $5 and fingerprint > $6::text)
            order by count desc, fingerprint limit $2) as groups,
           lateral (select id, code, message, step, destination, rule from sluice.dead_letter_records
             where integration_id = $1 and not resolved and fingerprint = groups.fingerprint and id <= groups."upTo"
             order by id desc limit 1) as example
          order by groups.count desc, groups.fingerprint`,
        [integrationId, options.limit + 1, caller?.owner ?? null, ...(after ?? [null, null, null])],
      );
      const items = rows.slice(0, options.limit);
      const last = items.at(-1);
      const more = rows.length > options.limit && last !== undefined;
      return {
        items: items.map(({ upTo, ...row }) => toGroup(row)),
        nextCursor: more ? jsonCursor([last.upTo, last.count, last.fingerprint]) : null,
      };
    },

    async correct(id, payload, actor) {
      const text = payload === null ? null : JSON.stringify(payload);
      return changed(
        db,
        caller,
        `update sluice.dead_letter_records as letter
            set corrected = $2, corrected_at = case when $2::text is null then null else now() end,
                corrected_by = case when $2::text is null then null else $3 end`,
        [id, text, actor],
      );
    },

    async discard(id, reason, actor) {
      return changed(
        db,
        caller,
        `update sluice.dead_letter_records as letter
            set resolved = true, resolution = 'discarded', resolution_reason = $2, resolved_at = now(),
                resolved_by = $3`,
        [id, clean(reason), actor],
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
  const { code, step, destination, runId, fingerprint, since, until, ids } = filter;
  const table = deadLetterRecords;
  const given: (SQL | false)[] = [
    // As the partial indexes say it.
    resolved !== null && (resolved ? sql`resolved` : sql`not resolved`),
    code !== undefined && eq(table.code, code),
    step !== undefined && eq(table.step, step),
    destination !== undefined && eq(table.destination, destination),
    runId !== undefined && eq(table.runId, runId),
    fingerprint !== undefined && eq(table.fingerprint, fingerprint),
    since !== undefined && gte(table.lastAttemptedAt, since),
    until !== undefined && lte(table.lastAttemptedAt, until),
    ids !== undefined && inArray(table.id, [...ids]),
  ];
  return given.filter((condition) => condition !== false);
}

/** Whether anything can have what it asks for: Postgres compares no id with what is none, and knows no NUL. */
export function isPossible({ runId, ids, step, destination, fingerprint }: DeadLetterFilter): boolean {
  const texts = [step, destination, fingerprint].every((text) => !text?.includes("\0"));
  return texts && (runId === undefined || isUuid(runId)) && (ids?.every(isUuid) ?? true);
}

/** Of a dead letter that nobody else has in hand. */
async function changed(
  db: Database,
  caller: Caller | null,
  update: string,
  values: readonly [id: string, value: string | null, actor: string],
) {
  const [id] = values;
  if (!isUuid(id)) return false;
  return db.transaction(async (tx) => {
    const rows = await tx.query<{ resolved: boolean }>(
      `${update} where id = $1 and not resolved and ${ofOwn("$4")} and not exists
         (select 1 from sluice.dead_letter_replays where dead_letter_id = letter.id and state = 'open') returning resolved`,
      [...values, caller?.owner ?? null],
    );
    const [row] = rows;
    if (row) await audit(tx, caller, row.resolved ? "dead_letter.discarded" : "dead_letter.corrected", { id });
    return row !== undefined;
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
  readonly id: string;
  readonly code: DeadLetterRow["code"];
  readonly message: string;
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
}

function toGroup({ fingerprint, count, first, last, ...example }: GroupRow): DeadLetterGroup {
  return { fingerprint, count, firstFailedAt: first, lastAttemptedAt: last, example };
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
    attemptCount: row.attempts.length,
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
