import { drizzle, type PgRemoteDatabase } from "drizzle-orm/pg-proxy";
import pg from "pg";
import { parseJson } from "../../runtime/record/index.ts";
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

export interface PoolOptions {
  readonly url: string;
  readonly connections: number;
  /** For a statement by itself; one in a transaction has `transactionTimeoutMs`. */
  readonly statementTimeoutMs: number;
  readonly transactionTimeoutMs: number;
}

const { JSON: jsonOid, JSONB: jsonbOid, INT8: int8Oid } = pg.types.builtins;

/** Numbers in JSON keep their digits; counters are numbers, not text. All else as `pg` does it. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid) => {
    if (oid === jsonOid || oid === jsonbOid) return parseJson;
    return oid === int8Oid ? Number : pg.types.getTypeParser(oid, "text");
  },
};

export function openPool(options: PoolOptions): { database: Database; close(): Promise<void> } {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connections,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: "sluice",
    statement_timeout: options.statementTimeoutMs,
    idle_in_transaction_session_timeout: 60_000,
    // The last resort where a host vanished without a word: the server's own limits come first.
    query_timeout: options.transactionTimeoutMs + 10_000,
    types,
  });
  // A connection that is lost while nobody uses it is replaced; the next query says so if it cannot be.
  pool.on("error", () => {});
  // The same between two statements of a transaction, where the pool does not listen: the next statement fails.
  pool.on("connect", (client) => client.on("error", () => {}));
  const database: Database = {
    ...statements(pool),
    async transaction(work) {
      const client = await pool.connect().catch(rethrow);
      let broken = false;
      try {
        await client.query(`begin; set local statement_timeout = ${options.transactionTimeoutMs}`).catch(rethrow);
        const result = await work(inTransaction(client, 1));
        const { command } = await client.query("commit").catch(rethrow);
        if (command !== "COMMIT") throw new Error("the transaction was rolled back: a statement in it had failed");
        return result;
      } catch (error) {
        await client.query("rollback").catch(() => {
          broken = true;
        });
        throw error;
      } finally {
        client.release(broken);
      }
    },
  };
  return { database, close: () => pool.end() };
}

function inTransaction(client: pg.PoolClient, depth: number): Database {
  const here = statements(client);
  return {
    ...here,
    async transaction(work) {
      await here.query(`savepoint s${depth}`);
      try {
        const result = await work(inTransaction(client, depth + 1));
        await here.query(`release savepoint s${depth}`);
        return result;
      } catch (error) {
        await here.query(`rollback to savepoint s${depth}`);
        throw error;
      }
    },
  };
}

function statements(client: pg.Pool | pg.PoolClient): Pick<Database, "orm" | "query"> {
  return {
    // drizzle's pg driver parses json by pg's global parsers, which lose digits; its proxy driver leaves that to us.
    orm: drizzle(async (text, values, method) => {
      const query = method === "all" ? { text, values, rowMode: "array" as const } : { text, values };
      return { rows: (await client.query(query).catch(rethrow)).rows };
    }),
    async query<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
      return (await client.query({ text, values: [...values] }).catch(rethrow)).rows;
    },
  };
}

function rethrow(error: unknown): never {
  throw translate(error);
}
