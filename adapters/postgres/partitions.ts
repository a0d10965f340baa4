import { setTimeout as delay } from "node:timers/promises";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { Database, Session } from "./database.ts";
import { day, dayOf, firstId } from "./days.ts";
import { forgetAnswers } from "./idempotency.ts";
import { locks } from "./locks.ts";

/** Days made ahead: how long a node may go without `maintain`, as where a laptop sleeps, before what it writes waits for it. */
const ahead = 7;
/** Notes of what was in hand at a death, for as many days: what dies of it comes back far sooner. */
const suspectDays = 30;

/** For days to be made, and for whoever is at it meanwhile. */
const makeMs = 60_000;

/** Days that history is kept, Infinity for ever; of dead letters the unresolved ones, too. */
export interface Retention {
  readonly runs: number;
  readonly deadLetters: number;
  readonly audit: number;
}

export interface MaintainOptions {
  readonly retention: Retention;
  /** A day that somebody reads for longer is let go of by the next `maintain`; nobody waits for it meanwhile. */
  readonly dropTimeoutMs: number;
  /** Nothing is dropped that is not past its retention then, either; left out: as of now. */
  readonly droppedAt?: Date | undefined;
}

interface Parted {
  readonly table: string;
  readonly kept: keyof Retention;
  readonly by: Period;
}

/** The first days of a day's period and of the one after it, since the epoch. */
type Period = (number: number) => readonly [first: number, next: number];

const byDay: Period = (number) => [number, number + 1];

const byMonth: Period = (number) => {
  const date = new Date(number * day);
  const first = (months: number) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months) / day;
  return [first(0), first(1)];
};

/** Tables of history, partitioned by their UUIDv7 ids: by the day, and by the month what is kept for years. */
const parted: readonly Parted[] = [
  { table: "pipeline_runs", kept: "runs", by: byDay },
  { table: "dead_letter_records", kept: "deadLetters", by: byDay },
  { table: "dead_letter_originals", kept: "deadLetters", by: byDay },
  { table: "audit_log", kept: "audit", by: byMonth },
];

/** What maintenance needs of the database: some of it cannot be done in a transaction. */
export interface Maintained {
  readonly database: Database;
  session<T>(limitMs: number, work: (session: Session) => Promise<T>): Promise<T>;
}

/**
 * Makes the partitions of the days around `now`, and drops those past retention, whole, without a lock that a reader or
 * writer would wait for. To be called at start and when a day begins; any number of nodes may, at the same time: one of
 * them drops.
 */
export async function maintain(store: Maintained, now: Date, options: MaintainOptions): Promise<void> {
  const { retention, dropTimeoutMs, droppedAt = now } = options;
  const db = store.database;
  const today = Math.floor(now.getTime() / day);
  const past = Math.min(today, Math.floor(droppedAt.getTime() / day));
  // Yesterday too: clocks differ, and a record's id may be a little older than its insert.
  const wanted = Array.from({ length: ahead + 2 }, (_, n) => today - 1 + n);
  const make = async () => {
    for (const each of parted) await makeDays(store, each, wanted);
  };
  await make();
  await keepAwaited(db, past - retention.deadLetters);
  const dropped = async (session: Session) => {
    for (const each of parted) {
      const { table, kept } = each;
      const oldest = Math.min(past - retention[kept], table === "pipeline_runs" ? await oldestRunning(db) : past);
      await dropBefore(session, each, oldest);
    }
  };
  // Where another node is at it, it drops them all; what somebody reads for long is left to the next time.
  await alone(store, { limitMs: dropTimeoutMs, waitMs: 0 }, dropped).catch((error: unknown) => {
    if (!(error instanceof SluiceError && error.code === "TIMEOUT")) throw error;
  });
  // A day that was on its way out, and is wanted after all.
  await make();
  await deleteOld(db, new Date((past - retention.runs) * day));
  await db.query("delete from sluice.suspects where taken_at < $1", [new Date((past - suspectDays) * day)]);
  await forgetProcessed(db, now < droppedAt ? now : droppedAt);
  await forgetAnswers(db);
}

interface Partition {
  readonly name: string;
  /** Its first one, since the epoch. */
  readonly day: number;
  /** `leaving`: its removal was begun. `left`: no part of the table any more, and still to be dropped. */
  readonly state: "there" | "leaving" | "left";
}

async function partitionsOf(db: Pick<Database, "query">, table: string): Promise<Partition[]> {
  const rows = await db.query<Omit<Partition, "day">>(
    `select relname as name,
            case when inhdetachpending then 'leaving' when inhparent is not null then 'there' else 'left' end as state
       from pg_class left join pg_inherits on inhrelid = oid
      where relnamespace = 'sluice'::regnamespace and relkind = 'r' and relname ~ $1
      order by relname`,
    [`^${table}_[0-9]{8}$`],
  );
  return rows.map(({ name, state }) => ({ name, state, day: dayNamed(name) }));
}

function dayNamed(name: string): number {
  const [, ...date] = /_(\d{4})(\d\d)(\d\d)$/.exec(name) as RegExpExecArray;
  return Date.parse(date.join("-")) / day;
}

/**
 * Days are made and dropped by one connection at a time, else they would wait for each other: to drop one waits for all
 * who use the table or have a snapshot. So whoever waits here asks again and again, and holds nothing meanwhile.
 */
async function alone(
  { session }: Maintained,
  { limitMs, waitMs }: { readonly limitMs: number; readonly waitMs: number },
  work: (session: Session) => Promise<void>,
): Promise<void> {
  await session(limitMs, async (connection) => {
    for (const until = Date.now() + waitMs; ; await delay(50)) {
      const [lock] = await connection.query<{ held: boolean }>("select pg_try_advisory_lock($1, 0) as held", [
        locks.maintain,
      ]);
      if (lock?.held) break;
      if (waitMs === 0) return;
      if (Date.now() > until) throw new SluiceError("UNAVAILABLE", "another node has been dropping history for long");
    }
    await work(connection);
    await connection.query("select pg_advisory_unlock($1, 0)", [locks.maintain]);
  });
}

async function makeDays(store: Maintained, { table, by }: Parted, days: readonly number[]): Promise<void> {
  const wanted = [...new Set(days.map((number) => by(number)[0]))];
  const missing = async () => {
    const known = new Map((await partitionsOf(store.database, table)).map(({ day, state }) => [day, state]));
    // What is leaving is first let go.
    return wanted.flatMap((number) => {
      const state = known.get(number);
      return state === "there" || state === "leaving" ? [] : [{ number, state }];
    });
  };
  if ((await missing()).length === 0) return;
  await alone(store, { limitMs: makeMs, waitMs: makeMs }, async () => {
    const statements = (await missing()).flatMap(({ number, state }) => {
      const name = `${table}_${dateOf(number)}`;
      const bounds = `from ('${firstId(number)}') to ('${firstId(by(number)[1])}')`;
      return [
        // Made apart and attached, not as a `partition of`: that would stop every reader and writer of the table.
        ...(state === undefined ? [`create table sluice.${name} (like sluice.${table} including all)`] : []),
        `alter table sluice.${table} attach partition sluice.${name} for values ${bounds}`,
      ];
    });
    if (statements.length > 0) await store.database.transaction((tx) => tx.query(statements.join(";\n")));
  });
}

/**
 * Each day is first taken out of the table, which lets readers and writers go on and waits for those that were there
 * before, and then dropped. What was interrupted in between is finished here the next time.
 */
async function dropBefore(session: Session, { table, by }: Parted, oldest: number): Promise<void> {
  const all = await partitionsOf(session, table);
  // One at a time can be leaving: whichever it is, it goes before the others.
  for (const { name } of all.filter(({ state }) => state === "leaving")) {
    await session.query(`alter table sluice.${table} detach partition sluice.${name} finalize`);
  }
  for (const { name, day, state } of all) {
    if (by(day)[1] > oldest) continue;
    if (state === "there")
      await session.query(`alter table sluice.${table} detach partition sluice.${name} concurrently`);
    await session.query(`drop table sluice.${name}`);
  }
}

/** The day of the oldest run that is running: it stays until the run has ended. */
async function oldestRunning(db: Database): Promise<number> {
  const [row] = await db.query<{ id: string | null }>(
    "select min(id::text) as id from sluice.pipeline_runs where status = 'running'",
  );
  return row?.id ? dayOf(row.id) : Number.POSITIVE_INFINITY;
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

function dateOf(number: number): string {
  return new Date(number * day).toISOString().slice(0, 10).replaceAll("-", "");
}
