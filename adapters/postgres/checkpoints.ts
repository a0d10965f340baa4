import type { Json } from "../../connectors/sdk/index.ts";
import type { Checkpoint, CheckpointStore, Committed, Settlement, StoredGroup } from "../../runtime/ports/store.ts";
import { clean } from "./clean.ts";
import type { Database } from "./database.ts";
import { isDataError } from "./errors.ts";
import { insertDeadLetters, reduced } from "./insert-dead-letters.ts";
import { resolveReplayed } from "./replayed.ts";
import { saveRetries } from "./retries.ts";

/** `flushes` has connections of its own, so that readers of the API never keep a flush waiting. */
export function checkpointStore(db: Database, flushes: Database): CheckpointStore {
  /** Commits by integration, as this process saw them last. */
  const seen = new Map<string, number>();
  return {
    async owner(integrationId) {
      const [row] = await db.query<OwnerRow>(
        "select epoch, ingest_log, deliver_log, ingest_end, deliver_end from sluice.checkpoint_owners where integration_id = $1",
        [integrationId],
      );
      if (row === undefined) return null;
      const { epoch, ingest_log, deliver_log, ingest_end, deliver_end } = row;
      const both = (ingest: number | null, deliver: number | null) =>
        ingest === null || deliver === null ? null : { ingest, deliver };
      return { epoch, logs: both(ingest_log, deliver_log), ends: both(ingest_end, deliver_end) };
    },

    load: (integrationId) =>
      db.query<Checkpoint>(
        "select consumer, settled, state, progress from sluice.checkpoints where integration_id = $1 order by consumer",
        [integrationId],
      ),

    async commit(settlements) {
      const refused: Refused = { stale: [], behind: [], unwritable: [] };
      for (const round of rounds(settlements)) {
        try {
          add(refused, await commitAll(flushes, seen, round, insertDeadLetters));
        } catch (error) {
          if (!isUnwritable(error)) throw error;
          add(refused, await commitEach(flushes, seen, round));
        }
      }
      const { stale, behind, unwritable } = refused;
      return { stale, ...(behind.length > 0 && { behind }), ...(unwritable.length > 0 && { unwritable }) };
    },

    async saveCursor(integrationId, source, cursor) {
      // Of an integration that was removed meanwhile, nothing is kept.
      await db.query(
        `insert into sluice.source_cursors (integration_id, source, cursor)
         select id, $2, $3 from sluice.integrations where id = $1
         on conflict (integration_id, source) do update set cursor = excluded.cursor, updated_at = now()`,
        [integrationId, source, JSON.stringify(cursor)],
      );
    },

    async loadCursor(integrationId, source) {
      const [row] = await db.query<{ cursor: Json }>(
        "select cursor from sluice.source_cursors where integration_id = $1 and source = $2",
        [integrationId, source],
      );
      return row?.cursor ?? null;
    },

    loadGroups: (integrationId) =>
      db.query<StoredGroup>(
        "select step, key, state from sluice.aggregate_groups where integration_id = $1 order by step, key",
        [integrationId],
      ),

    async processed(integrationId, destination, keys, windowMs) {
      const rows = await db.query<{ key: string }>(
        `select encode(key, 'hex') as key from sluice.processed_events
          where integration_id = $1 and destination = $2 and key = any ($3::bytea[]) and seen_at > now() - $4 * interval '1 ms'`,
        [integrationId, destination, keys.map((key) => `\\x${key}`), windowMs],
      );
      return rows.map(({ key }) => key);
    },

    async forgetProcessed(integrationId, destination, windowMs) {
      await db.query(
        `delete from sluice.processed_events
          where integration_id = $1 and destination = $2 and seen_at <= now() - $3 * interval '1 ms'`,
        [integrationId, destination, windowMs],
      );
    },
  };
}

interface OwnerRow extends Record<"ingest_log" | "deliver_log" | "ingest_end" | "deliver_end", number | null> {
  readonly epoch: number;
}

/** Commits by integration. */
type Seen = Map<string, number>;

/** Integrations for which nothing was committed. */
type Refused = { readonly [why in keyof Committed]-?: NonNullable<Committed[why]>[number][] };

function add(refused: Refused, more: Refused): void {
  refused.stale.push(...more.stale);
  refused.behind.push(...more.behind);
  refused.unwritable.push(...more.unwritable);
}

/** A statement writes a row once: where two runs of an integration settle together, the second is a flush of its own. */
function rounds(settlements: readonly Settlement[]): Settlement[][] {
  const rounds: Settlement[][] = [];
  const next = new Map<string, number>();
  for (const settlement of settlements) {
    const round = next.get(settlement.integrationId) ?? 0;
    next.set(settlement.integrationId, round + 1);
    (rounds[round] ??= []).push(settlement);
  }
  return rounds;
}

/** Refused by Postgres, or larger than a text can be that it would be sent as. */
function isUnwritable(error: unknown): error is Error {
  return isDataError(error) || error instanceof RangeError;
}

/** After a value that Postgres refuses, each integration by itself: invariant 6. */
async function commitEach(db: Database, seen: Seen, settlements: readonly Settlement[]): Promise<Refused> {
  const refused: Refused = { stale: [], behind: [], unwritable: [] };
  for (const settlement of settlements) {
    try {
      add(refused, await commitAll(db, seen, [settlement], insertOneByOne));
    } catch (error) {
      if (!isUnwritable(error)) throw error;
      const { integrationId } = settlement;
      const reason = isDataError(error) ? `${error.message} (${error.code})` : error.message;
      refused.unwritable.push({ integrationId, reason });
    }
  }
  return refused;
}

/** A dead letter that is refused as it is, is kept by its bytes and its error alone. */
async function insertOneByOne(tx: Database, settlements: readonly Settlement[]): Promise<void> {
  for (const letter of settlements.flatMap(({ deadLetters }) => deadLetters)) {
    const insert = (kept: typeof letter) =>
      tx.transaction((inner) => insertDeadLetters(inner, [{ deadLetters: [kept] }]));
    await insert(letter).catch((error: unknown) => {
      if (!isDataError(error)) throw error;
      return insert(reduced(letter));
    });
  }
}

async function commitAll(
  db: Database,
  seen: Seen,
  settlements: readonly Settlement[],
  insert: (tx: Database, settlements: readonly Settlement[]) => Promise<void>,
): Promise<Refused> {
  const commits = await db.transaction(async (tx) => {
    const commits = await takeEpochs(tx, settlements);
    const current = settlements.filter(({ integrationId }) => isAhead(seen, commits, integrationId));
    await updateRuns(tx, current);
    await saveCheckpoints(tx, current);
    await saveGroups(tx, current);
    await saveProcessed(tx, current);
    await saveRetries(tx, current);
    await insert(tx, current);
    // After the failures: what failed at one destination is not taken for passed because another took it.
    await resolveReplayed(tx, current);
    return commits;
  });
  const refused: Refused = { stale: [], behind: [], unwritable: [] };
  for (const { integrationId } of settlements) {
    const count = commits.get(integrationId);
    if (count === undefined) refused.stale.push(integrationId);
    else if (isAhead(seen, commits, integrationId)) seen.set(integrationId, count);
    else {
      refused.behind.push(integrationId);
      // Its owner begins anew, from what there is.
      seen.delete(integrationId);
    }
  }
  return refused;
}

/** A store that counts no more commits than it had confirmed has forgotten some: it was restored from an earlier state. */
function isAhead(seen: Seen, commits: Seen, integrationId: string): boolean {
  return (commits.get(integrationId) ?? 0) > (seen.get(integrationId) ?? 0);
}

/**
 * Invariant 5: whose epoch is behind the one stored writes nothing. The rows are locked, in one order on every node,
 * until the transaction ends. An integration that was removed counts as lost to a later owner.
 */
async function takeEpochs(tx: Database, settlements: readonly Settlement[]): Promise<Seen> {
  const rows = await tx.query<{ id: string; commits: number }>(
    `insert into sluice.checkpoint_owners as owner
       (integration_id, epoch, commits, ingest_log, deliver_log, ingest_end, deliver_end)
     select i.id, given.epoch, 1, given.ingest, given.deliver, given.ingest_end, given.deliver_end
       from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
         as given (id, epoch, ingest, deliver, ingest_end, deliver_end)
       join sluice.integrations i on i.id = given.id order by i.id
     on conflict (integration_id) do update
        set epoch = excluded.epoch, commits = owner.commits + 1,
            ingest_log = coalesce(excluded.ingest_log, owner.ingest_log),
            deliver_log = coalesce(excluded.deliver_log, owner.deliver_log),
            ingest_end = greatest(excluded.ingest_end, case when excluded.ingest_log is null then owner.ingest_end end),
            deliver_end = greatest(excluded.deliver_end, case when excluded.deliver_log is null then owner.deliver_end end)
      where owner.epoch <= excluded.epoch
     returning integration_id as id, commits`,
    [
      settlements.map(({ integrationId }) => integrationId),
      settlements.map(({ epoch }) => epoch),
      settlements.map(({ logs }) => logs?.ingest ?? null),
      settlements.map(({ logs }) => logs?.deliver ?? null),
      settlements.map(({ ends }) => ends?.ingest ?? null),
      settlements.map(({ ends }) => ends?.deliver ?? null),
    ],
  );
  return new Map(rows.map(({ id, commits }) => [id, commits]));
}

async function updateRuns(tx: Database, settlements: readonly Settlement[]): Promise<void> {
  const runs = settlements.flatMap(({ run }) => run ?? []);
  if (runs.length === 0) return;
  const ids = runs.map(({ id }) => id).sort();
  // The bounds let the planner leave out all days but those of the runs.
  await tx.query(
    `update sluice.pipeline_runs as run
        set records_in = given.records_in, records_out = given.records_out, records_filtered = given.filtered,
            records_failed = given.failed, by_destination = given.by_destination::json, ledger = given.ledger::json,
            waiting = given.waiting, series = coalesce(given.series::json, run.series)
       from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
                   $8::text[], $9::text[])
         as given (id, records_in, records_out, filtered, failed, by_destination, ledger, waiting, series)
      where run.id = given.id and run.status = 'running' and run.id between $10 and $11`,
    [
      runs.map(({ id }) => id),
      runs.map(({ counts }) => counts.in),
      runs.map(({ counts }) => counts.out),
      runs.map(({ counts }) => counts.filtered),
      runs.map(({ counts }) => counts.failed),
      runs.map(({ counts }) => JSON.stringify(counts.byDestination)),
      runs.map(({ counts }) => (counts.ledger ? JSON.stringify(counts.ledger) : null)),
      runs.map(({ waiting }) => clean(waiting)),
      runs.map(({ series }) => (series ? JSON.stringify(series) : null)),
      ids[0],
      ids.at(-1),
    ],
  );
}

async function saveCheckpoints(tx: Database, settlements: readonly Settlement[]): Promise<void> {
  const rows = settlements.flatMap(({ integrationId, checkpoints }) =>
    checkpoints.map((checkpoint) => ({ integrationId, ...checkpoint })),
  );
  if (rows.length === 0) return;
  await tx.query(
    `insert into sluice.checkpoints (integration_id, consumer, settled, state, progress)
     select id, consumer, settled::json, state::json, progress::json
       from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
         as given (id, consumer, settled, state, progress)
     on conflict (integration_id, consumer) do update
        set settled = excluded.settled, state = excluded.state, progress = excluded.progress`,
    [
      rows.map(({ integrationId }) => integrationId),
      rows.map(({ consumer }) => consumer),
      rows.map(({ settled }) => JSON.stringify(settled)),
      rows.map(({ state }) => JSON.stringify(state)),
      rows.map(({ progress }) => JSON.stringify(progress)),
    ],
  );
}

async function saveGroups(tx: Database, settlements: readonly Settlement[]): Promise<void> {
  const rows = settlements.flatMap(({ integrationId, groups }) =>
    groups.map(({ step, key, state }) => ({ integrationId, step, key, state: state && JSON.stringify(state) })),
  );
  if (rows.length === 0) return;
  const open = rows.filter(({ state }) => state !== null);
  const closed = rows.filter(({ state }) => state === null);
  const ids = (some: typeof rows) => [
    some.map(({ integrationId }) => integrationId),
    some.map(({ step }) => step),
    some.map(({ key }) => key),
  ];
  if (closed.length > 0) {
    await tx.query(
      `delete from sluice.aggregate_groups g using unnest($1::uuid[], $2::text[], $3::text[]) as given (id, step, key)
        where g.integration_id = given.id and g.step = given.step and g.key_hash = sha256(convert_to(given.key, 'UTF8'))`,
      ids(closed),
    );
  }
  if (open.length > 0) {
    await tx.query(
      `insert into sluice.aggregate_groups (integration_id, step, key_hash, key, state)
       select id, step, sha256(convert_to(key, 'UTF8')), key, state::json
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as given (id, step, key, state)
       on conflict (integration_id, step, key_hash) do update set state = excluded.state`,
      [...ids(open), open.map(({ state }) => state)],
    );
  }
}

/** A key that was forgotten is seen anew. In one order, so that no two commits wait for each other. */
async function saveProcessed(tx: Database, settlements: readonly Settlement[]): Promise<void> {
  const ids: string[] = [];
  const destinations: string[] = [];
  const keys: string[] = [];
  for (const { integrationId, processed = [] } of settlements) {
    for (const { destination, keys: given } of processed) {
      for (const key of given) {
        ids.push(integrationId);
        destinations.push(destination);
        keys.push(`\\x${key}`);
      }
    }
  }
  if (keys.length === 0) return;
  await tx.query(
    `insert into sluice.processed_events (integration_id, destination, key)
     select distinct id, destination, key from unnest($1::uuid[], $2::text[], $3::bytea[]) as given (id, destination, key)
      order by id, destination, key
     on conflict (integration_id, destination, key) do update set seen_at = excluded.seen_at`,
    [ids, destinations, keys],
  );
}
