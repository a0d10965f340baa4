import { hash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { SchemaStore, SchemaVersion, StreamKey } from "../../runtime/ports/store.ts";
import type { Database } from "./database.ts";
import { and, asc, desc, eq } from "./drizzle.ts";
import { isUuid } from "./paging.ts";
import { integrations, schemaDrift, sourceSchemas } from "./schema.ts";

export function schemaStore(db: Database): SchemaStore {
  return {
    current: (stream) => current(db, stream),

    add: (stream, schema) =>
      db.transaction(async (tx) => {
        // Versions of an integration's streams are counted up in turn; of one that was removed, nothing is kept.
        const [known] = await tx.orm
          .select({ id: integrations.id })
          .from(integrations)
          .where(eq(integrations.id, stream.integrationId))
          .for("no key update");
        if (known === undefined) return null;
        const latest = await current(tx, stream);
        if (latest !== null && isDeepStrictEqual(latest.schema, schema)) return latest.version;
        const version = (latest?.version ?? 0) + 1;
        await tx.orm.insert(sourceSchemas).values({ ...stream, version, schema });
        return version;
      }),

    async list(integrationId) {
      if (!isUuid(integrationId)) return [];
      const rows = await db.orm
        .select()
        .from(sourceSchemas)
        .where(eq(sourceSchemas.integrationId, integrationId))
        .orderBy(asc(sourceSchemas.connector), asc(sourceSchemas.stream), desc(sourceSchemas.version));
      return rows.map(toVersion);
    },

    async recordDrift(runId, { stream, version }, drift) {
      if (drift.length === 0) return;
      const { integrationId, connector, stream: name } = stream;
      const rows = drift.map((each) => ({
        integrationId,
        runId,
        fact: hash("sha256", JSON.stringify([connector, name, each]), "buffer"),
        connector,
        stream: name,
        version,
        drift: each,
      }));
      await db.orm.insert(schemaDrift).values(rows).onConflictDoNothing();
    },

    async drift(runId) {
      if (!isUuid(runId)) return [];
      const rows = await db.orm
        .select()
        .from(schemaDrift)
        .where(eq(schemaDrift.runId, runId))
        .orderBy(asc(schemaDrift.seenAt), asc(schemaDrift.fact));
      return rows.map(({ connector, stream, version, drift, seenAt }) => ({
        ...drift,
        connector,
        stream,
        version,
        seenAt,
      }));
    },
  };
}

async function current(db: Database, { integrationId, connector, stream }: StreamKey): Promise<SchemaVersion | null> {
  if (!isUuid(integrationId)) return null;
  const t = sourceSchemas;
  const [row] = await db.orm
    .select()
    .from(t)
    .where(and(eq(t.integrationId, integrationId), eq(t.connector, connector), eq(t.stream, stream)))
    .orderBy(desc(t.version))
    .limit(1);
  return row === undefined ? null : toVersion(row);
}

function toVersion(row: typeof sourceSchemas.$inferSelect): SchemaVersion {
  const { integrationId, connector, stream, version, schema, seenAt } = row;
  return { stream: { integrationId, connector, stream }, version, schema, seenAt };
}
