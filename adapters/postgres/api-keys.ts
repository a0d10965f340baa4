import type { ApiKeyRow, ApiKeyStore, Caller } from "../../runtime/ports/identity.ts";
import { audit, isOwn } from "./audit.ts";
import type { Database } from "./database.ts";
import { and, eq, gt, inArray, isNotNull, isNull, or, sql } from "./drizzle.ts";
import { isLike, isUuid, named, sorted } from "./paging.ts";
import { apiKeys } from "./schema.ts";

export function apiKeyStore(db: Database, caller: Caller | null): ApiKeyStore {
  const own = isOwn(apiKeys.owner, caller);
  const isValid = and(isNull(apiKeys.revokedAt), or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, sql`now()`)));
  return {
    create: (key) =>
      db.transaction(async (tx) => {
        const [row] = await tx.orm
          .insert(apiKeys)
          .values({ ...key, scopes: key.scopes && [...key.scopes], createdBy: caller?.name ?? null })
          .returning();
        const made = toKey(row!);
        await audit(tx, caller, "api_key.created", made, { after: { ...made } });
        return made;
      }),

    async ensure(key) {
      const made = await db.orm
        .insert(apiKeys)
        .values({ ...key, scopes: key.scopes && [...key.scopes] })
        .onConflictDoNothing()
        .returning({ id: apiKeys.id });
      return made.length > 0;
    },

    async byHash(hash) {
      const [row] = await db.orm
        .select()
        .from(apiKeys)
        .where(and(eq(apiKeys.hash, hash as Buffer), isValid));
      return row === undefined ? null : toKey(row);
    },

    async byHashes(hashes) {
      const wanted = hashes.map((hash) => Buffer.from(hash, "base64"));
      const rows = await db.orm
        .select()
        .from(apiKeys)
        .where(and(inArray(apiKeys.hash, wanted), isValid));
      return new Map(rows.map((row) => [Buffer.from(row.hash).toString("base64"), toKey(row)]));
    },

    async get(id) {
      if (!isUuid(id)) return null;
      const [row] = await db.orm
        .select()
        .from(apiKeys)
        .where(and(eq(apiKeys.id, id), own));
      return row === undefined ? null : toKey(row);
    },

    async list(options) {
      const { search, role = null, revoked = null } = options;
      // A name may stand twice, since keys are replaced.
      const { where, orderBy, page } = sorted<ApiKeyRow>(options, apiKeys.id, named(apiKeys));
      const filter = [
        isLike(apiKeys.name, search),
        role === null ? undefined : eq(apiKeys.role, role),
        revoked === null ? undefined : revoked ? isNotNull(apiKeys.revokedAt) : isNull(apiKeys.revokedAt),
      ];
      const rows = await db.orm
        .select()
        .from(apiKeys)
        .where(and(own, where, ...filter))
        .orderBy(...orderBy)
        .limit(options.limit + 1);
      return page(rows.map(toKey));
    },

    revoke: (id) =>
      db.transaction(async (tx) => {
        if (!isUuid(id)) return false;
        const [row] = await tx.orm
          .update(apiKeys)
          .set({ revokedAt: sql`now()` })
          .where(and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt), own))
          .returning();
        if (row === undefined) return false;
        const after = toKey(row);
        await audit(tx, caller, "api_key.revoked", row, { before: { ...after, revokedAt: null }, after: { ...after } });
        return true;
      }),

    async used(ids) {
      if (ids.length === 0) return;
      await db.orm
        .update(apiKeys)
        .set({ lastUsedAt: sql`now()` })
        .where(inArray(apiKeys.id, [...ids]));
    },
  };
}

function toKey({ hash: _, ...row }: typeof apiKeys.$inferSelect): ApiKeyRow {
  return row;
}
