import pg from "pg";
import { type Owner, StaleOwnerError } from "../sdk/index.ts";
import { identifier, parseTableName } from "./names.ts";
import type { Session } from "./session.ts";

/** Beside the table that is written to, in its schema (decision 0015). */
export const bookkeepingTables = ["_sluice_owners", "_sluice_processed"] as const;

/** A connection's hold on a destination: each statement that writes is carried out only while nobody took it over. */
export class Ownership {
  /** As SQL writes them. */
  readonly owners: string;
  /** Undefined: no keys are kept. */
  readonly processed: string | undefined;
  readonly #id: string;
  readonly #opened: string;
  readonly #windowMs: number;

  private constructor(tables: Tables, [id, opened]: readonly string[], windowMs: number) {
    this.owners = tables.owners;
    this.processed = windowMs > 0 ? tables.processed : undefined;
    this.#id = id!;
    this.#opened = opened!;
    this.#windowMs = windowMs;
  }

  /**
   * Takes the destination over, once the statement that a former owner has under way is done; throws StaleOwnerError
   * where a later owner was here. Undefined where the role may neither use the tables nor make them.
   */
  static async take(session: Session, stream: string, owner: Owner, windowMs = 0): Promise<Ownership | undefined> {
    const tables = await tablesFor(session, stream);
    if (tables === undefined) return undefined;
    const { integrationId, destinationId, epoch } = owner;
    const [row] = await session.rows(
      `INSERT INTO ${tables.owners} AS o (integration, destination, epoch, opened, window_ms) VALUES ($1, $2, $3, 1, $4)
       ON CONFLICT (integration, destination) DO UPDATE
         SET epoch = excluded.epoch, opened = o.opened + 1, window_ms = excluded.window_ms WHERE o.epoch <= excluded.epoch
       RETURNING id, opened`,
      [integrationId, destinationId, String(epoch), String(windowMs)],
    );
    if (!row) throw new StaleOwnerError(`${stream} has a later owner.`);
    return new Ownership(tables, row as string[], windowMs);
  }

  /** Values of the parameters that `fenced` adds to a statement. */
  parameters(keys: readonly string[]): string[] {
    const own = [this.#id, this.#opened];
    if (this.processed === undefined) return own;
    return [...own, `{${keys.map((key) => key.slice(0, 32)).join(",")}}`, String(this.#windowMs)];
  }

  /** Deletes some of the keys that are past their window, of whatever integration; false once there are no more. */
  async purge(session: Session): Promise<boolean> {
    const owners = await session.rows(`SELECT id, window_ms FROM ${this.owners}`);
    let more = false;
    for (const [id, windowMs] of owners) {
      const [row] = await session.rows(
        `WITH gone AS (DELETE FROM ${this.processed} WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM ${this.processed} WHERE owner = $1 AND seen_at <= now() - $2 * interval '1 ms'
            LIMIT ${purgedAtOnce} FOR UPDATE SKIP LOCKED)) RETURNING 1) SELECT count(*) FROM gone`,
        [id!, windowMs!],
      );
      more ||= Number(row![0]) === purgedAtOnce;
    }
    return more;
  }
}

const purgedAtOnce = 5_000;

interface Tables {
  readonly owners: string;
  readonly processed: string;
}

/** Made where they are missing. */
async function tablesFor(session: Session, stream: string): Promise<Tables | undefined> {
  const name = parseTableName(stream)!;
  const target = [name.schema ?? [], name.table].flat().map(identifier).join(".");
  const [place] = await session.rows(
    `SELECT coalesce((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.oid = to_regclass($1)), $2, current_schema())`,
    [target, name.schema ?? null],
  );
  const schema = place![0];
  // Of a search path whose schemas are all missing.
  if (schema == null) return undefined;
  const [owners, processed] = bookkeepingTables.map((table) => `${identifier(schema)}.${table}`) as [string, string];
  const usable = () =>
    session.rows(
      `SELECT bool_and(has_table_privilege(c.oid, p)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
         unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) p WHERE n.nspname = $1 AND c.relname = ANY ($2) GROUP BY c.oid`,
      [schema, `{${bookkeepingTables.join(",")}}`],
    );
  let found = await usable();
  if (found.length < bookkeepingTables.length) {
    try {
      await session.rows(creation(owners, processed));
    } catch (error) {
      // Another role may have made them meanwhile.
      if (!(error instanceof pg.DatabaseError && error.code === "42501")) throw error;
    }
    found = await usable();
  }
  return found.filter(([may]) => may === "t").length === bookkeepingTables.length ? { owners, processed } : undefined;
}

/**
 * One transaction; those who make them at once take turns. Keys lie in the order of time: an index of a few pages finds
 * the oldest.
 */
function creation(owners: string, processed: string): string {
  return `
    SELECT pg_advisory_xact_lock(hashtext('_sluice_owners'));
    CREATE TABLE IF NOT EXISTS ${owners} (
      id bigint GENERATED ALWAYS AS IDENTITY UNIQUE, integration text, destination text, epoch bigint NOT NULL,
      opened bigint NOT NULL, window_ms bigint NOT NULL, PRIMARY KEY (integration, destination));
    COMMENT ON TABLE ${owners} IS 'Kept by sluice: which run writes here at present. What an earlier one still sends is refused.';
    CREATE TABLE IF NOT EXISTS ${processed} (
      owner bigint, key uuid, seen_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (owner, key));
    CREATE INDEX IF NOT EXISTS _sluice_processed_seen_at ON ${processed} USING brin (seen_at) WITH (autosummarize = on);
    COMMENT ON TABLE ${processed} IS 'Kept by sluice: idempotency keys of records that were written, for as long as their window.'`;
}
