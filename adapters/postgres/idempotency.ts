import type { IdempotencyStore, KeptAnswer } from "../../runtime/ports/idempotency.ts";
import type { Database } from "./database.ts";

/** How long an answer is kept, and how long a request may take before its node is taken for dead. */
const kept = "interval '24 hours'";
const patience = "interval '5 minutes'";

interface Row extends KeptAnswer {
  readonly fingerprint: Uint8Array;
}

export function idempotencyStore(db: Database): IdempotencyStore {
  return {
    async begin(caller, key, fingerprint) {
      const [begun] = await db.query(
        `insert into sluice.idempotency_keys as known (caller, key, fingerprint) values ($1, $2, $3)
           on conflict (caller, key) do update
             set fingerprint = excluded.fingerprint, begun_at = now(), status = null, headers = null, body = null
             where known.begun_at < now() - ${kept}
                or (known.status is null and known.begun_at < now() - ${patience}
                    and known.fingerprint = excluded.fingerprint)
         returning 1`,
        [caller, key, fingerprint],
      );
      if (begun !== undefined) return "begun";
      const [row] = await db.query<Row>(
        "select fingerprint, status, headers, body from sluice.idempotency_keys where caller = $1 and key = $2",
        [caller, key],
      );
      // It came to nothing this very moment: whoever asks again begins.
      if (row === undefined) return "busy";
      if (Buffer.compare(row.fingerprint, fingerprint) !== 0) return "other";
      return row.status === null ? "busy" : { status: row.status, headers: row.headers, body: row.body };
    },

    async done(caller, key, { status, headers, body }) {
      await db.query(
        "update sluice.idempotency_keys set status = $3, headers = $4, body = $5 where caller = $1 and key = $2",
        [caller, key, status, JSON.stringify(headers), JSON.stringify(body)],
      );
    },

    async forget(caller, key) {
      await db.query("delete from sluice.idempotency_keys where caller = $1 and key = $2 and status is null", [
        caller,
        key,
      ]);
    },
  };
}

/** Answers that nobody is given any more. */
export async function forgetAnswers(db: Database): Promise<void> {
  await db.query(`delete from sluice.idempotency_keys where begun_at < now() - ${kept}`);
}
