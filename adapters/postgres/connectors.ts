import type { SQL } from "drizzle-orm";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import type { Caller } from "../../runtime/ports/identity.ts";
import { ConflictError, type ConnectorRow, type ConnectorStore, StaleVersionError } from "../../runtime/ports/store.ts";
import { audit, isOwn } from "./audit.ts";
import { addConnectorEvent } from "./connector-events.ts";
import type { Database } from "./database.ts";
import { and, eq, sql } from "./drizzle.ts";
import { isLike, isUuid, named, sorted } from "./paging.ts";
import { connectors, integrations } from "./schema.ts";
import { refuseTooMany } from "./too-many.ts";

export function connectorStore(db: Database, caller: Caller | null): ConnectorStore {
  const own = isOwn(connectors.owner, caller);
  return {
    create: (row) =>
      db.transaction(async (tx) => {
        await refuseTooMany(tx, connectors, "connectors");
        const owner = row.owner ?? caller?.owner ?? null;
        const [made] = await tx.orm
          .insert(connectors)
          .values({ ...row, owner })
          .returning();
        await addConnectorEvent(tx, "created", made!);
        await audit(tx, caller, "connector.created", made!, { after: told(made!) });
        return made!;
      }),

    update: (id, change, version) =>
      db.transaction(async (tx) => {
        const current = await locked(tx, id, own);
        if (current === undefined) return null;
        if (version !== undefined && version !== current.version) throw new StaleVersionError(current.version);
        if (change.name !== current.name) await refuseWhileUsed(tx, current.name, "renamed", caller);
        const { name, type, config, sealed } = change;
        const [row] = await tx.orm
          .update(connectors)
          .set({ name, type, config, sealed, version: current.version + 1, updatedAt: sql`now()` })
          .where(eq(connectors.id, id))
          .returning();
        const { config: before, sealed: sealedBefore } = current;
        await addConnectorEvent(tx, "updated", row!, { config: before, sealed: sealedBefore });
        await audit(tx, caller, "connector.updated", row!, { before: told(current), after: told(row!) });
        return row!;
      }),

    async reseal(id, before, after) {
      const same = and(eq(connectors.id, id), eq(connectors.sealed, before));
      const changed = await db.orm
        .update(connectors)
        .set({ sealed: after })
        .where(same)
        .returning({ id: connectors.id });
      return changed.length > 0;
    },

    async get(id) {
      if (!isUuid(id)) return null;
      const [row] = await db.orm
        .select()
        .from(connectors)
        .where(and(eq(connectors.id, id), own));
      return row ?? null;
    },

    async byName(name) {
      const [row] = await db.orm
        .select()
        .from(connectors)
        .where(and(eq(connectors.name, name), own));
      return row ?? null;
    },

    async list(options) {
      const { type } = options;
      const { where, orderBy, page } = sorted<ConnectorRow>(options, connectors.id, named(connectors));
      // Postgres knows no NUL, and no type has one.
      const ofType = type ? eq(connectors.type, type.replaceAll("\0", "\ufffd")) : undefined;
      const rows = await db.orm
        .select()
        .from(connectors)
        .where(and(own, where, isLike(connectors.name, options.search), ofType))
        .orderBy(...orderBy)
        .limit(options.limit + 1);
      return page(rows);
    },

    async versions() {
      const { name, version } = connectors;
      const rows = await db.orm.select({ name, version }).from(connectors);
      return new Map(rows.map((row) => [row.name, row.version]));
    },

    remove: (id, version) =>
      db.transaction(async (tx) => {
        const current = await locked(tx, id, own);
        if (current === undefined) return false;
        if (version !== undefined && version !== current.version) {
          throw new StaleVersionError(current.version);
        }
        await refuseWhileUsed(tx, current.name, "removed", caller);
        await tx.orm.delete(connectors).where(eq(connectors.id, id));
        await addConnectorEvent(tx, "deleted", current);
        await audit(tx, caller, "connector.removed", current, { before: told(current) });
        return true;
      }),
  };
}

async function locked(tx: Database, id: string, own: SQL | undefined): Promise<ConnectorRow | undefined> {
  if (!isUuid(id)) return undefined;
  const [row] = await tx.orm
    .select()
    .from(connectors)
    .where(and(eq(connectors.id, id), own))
    .for("update");
  return row;
}

/** Of the secrets only whether there are any. */
function told({ name, type, config, owner, version, sealed }: ConnectorRow) {
  return { name, type, config, owner, version, has_secrets: sealed !== null };
}

/** Names of the users that the caller may see; the others are counted. */
async function refuseWhileUsed(
  tx: Database,
  connector: string,
  what: "renamed" | "removed",
  caller: Caller | null,
): Promise<void> {
  const { name, spec } = integrations;
  const isSeen = sql<boolean>`${isOwn(integrations.owner, caller) ?? sql`true`}`;
  const all = await tx.orm.select({ name, spec, isSeen }).from(integrations);
  const users = all.filter(({ spec }) => connectorsOf(spec).includes(connector));
  if (users.length === 0) return;
  const named = users.filter(({ isSeen }) => isSeen).slice(0, 3);
  const others = users.length - named.length;
  const more = named.length === 0 ? `${others} ${others === 1 ? "integration" : "integrations"}` : `${others} more`;
  const list = [named.map((user) => user.name).join(", "), ...(others > 0 ? [more] : [])].filter((text) => text !== "");
  throw new ConflictError(`connector ${connector} cannot be ${what} while it is used by ${list.join(" and ")}`);
}

/** Names of the connectors that an integration (contract section 3) refers to. */
function connectorsOf(spec: JsonObject): Json[] {
  const users = [
    spec.source,
    spec.sources,
    spec.destination,
    spec.destinations,
    isObject(spec.pipeline_spec) ? spec.pipeline_spec.steps : undefined,
  ];
  return users
    .flat()
    .filter(isObject)
    .flatMap((user) => (user.connector === undefined ? [] : [user.connector]));
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
