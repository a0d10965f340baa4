import { randomUUIDv7 } from "node:crypto";
import type { SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { Json } from "../../connectors/sdk/index.ts";
import type { AuditRow, AuditStore, Caller } from "../../runtime/ports/identity.ts";
import type { Database } from "./database.ts";
import { day } from "./days.ts";
import { and, eq, gte, inArray, lt, or, sql } from "./drizzle.ts";
import { idAt, isUuid, notAfter, sorted } from "./paging.ts";
import { auditLog, integrations } from "./schema.ts";

/** What of a row is told in the audit log. */
type Told = { readonly [name: string]: unknown } | null;

/** Notes a change in the transaction that makes it; nothing where nobody asked for it. */
export async function audit(
  tx: Database,
  caller: Caller | null,
  action: string,
  resource: { readonly id: string | null; readonly name?: string | null },
  change: { readonly before?: Told; readonly after?: Told } = {},
): Promise<void> {
  if (caller === null) return;
  const { before = null, after = null } = change;
  await tx.orm.insert(auditLog).values({
    id: randomUUIDv7(),
    actor: caller.name,
    actorId: caller.id ?? null,
    owner: caller.owner,
    requestId: caller.requestId,
    action,
    resourceId: resource.id,
    resourceName: resource.name ?? null,
    before: before as Json,
    after: after as Json,
  });
}

/** That a row is the caller's. */
export function isOwn(column: PgColumn, caller: Caller | null): SQL | undefined {
  return caller === null || caller.owner === null ? undefined : eq(column, caller.owner);
}

/** That a row is of an integration that is the caller's. */
export function isOfOwn(db: Database, integrationId: PgColumn, caller: Caller | null): SQL | undefined {
  const own = isOwn(integrations.owner, caller);
  return own && inArray(integrationId, db.orm.select({ id: integrations.id }).from(integrations).where(own));
}

export function auditStore(db: Database, caller: Caller | null): AuditStore {
  return {
    note: (action, after) => audit(db, caller, action, { id: null }, { after }),

    async list(options) {
      const { resourceId, actor, actorId = null, action = null, since = null, until = null } = options;
      // Postgres knows no NUL, and nobody's name has one.
      const isNobody = [actor, actorId, action].some((text) => text?.includes("\0"));
      if (isNobody || (resourceId !== null && !isUuid(resourceId))) return { items: [], nextCursor: null };
      const { where, orderBy, page } = sorted<AuditRow>(options, auditLog.id);
      const rows = await db.orm
        .select()
        .from(auditLog)
        .where(
          and(
            isOwn(auditLog.owner, caller),
            resourceId === null ? undefined : eq(auditLog.resourceId, resourceId),
            actor === null ? undefined : eq(auditLog.actor, actor),
            actorId === null ? undefined : eq(auditLog.actorId, actorId),
            action === null
              ? undefined
              : or(eq(auditLog.action, action), sql`starts_with(${auditLog.action}, ${`${action}.`})`),
            // The months before and after are left out by their ids, which were made about then.
            since === null ? undefined : and(gte(auditLog.at, since), gte(auditLog.id, idAt(since.getTime() - day))),
            until === null
              ? undefined
              : and(notAfter(auditLog.at, until), lt(auditLog.id, idAt(until.getTime() + day))),
            where,
          ),
        )
        .orderBy(...orderBy)
        .limit(options.limit + 1);
      return page(rows);
    },
  };
}
