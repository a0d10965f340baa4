import type { RetryStore, ScheduledRetry } from "../../runtime/ports/retries.ts";
import type { Settlement } from "../../runtime/ports/store.ts";
import { clean } from "./clean.ts";
import type { Database } from "./database.ts";
import { insertOriginals, shareOriginals, withOriginals } from "./originals.ts";

interface Row {
  readonly letter: Omit<ScheduledRetry["letter"], "raw">;
  readonly raw: Uint8Array;
  readonly raw_of: string | null;
  readonly due_at: Date;
  readonly out_id: string;
  readonly ingested_at: number;
  readonly full_read: boolean;
}

const columns = "letter, raw, raw_of, due_at, out_id, ingested_at, full_read";

/** Children of one record may be many. */
const ofRecordMax = 100;

function toRetry({ letter, raw, due_at, out_id, ingested_at, full_read }: Omit<Row, "raw_of">): ScheduledRetry {
  return {
    letter: { ...letter, raw } as ScheduledRetry["letter"],
    dueAt: due_at.getTime(),
    outId: out_id,
    ingestedAt: ingested_at,
    fullRead: full_read,
  };
}

export function retryStore(db: Database): RetryStore {
  const select = async (
    where: string,
    values: readonly unknown[],
    { records, bytes }: { readonly records: number; readonly bytes: number },
  ): Promise<ScheduledRetry[]> => {
    const rows = await db.query<Row>(
      `select ${columns} from (
         select ${columns}, id,
                sum(octet_length(raw) + octet_length(letter::text)) over (order by due_at, id) as bytes,
                row_number() over (order by due_at, id) as nth
           from (select * from sluice.scheduled_retries where ${where} order by due_at, id limit $1) as first
       ) as sized where bytes <= $2 or nth = 1 order by due_at, id`,
      [records, bytes, ...values],
    );
    const shared = rows.map(({ raw_of, ...row }) => ({ ...row, state: null, rawOf: raw_of, stateOf: null }));
    return (await withOriginals(db, shared)).map(toRetry);
  };
  return {
    async waiting(integrationId, destination) {
      const [row] = await db.query<{ count: number; next: Date | null }>(
        `select count(*) as count, min(due_at) as next from sluice.scheduled_retries
          where integration_id = $1 and destination = $2`,
        [integrationId, destination],
      );
      return { count: row?.count ?? 0, nextDue: row?.next?.getTime() ?? null };
    },

    due: (integrationId, destination, until, limit) =>
      select(
        "integration_id = $3 and destination = $4 and due_at <= $5",
        [integrationId, destination, new Date(until)],
        limit,
      ),

    orphaned: (integrationId, destinations, limit) =>
      select("integration_id = $3 and destination <> all ($4)", [integrationId, destinations], limit),

    async ofRecord(integrationId, recordId) {
      const rows = await db.query<Row>(
        `select letter, ''::bytea as raw, null as raw_of, due_at, out_id, ingested_at, full_read
           from sluice.scheduled_retries where integration_id = $1 and position($2 in letter::text) > 0
          order by due_at, id limit $3`,
        // As it was written: `->>` refuses all of a letter in one of whose texts there is a NUL or half a pair.
        [integrationId, `"recordId":${JSON.stringify(recordId)}`, ofRecordMax],
      );
      return rows.map(toRetry);
    },

    async dropRead(integrationId, runId) {
      await db.query("delete from sluice.scheduled_retries where integration_id = $1 and full_read and run_id < $2", [
        integrationId,
        runId,
      ]);
    },
  };
}

/** Repeated after its answer was lost, it changes nothing. */
export async function saveRetries(tx: Database, settlements: readonly Settlement[]): Promise<void> {
  const done = settlements.flatMap(({ retried = [] }) => retried);
  if (done.length > 0) await tx.query("delete from sluice.scheduled_retries where id = any ($1::uuid[])", [done]);
  const retries = settlements.flatMap(({ retries = [] }) => retries);
  if (retries.length === 0) return;
  const { letters, originals } = shareOriginals(retries.map(({ letter }) => ({ ...letter, state: null })));
  await insertOriginals(tx, originals);
  await tx.query(
    `insert into sluice.scheduled_retries
       (id, integration_id, run_id, destination, due_at, letter, raw, out_id, ingested_at, full_read, raw_of)
     select id, integration_id, run_id, destination, due_at, letter::json, raw, out_id, ingested_at, full_read, raw_of
       from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::bytea[], $8::text[],
                   $9::bigint[], $10::boolean[], $11::uuid[])
         as given (id, integration_id, run_id, destination, due_at, letter, raw, out_id, ingested_at, full_read, raw_of)
     on conflict (id) do update set due_at = excluded.due_at, letter = excluded.letter`,
    [
      retries.map(({ letter }) => letter.id),
      retries.map(({ letter }) => letter.integrationId),
      retries.map(({ letter }) => letter.runId),
      retries.map(({ letter }) => letter.destination),
      retries.map(({ dueAt }) => new Date(dueAt)),
      retries.map(({ letter: { raw: _, ...letter } }) => JSON.stringify(letter)),
      letters.map(({ raw }) => raw),
      retries.map(({ outId }) => clean(outId)),
      retries.map(({ ingestedAt }) => ingestedAt),
      retries.map(({ fullRead }) => fullRead),
      letters.map(({ rawOf }) => rawOf),
    ],
  );
}
