import type { PgRemoteDatabase } from "drizzle-orm/pg-proxy";
import pg from "pg";
import { SluiceError } from "../../runtime/errors/index.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { drizzle } from "./drizzle.ts";
import { translate } from "./errors.ts";

/** Where statements run: each on a connection of its own, or all of them in one transaction. */
export interface Database {
  /** drizzle's builders, over this connection. */
  readonly orm: PgRemoteDatabase;
  /** A statement written by hand. Throws what `translate` makes of a failure. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** All of `work` or nothing of it; within a transaction, a savepoint. */
  transaction<T>(work: (db: Database) => Promise<T>): Promise<T>;
}

/** A connection by itself, outside of any transaction. */
export type Session = Pick<Database, "query">;

export interface PoolOptions {
  readonly url: string;
  readonly connections: number;
  /** For a statement by itself; one in a transaction has `transactionTimeoutMs`. */
  readonly statementTimeoutMs: number;
  /** Doubled up to `mostMs` as long as the server says that it takes longer. */
  readonly transactionTimeoutMs: { readonly firstMs: number; readonly mostMs: number };
}

/** A server that lives says by itself when a statement takes too long; one that says nothing for longer is gone. */
const silenceMs = 5_000;

const { JSON: jsonOid, JSONB: jsonbOid, INT8: int8Oid } = pg.types.builtins;

/** Numbers in JSON keep their digits; counters are numbers, not text. All else as `pg` does it. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid) => {
    if (oid === jsonOid || oid === jsonbOid) return parseJson;
    return oid === int8Oid ? Number : pg.types.getTypeParser(oid, "text");
  },
};

export interface Pool {
  readonly database: Database;
  /** One connection for as long as `work` takes, with so much time for each of its statements. */
  session<T>(limitMs: number, work: (session: Session) => Promise<T>): Promise<T>;
  /** Throws UNAVAILABLE where the server does not answer within seconds. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export function openPool(options: PoolOptions): Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connections,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    // Whoever vanishes while nothing is asked is noticed by the system.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: "sluice",
    statement_timeout: options.statementTimeoutMs,
    // The rows of a transaction whose node vanished are not locked for longer.
    idle_in_transaction_session_timeout: 20_000,
    query_timeout: options.statementTimeoutMs + silenceMs,
    types,
  });
  // A connection that is lost while nobody uses it is replaced; the next query says so if it cannot be.
  pool.on("error", () => {});
  // The same between two statements of a transaction, where the pool does not listen: the next statement fails.
  pool.on("connect", (client) => client.on("error", () => {}));
  const { firstMs, mostMs } = options.transactionTimeoutMs;
  let timeoutMs = firstMs;
  const database: Database = {
    ...statements(pool),
    async transaction(work) {
      const client = await pool.connect().catch(rethrow);
      let broken = false;
      try {
        // Takes no time at all: it is here that a connection is found to be of no use.
        await client.query(limited(`begin; set local statement_timeout = ${timeoutMs}`, silenceMs)).catch(rethrow);
        const result = await work(inTransaction(client, timeoutMs + silenceMs, 1));
        const { command } = await client.query(limited("commit", timeoutMs + silenceMs)).catch(rethrow);
        if (command !== "COMMIT") throw new Error("the transaction was rolled back: a statement in it had failed");
        timeoutMs = firstMs;
        return result;
      } catch (error) {
        if (error instanceof SluiceError && error.code === "TIMEOUT") timeoutMs = Math.min(2 * timeoutMs, mostMs);
        broken = isLost(error);
        if (!broken) {
          await client.query(limited("rollback", silenceMs)).catch(() => {
            broken = true;
          });
        }
        throw error;
      } finally {
        client.release(broken);
      }
    },
  };
  return {
    database,
    async session(limitMs, work) {
      const client = await pool.connect().catch(rethrow);
      let left = false;
      try {
        await client.query(limited(`set statement_timeout = ${limitMs}`, silenceMs)).catch(rethrow);
        const result = await work(statements(client, limitMs + silenceMs));
        await client.query(limited(`set statement_timeout = ${options.statementTimeoutMs}`, silenceMs)).catch(rethrow);
        left = true;
        return result;
      } finally {
        // With whatever it still held.
        client.release(!left);
      }
    },
    async ping() {
      await pool.query(limited("select 1", silenceMs)).catch(rethrow);
    },
    close: () => pool.end(),
  };
}

/** The connection broke or went silent: nothing more is asked of it. */
function isLost(error: unknown): boolean {
  return error instanceof SluiceError && error.code === "UNAVAILABLE" && !(error.cause instanceof pg.DatabaseError);
}

/** Given up after so long without an answer; the connection is then of no use any more. */
function limited(text: string, query_timeout: number): pg.QueryConfig {
  // `pg` knows the limit of a query by itself, its types only that of a client.
  return { text, query_timeout } as pg.QueryConfig;
}

function inTransaction(client: pg.PoolClient, limitMs: number, depth: number): Database {
  const here = statements(client, limitMs);
  return {
    ...here,
    async transaction(work) {
      await here.query(`savepoint s${depth}`);
      try {
        const result = await work(inTransaction(client, limitMs, depth + 1));
        await here.query(`release savepoint s${depth}`);
        return result;
      } catch (error) {
        await here.query(`rollback to savepoint s${depth}`);
        throw error;
      }
    },
  };
}

/** `limitMs`: for an answer, where it is not the pool's own limit. */
function statements(client: pg.Pool | pg.PoolClient, limitMs?: number): Pick<Database, "orm" | "query"> {
  const limit = limitMs === undefined ? {} : { query_timeout: limitMs };
  return {
    // drizzle's pg driver parses json by pg's global parsers, which lose digits; its proxy driver leaves that to us.
    orm: drizzle(async (text, values, method) => {
      const query =
        method === "all" ? { text, values, rowMode: "array" as const, ...limit } : { text, values, ...limit };
      return { rows: (await client.query(query).catch(rethrow)).rows };
    }),
    async query<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
      // Without values a text may hold several statements.
      const given = values.length > 0 ? { values: [...values] } : {};
      return (await client.query({ text, ...given, ...limit }).catch(rethrow)).rows;
    },
  };
}

function rethrow(error: unknown): never {
  throw translate(error);
}
