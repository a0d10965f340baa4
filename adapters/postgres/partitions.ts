import type { Database } from "./database.ts";
import { forgetAnswers } from "./idempotency.ts";
import { locks } from "./locks.ts";
import { idAt } from "./paging.ts";

const day = 86_400_000;
/** Days made ahead: how long a node may go without `maintain` before rows wait in the default partition. */
const ahead = 7;
/** Notes of what was in hand at a death, for as many days: what dies of it comes back far sooner. */
const suspectDays = 30;

/** Tables of history, partitioned by the day of their UUIDv7 ids. */
const parted = ["pipeline_runs", "dead_letter_records", "dead_letter_originals"] as const;

/**
 * Makes the partitions of the days around `now`, empties the default partitions into those they belong to, and drops
 * the days past retention, whole. To be called at start and daily; any number of nodes may, at the same time.
 */
export async function maintain(db: Database, now: Date, retentionDays: number): Promise<void> {
  const today = Math.floor(now.getTime() / day);
  const oldest = today - retentionDays;
  await keepAwaited(db, oldest);
  for (const table of parted) {
    const wanted = new Set(await daysInDefault(db, table, oldest, today));
    // Yesterday too: clocks differ, and a record's id may be a little older than its insert.
    for (let next = today - 1; next <= today + ahead; next++) wanted.add(next);
    const made = await daysMade(db, table);
    for (const next of wanted) if (!made.has(next)) await makeDay(db, table, next);
    for (const old of made) if (old < oldest) await dropDay(db, table, old);
    await db.query(`delete from sluice.${table}_default where id < $1`, [firstId(oldest)]);
  }
  await deleteOld(db, new Date(oldest * day));
  await db.query("delete from sluice.suspects where taken_at < $1", [new Date((today - suspectDays) * day)]);
  await forgetProcessed(db, now);
  await forgetAnswers(db);
}

/** Days since the epoch that have a partition. */
async function daysMade(db: Database, table: string): Promise<Set<number>> {
  const rows = await db.query<{ name: string }>(
    `select relname as name from pg_inherits join pg_class on oid = inhrelid where inhparent = 'sluice.${table}'::regclass`,
  );
  const dates = rows.flatMap(({ name }) => /_(\d{4})(\d\d)(\d\d)$/.exec(name)?.slice(1, 4).join("-") ?? []);
  return new Set(dates.map((date) => Date.parse(date) / day));
}

async function daysInDefault(db: Database, table: string, from: number, to: number): Promise<number[]> {
  const rows = await db.query<{ day: number }>(
    `select distinct ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / ${day} as day
       from sluice.${table}_default where id >= $1 and id < $2`,
    [firstId(from), firstId(to + ahead + 1)],
  );
  return rows.map((row) => row.day);
}

function makeDay(db: Database, table: string, number: number): Promise<void> {
  return db.transaction(async (tx) => {
    const name = `${table}_${dateOf(number)}`;
    await tx.query("select pg_advisory_xact_lock($1, 0)", [locks.maintain]);
    const [known] = await tx.query<{ made: boolean }>("select to_regclass($1) is not null as made", [`sluice.${name}`]);
    if (known!.made) return;
    const [from, to] = [firstId(number), firstId(number + 1)];
    // Made apart and attached, not as a `partition of`: that would stop every reader and writer of the table.
    await tx.query(`create table sluice.${name} (like sluice.${table} including all)`);
    await tx.query(`lock table sluice.${table}_default in access exclusive mode`);
    await tx.query(
      `with moved as (delete from sluice.${table}_default where id >= $1 and id < $2 returning *)
       insert into sluice.${name} select * from moved`,
      [from, to],
    );
    await tx.query(
      `alter table sluice.${table} attach partition sluice.${name} for values from ('${from}') to ('${to}')`,
    );
  });
}

function dropDay(db: Database, table: string, number: number): Promise<void> {
  return db.transaction(async (tx) => {
    // A reader that will not end must not make everyone queue behind the drop; tomorrow is another try.
    await tx.query("set local lock_timeout = '10s'");
    await tx.query("select pg_advisory_xact_lock($1, 0)", [locks.maintain]);
    await tx.query(`drop table if exists sluice.${table}_${dateOf(number)}`);
  });
}

/** What waits for its next try takes its original along: it may wait for longer than history is kept. */
async function keepAwaited(db: Database, oldest: number): Promise<void> {
  await db.query(
    `update sluice.scheduled_retries as retry set raw = original.raw, raw_of = null
       from sluice.dead_letter_originals as original where original.id = retry.raw_of and original.id < $1`,
    [firstId(oldest)],
  );
}

/** What is kept by age in tables too small to be partitioned; the latest fire of each integration stays. */
function deleteOld(db: Database, before: Date): Promise<void> {
  return db.transaction(async (tx) => {
    await tx.query("delete from sluice.claims where created_at < $1", [before]);
    await tx.query("delete from sluice.schema_drift where seen_at < $1", [before]);
    await tx.query("delete from sluice.jobs where finished_at < $1", [before]);
    await tx.query("delete from sluice.dead_letter_replays where job_id not in (select id from sluice.jobs)");
    await tx.query(
      `delete from sluice.scheduled_fires fire where instant < $1 and outcome <> 'queued'
          and instant < (select max(instant) from sluice.scheduled_fires where integration_id = fire.integration_id)`,
      [before],
    );
  });
}

/** Idempotency keys past their window, also of integrations that run no more or are gone: what runs forgets its own more often. */
async function forgetProcessed(db: Database, now: Date): Promise<void> {
  await db.query(
    `delete from sluice.processed_events event using sluice.integrations i
      where i.id = event.integration_id
        and event.seen_at <= $1::timestamptz - coalesce((i.spec #>> '{delivery,idempotency,window}')::interval, '0')`,
    [now],
  );
  await db.query(
    "delete from sluice.processed_events where integration_id not in (select id from sluice.integrations)",
  );
}

/** The lowest UUIDv7 of a day. */
const firstId = (number: number): string => idAt(number * day);

function dateOf(number: number): string {
  return new Date(number * day).toISOString().slice(0, 10).replaceAll("-", "");
}
