import { fileURLToPath } from "node:url";
import pg from "pg";
import { SluiceError } from "../../runtime/errors/index.ts";
import { readMigrationFiles } from "./drizzle.ts";
import { translateAtStart } from "./errors.ts";
import { locks } from "./locks.ts";

const folder = fileURLToPath(new URL("./migrations", import.meta.url));

/**
 * Brings the database to this program's schema, in one transaction under a lock, so that nodes that start together
 * wait for each other. Throws SluiceError: UNAVAILABLE where the server is away, CONFLICT where it was migrated by a
 * newer program or does not suit.
 */
export async function migrate(url: string): Promise<void> {
  const client = await connectOrCreate(url).catch((error: unknown) => {
    throw translateAtStart(error);
  });
  try {
    await client.query("begin");
    await client.query("select pg_advisory_xact_lock($1, 0)", [locks.migrate]);
    await refuseUnsuitable(client);
    const applied = await appliedMigrations(client);
    const migrations = readMigrationFiles({ migrationsFolder: folder });
    const known = new Set(migrations.map(({ folderMillis }) => folderMillis));
    const unknown = applied.filter((migration) => !known.has(migration));
    if (unknown.length > 0) {
      throw new SluiceError(
        "CONFLICT",
        `the database was migrated by a newer sluice (${unknown.length} of its ${applied.length} migrations are unknown here): upgrade this one, or use another database`,
      );
    }
    for (const { folderMillis, sql } of migrations.filter((migration) => !applied.includes(migration.folderMillis))) {
      for (const statement of sql) await client.query(statement);
      await client.query(
        "create table if not exists sluice.migrations (id bigint primary key, applied_at timestamptz not null default now())",
      );
      await client.query("insert into sluice.migrations (id) values ($1)", [folderMillis]);
    }
    await client.query("commit");
  } catch (error) {
    throw translateAtStart(error);
  } finally {
    await client.end();
  }
}

/** By the time they were generated at, which the journal keeps: unlike a hash it survives another line ending. */
async function appliedMigrations(client: pg.Client): Promise<number[]> {
  const { rows } = await client.query("select to_regclass('sluice.migrations') is not null as migrated");
  if (!rows[0].migrated) return [];
  return (await client.query("select id from sluice.migrations")).rows.map((row) => Number(row.id));
}

async function refuseUnsuitable(client: pg.Client): Promise<void> {
  const { rows } = await client.query(
    "select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding",
  );
  const { version, encoding } = rows[0];
  if (version < 140_000) {
    throw new SluiceError("CONFLICT", `Postgres ${Math.floor(version / 10_000)} is too old: 14 or later is needed`);
  }
  if (encoding !== "UTF8") {
    throw new SluiceError("CONFLICT", `the database's encoding is ${encoding}: one in UTF8 is needed`);
  }
}

/** Connects; where the database of the URL does not exist, makes it first, if the user may. */
async function connectOrCreate(url: string): Promise<pg.Client> {
  try {
    return await connect(url);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== "3D000") throw error;
  }
  const admin = new URL(url);
  const name = decodeURIComponent(admin.pathname.slice(1));
  admin.pathname = "/postgres";
  const client = await connect(admin.href);
  try {
    await client.query(`create database ${pg.escapeIdentifier(name)} encoding 'UTF8' template template0`);
  } catch (error) {
    const code = error instanceof pg.DatabaseError ? error.code : undefined;
    if (code === "42501") {
      throw new SluiceError(
        "CONFLICT",
        `there is no database "${name}", and the user may not create it: create it by hand`,
      );
    }
    // Another node was faster: 42P04 after it, 23505 at the same time.
    if (code !== "42P04" && code !== "23505") throw error;
  } finally {
    await client.end();
  }
  return connect(url);
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: "sluice", connectionTimeoutMillis: 5_000 });
  // Its loss fails the statement under way, or the next one.
  client.on("error", () => {});
  await client.connect();
  return client;
}
