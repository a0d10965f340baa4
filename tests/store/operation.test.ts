import { readdirSync } from "node:fs";
import { generateDrizzleJson, generateMigration } from "drizzle-kit/api";
import { is } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { freePort, startPostgres } from "../../adapters/embedded/index.ts";
import { openStore, type PostgresStore } from "../../adapters/postgres/index.ts";
import * as schema from "../../adapters/postgres/schema.ts";
import type { SluiceError } from "../../runtime/errors/index.ts";
import { uniqueName } from "../support/servers.ts";
import { tempDir } from "../support/temp-dir.ts";
import { addIntegration, addRun, deadLetter, newStore, noCounts, settlement, uuidV7 } from "./fixtures.ts";
import { sql } from "./sql.ts";
import { type TestServer, testServer, withPath } from "./test-server.ts";

let server: TestServer;
beforeAll(() => {
  server = testServer();
});
afterAll(() => server.remove());

const day = 86_400_000;
const partitionsOf = (url: string, table: string) =>
  sql<{ name: string; rows: number }>(
    url,
    `select relname as name, (xpath('/row/n/text()', query_to_xml('select count(*) as n from sluice.' || relname, false, true, '')))[1]::text::int as rows
       from pg_inherits join pg_class on oid = inhrelid where inhparent = 'sluice.${table}'::regclass order by 1`,
  );

const dateOf = (at: number) => new Date(at).toISOString().slice(0, 10).replaceAll("-", "");

test("a database that does not exist is made, and nodes that start together migrate it once", async () => {
  const url = await server.url("missing");
  const stores = await Promise.all([1, 2, 3, 4].map(() => openStore({ url })));
  await Promise.all(stores.map((store) => store.ping()));
  const files = readdirSync(new URL("../../adapters/postgres/migrations", import.meta.url)).filter((f) =>
    f.endsWith(".sql"),
  );
  expect(await sql(url, "select id from sluice.migrations")).toHaveLength(files.length);
  await Promise.all(stores.map((store) => store.close()));
});

test("all objects stand in the schema sluice", async () => {
  const url = await server.url();
  await (await openStore({ url })).close();
  const others = await sql(
    url,
    `select relname from pg_class join pg_namespace n on n.oid = relnamespace
      where nspname not in ('sluice', 'pg_catalog', 'information_schema', 'pg_toast')`,
  );
  expect(others).toEqual([]);
});

test("a database that a newer sluice has migrated is refused, and left as it is", async () => {
  const url = await server.url();
  await (await openStore({ url })).close();
  await sql(url, "insert into sluice.migrations (id) values (99999999999999)");
  await expect(openStore({ url })).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringContaining("the database was migrated by a newer sluice"),
  });
});

test("a user who may not create the database is told to do it by hand", async () => {
  const role = uniqueName("modest");
  await server.administer(`create role ${role} login password 'x'`);
  const url = new URL(await server.url("missing"));
  [url.username, url.password] = [role, "x"];
  await expect(openStore({ url: url.href })).rejects.toThrow(
    /there is no database ".*", and the user may not create it/,
  );
  await server.administer(`drop role ${role}`);
});

test("a database in another encoding is refused", async () => {
  const url = await server.url("missing");
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  await server.administer(`create database "${name}" encoding 'LATIN1' locale 'C' template template0`);
  await expect(openStore({ url })).rejects.toThrow(/encoding is LATIN1/);
});

test("a server that is not there is UNAVAILABLE with its address", async () => {
  const url = "postgres://postgres@127.0.0.1:1/sluice";
  await expect(openStore({ url })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: "the database is away: connect ECONNREFUSED 127.0.0.1:1",
  });
});

test("a wrong password is UNAUTHORIZED, and a URL that is none is refused without being quoted", async () => {
  const url = new URL(await server.url());
  url.password = "hunter2";
  await expect(openStore({ url: url.href })).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  for (const wrong of ["hunter2", "http://sluice:hunter2@127.0.0.1/x", "postgres://sluice:hunter2@127.0.0.1:x/y"]) {
    const error: unknown = await openStore({ url: wrong }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "VALIDATION_ERROR" });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("hunter2");
  }
});

test("a password that is changed while a node runs is no refusal of its callers, who are not told the user's name", async () => {
  const role = uniqueName("rotated");
  await server.administer(`create role ${role} superuser login password 'x'`);
  const ours = await server.url();
  const url = new URL(ours);
  [url.username, url.password] = [role, "x"];
  const store = await openStore({ url: url.href });
  await server.administer(`alter role ${role} password 'y'`);
  await server.administer(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`);
  const refusal = () =>
    store.apiKeys.byHash(new Uint8Array(32)).then(
      () => null,
      ({ code, message, cause }: SluiceError) => ({ code, message, sqlState: (cause as { code?: string }).code }),
    );
  await expect
    .poll(refusal, { timeout: 60_000 })
    .toEqual({ code: "UNAVAILABLE", message: "the database is away", sqlState: "28P01" });
  await store.close();
  await sql(ours, `reassign owned by ${role} to current_user`);
  await server.administer(`drop role ${role}`);
});

test("the migrations make what the schema says", async () => {
  const folder = new URL("../../adapters/postgres/migrations/meta/", import.meta.url);
  const latest = readdirSync(folder)
    .filter((name) => name.endsWith("_snapshot.json"))
    .toSorted()
    .at(-1)!;
  const { default: snapshot } = await import(new URL(latest, folder).href, { with: { type: "json" } });
  expect(await generateMigration(snapshot, generateDrizzleJson(schema, snapshot.id))).toEqual([]);

  // What was made anew for its partitions has the same columns and indexes as drizzle would have made.
  const url = await server.url();
  await (await openStore({ url })).close();
  for (const table of Object.values(schema).filter((it) => is(it, PgTable))) {
    const { name, columns, indexes } = getTableConfig(table);
    const made = await sql<{ column: string }>(
      url,
      `select attname || ' ' || format_type(atttypid, null) || case when attnotnull then ' not null' else '' end as column
         from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by 1`,
      [`sluice.${name}`],
    );
    // A serial is an integer with a default.
    const typeOf = (type: string) => type.replace("serial", "int");
    const wanted = columns.map(
      (c) => `${c.name} ${typeOf(c.getSQLType())}${c.notNull || c.primary ? " not null" : ""}`,
    );
    expect(
      made.map(({ column }) => column),
      name,
    ).toEqual(wanted.toSorted());
    const found = await sql<{ name: string }>(
      url,
      "select indexname as name from pg_indexes where schemaname = 'sluice' and tablename = $1",
      [name],
    );
    expect(
      found.map((index) => index.name),
      name,
    ).toEqual(expect.arrayContaining(indexes.map((index) => index.config.name)));
  }
});

test("runs and dead letters go to the partition of their day, and days past retention are dropped whole", async () => {
  const url = await server.url();
  const store = await openStore({ url, retentionDays: 90 });
  const integration = await addIntegration(store);
  const now = Date.now();
  const run = await addRun(store, integration);
  await store.checkpoints.commit([settlement(integration.id, { deadLetters: [deadLetter(run)] })]);
  for (const table of ["pipeline_runs", "dead_letter_records"]) {
    const partitions = await partitionsOf(url, table);
    expect(partitions).toHaveLength(9);
    expect(partitions.find(({ rows }) => rows === 1)!.name).toBe(`${table}_${dateOf(now)}`);
  }
  await store.maintain(new Date(now + 90 * day));
  expect(await store.runs.get(run.id)).not.toBeNull();
  await store.runs.finish(run.id, { status: "success", error: null, counts: noCounts });
  await store.maintain(new Date(now + 91 * day));
  expect(await store.runs.get(run.id)).toBeNull();
  expect((await store.deadLetters.list(integration.id, { limit: 1, cursor: null, resolved: null })).items).toEqual([]);
  expect((await partitionsOf(url, "pipeline_runs")).map(({ name }) => name)).not.toContain(
    `pipeline_runs_${dateOf(now)}`,
  );
  await store.close();
});

test("a node whose clock is far ahead drops nothing, and writes all the same", async () => {
  const url = await server.url();
  const store = await openStore({ url });
  const integration = await addIntegration(store);
  const run = await addRun(store, integration);
  const letter = deadLetter(run);
  await store.checkpoints.commit([settlement(integration.id, { deadLetters: [letter] })]);
  await store.runs.finish(run.id, { status: "success", error: null, counts: noCounts });
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 400 * day });
  try {
    const ahead = await openStore({ url });
    expect(await ahead.runs.get(run.id)).not.toBeNull();
    expect(await ahead.deadLetters.get(letter.id)).not.toBeNull();
    const later = await addRun(ahead, integration);
    expect(await ahead.runs.get(later.id)).not.toBeNull();
    await ahead.close();
  } finally {
    vi.useRealTimers();
  }
  await store.close();
});

test("notes of what was in hand at a death are kept for 30 days behind the last one", async () => {
  const url = await server.url();
  const store = await openStore({ url });
  const { id: integrationId } = await addIntegration(store);
  await store.suspects.take({ integrationId, marks: ["old", "again"] });
  await sql(url, "update sluice.suspects set taken_at = now() - interval '40 days'");
  await store.suspects.take({ integrationId, marks: ["again", "fresh"] });
  await store.maintain(new Date());
  expect((await store.suspects.left(integrationId, "")).toSorted()).toEqual(["again", "fresh"]);
  await store.maintain(new Date(Date.now() + 32 * day));
  expect(await store.suspects.left(integrationId, "")).toEqual([]);
  await store.close();
});

test("partitions are made while runs are written, and no write fails", async () => {
  const store = await newStore(server);
  const integration = await addIntegration(store);
  let maintained = false;
  const writing = (async () => {
    let written = 0;
    for (; !maintained; written++) await addRun(store, integration);
    return written;
  })();
  for (let n = 1; n <= 5; n++) await store.maintain(new Date(Date.now() + 10 * n * day));
  maintained = true;
  expect(await store.runs.running(integration.id)).toHaveLength(await writing);
  await store.close();
});

test("old fires are deleted, but never an integration's latest one, nor a batch that waits in the log for long", async () => {
  const url = await server.url();
  const store = await openStore({ url });
  const { id: integrationId, version: integrationVersion } = await addIntegration(store);
  const claim = await store.claims.put(integrationId, Buffer.from("x"));
  const instants = [1, 2, 3].map((n) => new Date(Math.floor(Date.now() / 1000) * 1000 - n * 1000));
  for (const instant of instants)
    await store.schedules.fire({ integrationId, integrationVersion, instant, overlap: "run", runId: uuidV7() });
  await store.maintain(new Date(Date.now() + 100 * day));
  expect(await store.schedules.lastFires()).toEqual(new Map([[integrationId, instants[0]]]));
  expect(await sql(url, "select 1 from sluice.scheduled_fires")).toHaveLength(1);
  expect(await store.claims.get(claim)).toEqual(Buffer.from("x"));
  expect(await store.claims.ids(integrationId)).toEqual([claim]);
  await store.close();
});

test("connections that are cut are an error to whoever uses them, and the next call gets a new one", async () => {
  const url = await server.url();
  const store: PostgresStore = await openStore({ url });
  await Promise.all(Array.from({ length: 5 }, () => store.ping()));
  const cut = () =>
    sql(
      url,
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sluice' and datname = current_database()",
    );
  const interrupted = store.transaction(async (tx) => {
    await tx.ping();
    await cut();
    await tx.ping();
  });
  await expect(interrupted).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect
    .poll(() =>
      store.ping().then(
        () => "answers",
        () => "fails",
      ),
    )
    .toBe("answers");
  await store.close();
});

test("while the server is away calls are UNAVAILABLE, and when it is back they work again", async () => {
  const options = { dataDir: tempDir(), port: await freePort() };
  const first = await startPostgres(options);
  const store = await openStore({ url: withPath(first.url, "") });
  // Without a database in the URL, it is called sluice.
  expect(await sql(withPath(first.url, "sluice"), "select 1 from sluice.migrations limit 1")).toHaveLength(1);
  const integration = await addIntegration(store);
  await first.stop();
  await expect(store.ping()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(store.checkpoints.commit([settlement(integration.id)])).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(store.integrations.all()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  const second = await startPostgres(options);
  await store.ping();
  expect(await store.checkpoints.commit([settlement(integration.id)])).toEqual({ stale: [] });
  await store.close();
  await second.stop();
});

test("a read that takes too long is stopped, and says so", async () => {
  const url = await server.url();
  const store = await openStore({ url, statementTimeoutMs: 100 });
  const client = new pg.Client(url);
  await client.connect();
  await client.query("begin; lock table sluice.connectors");
  await expect(store.connectors.list({ limit: 1, cursor: null })).rejects.toMatchObject({ code: "TIMEOUT" });
  await client.end();
  await store.close();
});
