import { redactedHookSecrets } from "../../runtime/config/index.ts";
import type { Caller } from "../../runtime/ports/identity.ts";
import { type IntegrationRow, type IntegrationStore, StaleVersionError } from "../../runtime/ports/store.ts";
import { audit, isOwn } from "./audit.ts";
import { clean } from "./clean.ts";
import type { Database } from "./database.ts";
import { and, asc, desc, eq, gt, inArray, lt, notExists, or, sql } from "./drizzle.ts";
import { lockRuns } from "./locks.ts";
import { overview } from "./overview.ts";
import { isLike, isUuid, jsonCursor, named, readJsonCursor, sorted } from "./paging.ts";
import { checkpointOwners, integrations, integrationVersions, pipelineRuns, removedIntegrations } from "./schema.ts";
import { refuseTooMany } from "./too-many.ts";

export function integrationStore(db: Database, caller: Caller | null): IntegrationStore {
  const own = isOwn(integrations.owner, caller);
  return {
    create: (row) =>
      db.transaction(async (tx) => {
        await refuseTooMany(tx, integrations, "integrations");
        const owner = row.owner ?? caller?.owner ?? null;
        const [made] = await tx.orm
          .insert(integrations)
          .values({ ...row, owner })
          .returning();
        await keepVersion(tx, made!, caller);
        await audit(tx, caller, "integration.created", made!, { after: told(made!) });
        return made!;
      }),

    update: (id, change, version) =>
      db.transaction(async (tx) => {
        if (!isUuid(id)) return null;
        const is = and(eq(integrations.id, id), own);
        const [current] = await tx.orm.select().from(integrations).where(is).for("no key update");
        if (current === undefined) return null;
        if (version !== undefined && version !== current.version) throw new StaleVersionError(current.version);
        const { name, spec, enabled } = change;
        const [row] = await tx.orm
          .update(integrations)
          .set({
            name,
            spec,
            enabled,
            version: current.version + 1,
            updatedAt: sql`now()`,
            health: sql`case ${integrations.health} when 'stopped' then 'ok' else ${integrations.health} end`,
            healthReason: sql`case ${integrations.health} when 'stopped' then null else ${integrations.healthReason} end`,
          })
          .where(is)
          .returning();
        await keepVersion(tx, row!, caller);
        await audit(tx, caller, "integration.updated", row!, { before: told(current), after: told(row!) });
        return row!;
      }),

    async get(id) {
      if (!isUuid(id)) return null;
      const [row] = await db.orm
        .select()
        .from(integrations)
        .where(and(eq(integrations.id, id), own));
      return row ?? null;
    },

    async byName(name) {
      const [row] = await db.orm
        .select()
        .from(integrations)
        .where(and(eq(integrations.name, name), own));
      return row ?? null;
    },

    async existing(texts) {
      const { id, name } = integrations;
      const isAmong = or(inArray(name, [...texts]), inArray(id, texts.filter(isUuid)));
      const rows = await db.orm.select({ id, name }).from(integrations).where(and(isAmong, own));
      const there = new Set(rows.flatMap((row) => [row.id, row.name]));
      return texts.filter((text) => there.has(text));
    },

    async version(id, version) {
      if (!isUuid(id)) return null;
      const { integrationId, ...then } = integrationVersions;
      const [row] = await db.orm
        .select({
          id: integrations.id,
          name: then.name,
          spec: then.spec,
          enabled: then.enabled,
          version: then.version,
          owner: integrations.owner,
          createdAt: integrations.createdAt,
          updatedAt: then.updatedAt,
          health: integrations.health,
          healthReason: integrations.healthReason,
          circuits: integrations.circuits,
          losses: integrations.losses,
          lossesSeen: integrations.lossesSeen,
        })
        .from(integrationVersions)
        .innerJoin(integrations, eq(integrations.id, integrationId))
        .where(and(eq(integrationId, id), eq(then.version, version), own));
      return row ?? null;
    },

    async versions(id, options) {
      const start = readJsonCursor(options, isVersion);
      if (!isUuid(id)) return { items: [], nextCursor: null };
      const { integrationId, version, name, enabled, updatedAt, changedBy } = integrationVersions;
      const { only, sort } = options;
      const [to, beyond] = sort === "version" ? [asc, gt] : [desc, lt];
      const rows = await db.orm
        .select({ version, name, enabled, createdAt: updatedAt, changedBy })
        .from(integrationVersions)
        .innerJoin(integrations, eq(integrations.id, integrationId))
        .where(
          and(
            eq(integrationId, id),
            own,
            start === undefined ? undefined : beyond(version, start),
            only === undefined ? undefined : eq(version, only),
          ),
        )
        .orderBy(to(version))
        .limit(options.limit + 1);
      const items = rows.slice(0, options.limit);
      return { items, nextCursor: rows.length > options.limit ? jsonCursor(items.at(-1)!.version) : null };
    },

    async list(options) {
      const { search, enabled = null, health = null } = options;
      const { where, orderBy, page } = sorted<IntegrationRow>(options, integrations.id, named(integrations));
      const filter = [
        isLike(integrations.name, search),
        enabled === null ? undefined : eq(integrations.enabled, enabled),
        health === null ? undefined : eq(integrations.health, health),
      ];
      const rows = await db.orm
        .select()
        .from(integrations)
        .where(and(own, where, ...filter))
        .orderBy(...orderBy)
        .limit(options.limit + 1);
      return page(rows);
    },

    async known(ids) {
      const rows = await db.orm
        .select({ id: integrations.id })
        .from(integrations)
        .where(and(inArray(integrations.id, ids.filter(isUuid)), own));
      return rows.map(({ id }) => id);
    },

    overview: (options) => overview(db, caller, options),

    all: () => db.orm.select().from(integrations).where(own).orderBy(integrations.id),

    async withText(text) {
      const { id, name, spec } = integrations;
      const holds = (column: typeof spec | typeof integrationVersions.spec) =>
        sql`strpos(${column}::text, ${text}) > 0`;
      const current = await db.orm
        .select({ id, name, spec })
        .from(integrations)
        .where(and(own, holds(spec)));
      const versions = await db.orm
        .select({ id, name, spec: integrationVersions.spec })
        .from(integrationVersions)
        .innerJoin(integrations, eq(id, integrationVersions.integrationId))
        .where(and(own, holds(integrationVersions.spec)));
      return [...current, ...versions];
    },

    reseal: (id, before, after) =>
      db.transaction(async (tx) => {
        let changed = 0;
        for (const [table, column] of [
          [integrations, integrations.id],
          [integrationVersions, integrationVersions.integrationId],
        ] as const) {
          const rows = await tx.orm
            .update(table)
            .set({ spec: sql`replace(${table.spec}::text, ${before}, ${after})::json` })
            .where(and(eq(column, id), sql`strpos(${table.spec}::text, ${before}) > 0`))
            .returning({ id: column });
          changed += rows.length;
        }
        return changed > 0;
      }),

    setHealth: async (id, epoch, { status, reason, circuits, losses }) => {
      const later = db.orm
        .select({ epoch: checkpointOwners.epoch })
        .from(checkpointOwners)
        .where(and(eq(checkpointOwners.integrationId, id), gt(checkpointOwners.epoch, epoch)));
      await db.orm
        .update(integrations)
        .set({ health: status, healthReason: clean(reason), circuits, losses })
        .where(and(eq(integrations.id, id), notExists(later)));
    },

    seeLosses: (id) =>
      db.transaction(async (tx) => {
        if (!isUuid(id)) return null;
        const [row] = await tx.orm
          .update(integrations)
          .set({ lossesSeen: sql`(${integrations.losses}->>'at')::bigint` })
          .where(and(eq(integrations.id, id), own))
          .returning();
        if (row === undefined) return null;
        await audit(tx, caller, "integration.losses_seen", row);
        return row;
      }),

    async removed(ids) {
      const rows = await db.orm
        .select({ id: removedIntegrations.id })
        .from(removedIntegrations)
        .where(inArray(removedIntegrations.id, [...ids]));
      return rows.map(({ id }) => id);
    },

    // Versions, checkpoints, cursor, claims and fires go with it; runs and dead letters are history, which retention
    // drops by the day. A run that is under way ends here: nobody is left to end it later.
    remove: (id, version) =>
      db.transaction(async (tx) => {
        if (!isUuid(id)) return false;
        await lockRuns(tx, id);
        const [removed] = await tx.orm
          .delete(integrations)
          .where(and(eq(integrations.id, id), own))
          .returning();
        if (removed === undefined) return false;
        if (version !== undefined && version !== removed.version) {
          throw new StaleVersionError(removed.version);
        }
        await audit(tx, caller, "integration.removed", removed, { before: told(removed) });
        await tx.orm.insert(removedIntegrations).values({ id }).onConflictDoNothing();
        await tx.orm
          .update(pipelineRuns)
          .set({ status: "cancelled", finishedAt: sql`now()`, waiting: null })
          .where(and(eq(pipelineRuns.integrationId, id), eq(pipelineRuns.status, "running")));
        return true;
      }),
  };
}

const isVersion = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) < 2 ** 31;

/** Without what is sealed. */
function told({ name, spec, enabled, owner, version }: IntegrationRow) {
  return { name, enabled, owner, version, ...redactedHookSecrets(spec) };
}

async function keepVersion(tx: Database, row: IntegrationRow, caller: Caller | null): Promise<void> {
  const { id: integrationId, version, name, spec, enabled, updatedAt } = row;
  const changedBy = caller?.name ?? null;
  await tx.orm
    .insert(integrationVersions)
    .values({ integrationId, version, name, spec, enabled, updatedAt, changedBy });
}
