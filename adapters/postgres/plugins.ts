import type { Caller } from "../../runtime/ports/identity.ts";
import type { PluginRow, PluginStore, TypeDescription } from "../../runtime/ports/plugins.ts";
import { StaleVersionError } from "../../runtime/ports/store.ts";
import { audit } from "./audit.ts";
import type { Database } from "./database.ts";
import { and, asc, eq, sql } from "./drizzle.ts";
import { named, sorted } from "./paging.ts";
import { plugins } from "./schema.ts";

export function pluginStore(db: Database, caller: Caller | null): PluginStore {
  return {
    create: (row) =>
      db.transaction(async (tx) => {
        const [made] = await tx.orm
          .insert(plugins)
          .values({ ...row, ...served(row.serves) })
          .returning();
        await audit(tx, caller, "plugin.created", made!, { after: told(made!) });
        return toRow(made!);
      }),

    update: (id, { spec, sealed, serves }, version) =>
      db.transaction(async (tx) => {
        const [current] = await tx.orm.select().from(plugins).where(eq(plugins.id, id)).for("update");
        if (current === undefined) return null;
        if (current.version !== version) throw new StaleVersionError(current.version);
        const [row] = await tx.orm
          .update(plugins)
          .set({ spec, sealed, ...served(serves), version: version + 1, updatedAt: sql`now()` })
          .where(eq(plugins.id, id))
          .returning();
        await audit(tx, caller, "plugin.updated", row!, { before: told(current), after: told(row!) });
        return toRow(row!);
      }),

    async describe(id, version, serves) {
      const rows = await db.orm
        .update(plugins)
        .set(served(serves))
        .where(and(eq(plugins.id, id), eq(plugins.version, version)))
        .returning({ id: plugins.id });
      return rows.length > 0;
    },

    async reseal(id, before, after) {
      const same = and(eq(plugins.id, id), eq(plugins.sealed, before));
      return (await db.orm.update(plugins).set({ sealed: after }).where(same).returning({ id: plugins.id })).length > 0;
    },

    async byName(name) {
      const [row] = await db.orm.select().from(plugins).where(eq(plugins.name, name));
      return row === undefined ? null : toRow(row);
    },

    async all() {
      // They are the platform's, which a team sees nothing of.
      if (caller !== null && caller.owner !== null) return [];
      return (await db.orm.select().from(plugins).orderBy(asc(plugins.name))).map(toRow);
    },

    async list(options) {
      if (caller !== null && caller.owner !== null) return { items: [], nextCursor: null };
      const { where, orderBy, page } = sorted<PluginRow>(options, plugins.id, named(plugins));
      const rows = await db.orm
        .select()
        .from(plugins)
        .where(where)
        .orderBy(...orderBy)
        .limit(options.limit + 1);
      return page(rows.map(toRow));
    },

    remove: (id) =>
      db.transaction(async (tx) => {
        const [removed] = await tx.orm.delete(plugins).where(eq(plugins.id, id)).returning();
        if (removed) await audit(tx, caller, "plugin.removed", removed, { before: told(removed) });
        return removed !== undefined;
      }),
  };
}

/** Of the secrets only whether there are any. */
function told({ name, spec, type, typeVersion, version, sealed }: typeof plugins.$inferSelect) {
  return { name, spec, type, type_version: typeVersion, version, has_secrets: sealed !== null };
}

const served = (serves: TypeDescription | null) => ({
  serves,
  type: serves?.type ?? null,
  typeVersion: serves?.version ?? null,
});

function toRow({ type: _, typeVersion: __, ...row }: typeof plugins.$inferSelect): PluginRow {
  return row;
}
