import { and, desc, eq, getTableColumns, lt } from "drizzle-orm";
import type { Json } from "../../connectors/sdk/index.ts";
import type { DeadLetterRow, DeadLetterStore } from "../../runtime/ports/store.ts";
import { parseJson } from "../../runtime/record/index.ts";
import type { Database } from "./database.ts";
import { isUuid, pageOf, pageStart } from "./paging.ts";
import { deadLetterRecords } from "./schema.ts";

// Lists never carry payloads.
const { payload, raw, state, ...listed } = getTableColumns(deadLetterRecords);

export function deadLetterStore(db: Database): DeadLetterStore {
  return {
    async get(id) {
      if (!isUuid(id)) return null;
      const [row] = await db.orm.select().from(deadLetterRecords).where(eq(deadLetterRecords.id, id));
      if (row === undefined) return null;
      return { ...toDeadLetter(row), payload: row.payload, raw: row.raw, state: parsed(row.state) };
    },

    async list(integrationId, options) {
      if (!isUuid(integrationId)) return { items: [], nextCursor: null };
      const before = pageStart(options);
      const rows = await db.orm
        .select(listed)
        .from(deadLetterRecords)
        .where(
          and(
            eq(deadLetterRecords.integrationId, integrationId),
            options.resolved === null ? undefined : eq(deadLetterRecords.resolved, options.resolved),
            before === undefined ? undefined : lt(deadLetterRecords.id, before),
          ),
        )
        .orderBy(desc(deadLetterRecords.id))
        .limit(options.limit + 1);
      return pageOf(rows.map(toDeadLetter), options);
    },

    async depths() {
      const rows = await db.query<{ id: string; depth: number }>(
        "select integration_id as id, count(*) as depth from sluice.dead_letter_records where not resolved group by 1",
      );
      return new Map(rows.map(({ id, depth }) => [id, depth]));
    },
  };
}

type Listed = Omit<typeof deadLetterRecords.$inferSelect, "payload" | "raw" | "state">;

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
    firstFailedAt: row.firstFailedAt,
    lastAttemptedAt: row.lastAttemptedAt,
    fingerprint: row.fingerprint,
    traceId: row.traceId,
    resolved: row.resolved,
    resolution: row.resolution,
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
