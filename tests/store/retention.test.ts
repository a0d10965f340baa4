import { readMigrationFiles } from "drizzle-orm/migrator";
import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openStore, type PostgresStore } from "../../adapters/postgres/index.ts";
import { addIntegration, addRun, deadLetter, newStore, noCounts, settlement, uuidV7 } from "./fixtures.ts";
import { sql } from "./sql.ts";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeAll(() => {
  server = testServer();
});
afterAll(() => server.remove());

const day = 86_400_000;
const now = Date.now();
const later = (days: number) => new Date(now + days * day);
const nameOf = (table: string, at: number) => `${table}_${new Date(at).toISOString().slice(0, 10).replaceAll("-", "")}`;

const tablesOf = async (url: string, table: string) =>
  (
    await sql<{ name: string }>(
      url,
      "select relname as name from pg_class where relnamespace = 'sluice'::regnamespace and relkind = 'r' and relname like $1",
      [`${table}\\_2%`],
    )
  ).map(({ name }) => name);

/** Somebody who reads all runs and takes his time. */
async function slowReader(url: string): Promise<() => Promise<void>> {
  const client = new pg.Client(url);
  await client.connect();
  let open = true;
  const end = async () => {
    if (open) await client.end();
    open = false;
  };
  onTestFinished(end);
  await client.query("begin");
  await client.query("select count(*) from sluice.pipeline_runs");
  return end;
}

const finish = (store: PostgresStore, id: string) =>
  store.runs.finish(id, { status: "success", error: null, counts: noCounts });

/** Resolves when a drop waits for a reader. */
async function dropWaits(url: string): Promise<void> {
  const waiting =
    "select 1 from pg_stat_activity where datname = current_database() and query like 'alter table%concurrently' and wait_event_type = 'Lock'";
  await expect.poll(() => sql(url, waiting), { interval: 10 }).toHaveLength(1);
}

test("nobody waits while a day is dropped that somebody still reads", async () => {
  const url = await server.url();
  // However slow this machine is.
  const store = await openStore({ url, retentionDays: 10, dropTimeoutMs: 200_000 });
  const integration = await addIntegration(store);
  const old = await addRun(store, integration);
  await finish(store, old.id);
  // The days that will be today's.
  await store.maintain(later(5));
  const end = await slowReader(url);
  const dropping = store.maintain(later(11));
  await dropWaits(url);
  const runs = await Promise.all(Array.from({ length: 50 }, () => addRun(store, integration)));
  const letters = runs.map((run) => deadLetter(run));
  await store.checkpoints.commit([settlement(integration.id, { deadLetters: letters })]);
  for (const run of runs) await finish(store, run.id);
  const page = await store.runs.list(integration.id, { limit: 10, cursor: null, status: null });
  expect(page.items).toHaveLength(10);
  expect(await store.deadLetters.depths()).toEqual(new Map([[integration.id, 50]]));
  // All of that came to its end while the drop still waits.
  await dropWaits(url);
  await end();
  await dropping;
  expect(await tablesOf(url, "pipeline_runs")).not.toContain(nameOf("pipeline_runs", now));
  await store.close();
});

test("a drop that was interrupted is finished the next time, and of several nodes one drops", async () => {
  const url = await server.url();
  const store = await openStore({ url, retentionDays: 10 });
  await store.maintain(later(1));
  const [today, tomorrow] = [now, now + day].map((at) => nameOf("pipeline_runs", at));
  // Of one day the drop itself was left, of the other the detaching was cut off.
  await sql(url, `alter table sluice.pipeline_runs detach partition sluice.${tomorrow} concurrently`);
  const end = await slowReader(url);
  const detach = `alter table sluice.pipeline_runs detach partition sluice.${today} concurrently`;
  const client = new pg.Client(url);
  await client.connect();
  await client.query("set statement_timeout = 300");
  await expect(client.query(detach)).rejects.toThrow(/statement timeout/);
  await client.end();
  await end();
  const nodes = await Promise.all([1, 2].map(() => openStore({ url, retentionDays: 10 })));
  await Promise.all([store, ...nodes].map((node) => node.maintain(later(12))));
  const left = await tablesOf(url, "pipeline_runs");
  for (const gone of [today, tomorrow]) expect(left).not.toContain(gone);
  for (const node of [store, ...nodes]) await node.close();
});

test("a day that was let go of and is wanted after all is there again with its rows", async () => {
  const url = await server.url();
  const store = await openStore({ url });
  const run = await addRun(store, await addIntegration(store));
  await sql(
    url,
    `alter table sluice.pipeline_runs detach partition sluice.${nameOf("pipeline_runs", Number.parseInt(run.id.replaceAll("-", "").slice(0, 12), 16))} concurrently`,
  );
  expect(await store.runs.get(run.id)).toBeNull();
  await store.maintain(new Date());
  expect(await store.runs.get(run.id)).toMatchObject({ id: run.id });
  await store.close();
});

test("dead letters have a retention of their own, open ones too; a run that is running outlives its", async () => {
  const url = await server.url();
  const store = await openStore({ url, retentionDays: 10, deadLetterDays: 30 });
  const integration = await addIntegration(store);
  const [ended, running] = [await addRun(store, integration), await addRun(store, integration)];
  const letter = deadLetter(ended);
  await store.checkpoints.commit([settlement(integration.id, { deadLetters: [letter] })]);
  await finish(store, ended.id);
  await store.maintain(later(12));
  expect(await store.runs.get(running.id)).toMatchObject({ status: "running" });
  await finish(store, running.id);
  await store.maintain(later(13));
  expect(await store.runs.get(ended.id)).toBeNull();
  expect(await store.deadLetters.get(letter.id)).toMatchObject({ runId: ended.id });
  await store.maintain(later(30));
  expect(await store.deadLetters.get(letter.id)).not.toBeNull();
  await store.maintain(later(32));
  expect(await store.deadLetters.get(letter.id)).toBeNull();
  expect(await store.deadLetters.depths()).toEqual(new Map());
  await store.close();
});

test("what waited for its last try since a day that is gone is a dead letter of today, once however often it is committed", async () => {
  const store = await newStore(server);
  const integration = await addIntegration(store);
  const run = await addRun(store, integration);
  const letters = [200, 6].map((days) => deadLetter(run, { id: uuidV7(now - days * day) }));
  for (let times = 0; times < 2; times++) {
    await store.checkpoints.commit([settlement(integration.id, { deadLetters: letters })]);
  }
  const { items } = await store.deadLetters.list(integration.id, { limit: 10, cursor: null, resolved: null });
  expect(items).toHaveLength(2);
  for (const { id } of items)
    expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBeGreaterThan(now - 2 * day);
  await store.close();
});

test("a day that is not made yet is no fault of what is written: it is tried again", async () => {
  const store = await newStore(server);
  const { id: integrationId, version: integrationVersion } = await addIntegration(store);
  const run = { id: uuidV7(now + 35 * day), integrationId, integrationVersion, trigger: "manual" as const };
  await expect(store.runs.create({ ...run, onlyIfIdle: false })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await store.maintain(later(30));
  expect(await store.runs.create({ ...run, onlyIfIdle: false })).toMatchObject({ id: run.id });
  await store.close();
});

/** A database as the migrations before the first one that has `words` in it left it. */
async function migratedBefore(words: string): Promise<{ url: string; client: pg.Client }> {
  const url = await server.url();
  const folder = decodeURIComponent(new URL("../../adapters/postgres/migrations", import.meta.url).pathname);
  const all = readMigrationFiles({ migrationsFolder: folder });
  const before = all.slice(
    0,
    all.findIndex(({ sql }) => sql.join().includes(words)),
  );
  const client = new pg.Client(url);
  await client.connect();
  for (const { folderMillis, sql } of before) {
    for (const statement of sql) await client.query(statement);
    await client.query(
      "create table if not exists sluice.migrations (id bigint primary key, applied_at timestamptz not null default now())",
    );
    await client.query("insert into sluice.migrations (id) values ($1)", [folderMillis]);
  }
  return { url, client };
}

test("what waited in the default partitions of an earlier version is in its days", async () => {
  const { url, client } = await migratedBefore("DETACH PARTITION");
  const ids = [-3, -3, 20].map((days) => uuidV7(now + days * day));
  const integrationId = uuidV7();
  for (const id of ids) {
    await client.query(
      "insert into sluice.pipeline_runs (id, integration_id, integration_version, trigger, status) values ($1, $2, 1, 'manual', 'success')",
      [id, integrationId],
    );
  }
  await client.end();
  const store = await openStore({ url });
  const { items } = await store.runs.list(integrationId, { limit: 10, cursor: null, status: null });
  expect(items.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  expect(await tablesOf(url, "pipeline_runs")).toContain(nameOf("pipeline_runs", now + 20 * day));
  await store.maintain(later(100));
  expect((await store.runs.list(integrationId, { limit: 10, cursor: null, status: null })).items).toHaveLength(1);
  await store.close();
});

test("the audit log of an earlier version is in its months, for ever or until its retention", async () => {
  const { url, client } = await migratedBefore("audit_log_parted");
  const start = (months: number) => {
    const date = new Date(now);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months);
  };
  // The first and the last millisecond of a month are its own.
  const moments = [start(-14), start(-2), start(-1) - 1, start(-1), now];
  const ids = moments.map(uuidV7);
  for (const [at, id] of ids.entries()) {
    await client.query(
      "insert into sluice.audit_log (id, at, actor, action, before) values ($1, $2, 'ada', 'connector.created', '{\"a\":1}')",
      [id, new Date(moments[at] as number)],
    );
  }
  await client.end();
  const list = async (store: PostgresStore, since: Date | null = null) => {
    const { items } = await store.audit.list({
      limit: 50,
      cursor: null,
      sort: "-at",
      resourceId: null,
      actor: null,
      since,
    });
    return items.map(({ id }) => id);
  };

  const store = await openStore({ url });
  expect(await list(store)).toEqual(ids.toReversed());
  expect(await list(store, new Date(start(-1)))).toEqual(ids.slice(3).toReversed());
  expect((await tablesOf(url, "audit_log")).toSorted()).toEqual(
    expect.arrayContaining([-14, -2, -1].map((months) => nameOf("audit_log", start(months)))),
  );
  await store.as({ name: "bob", owner: null, requestId: null }).audit.note("key.created", { name: "new" });
  await store.maintain(later(400));
  expect(await list(store)).toHaveLength(6);
  await store.close();

  // A month goes when its last day does.
  const brief = await openStore({ url, auditDays: 70 });
  await brief.maintain(new Date(start(-1) + 70 * day - 1));
  expect(await list(brief)).toEqual(expect.arrayContaining(ids.slice(1)));
  await brief.maintain(new Date(start(-1) + 70 * day));
  expect(await list(brief)).toEqual(expect.not.arrayContaining(ids.slice(1, 3)));
  expect(await list(brief)).toEqual(expect.arrayContaining(ids.slice(3)));
  await brief.close();
});

test("a run is found in its own day, and a page of an integration's runs in the latest ones", async () => {
  const url = await server.url();
  const store = await openStore({ url });
  for (let back = 90; back > 0; back -= 8) await store.maintain(new Date(now - back * day));
  const { id } = await addIntegration(store);
  await sql(
    url,
    `insert into sluice.pipeline_runs (id, integration_id, integration_version, trigger, status)
     select (left(t, 8) || '-' || substr(t, 9, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, 1, 'schedule', 'success'
       from generate_series(1, 8000) n, lateral (select lpad(to_hex($2::bigint - n * 960000::bigint), 12, '0') as t) at`,
    [id, now],
  );
  await sql(url, "analyze sluice.pipeline_runs");
  interface Plan {
    readonly "Node Type": string;
    readonly "Relation Name"?: string;
    readonly "Actual Loops": number;
    readonly Plans?: readonly Plan[];
  }
  const read = async (query: string, values: unknown[]) => {
    const [row] = await sql<{ "QUERY PLAN": { Plan: Plan }[] }>(url, `explain (analyze, format json) ${query}`, values);
    const scans = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(scans)];
    return scans(row!["QUERY PLAN"][0]!.Plan).filter((plan) => plan["Relation Name"] && plan["Actual Loops"] > 0);
  };
  const one = await read("select * from sluice.pipeline_runs where id = $1", [uuidV7(now - 40 * day)]);
  expect(one.map((scan) => scan["Relation Name"])).toEqual([nameOf("pipeline_runs", now - 40 * day)]);
  const page = await read(
    "select * from sluice.pipeline_runs where integration_id = $1 and id < $2 order by id desc limit 51",
    [id, uuidV7(now - 30 * day)],
  );
  expect(page.length).toBeLessThan(4);
  expect(page.map((scan) => scan["Node Type"])).not.toContain("Seq Scan");
  await store.close();
});
