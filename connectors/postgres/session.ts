import pg from "pg";
import { ConnectorError } from "../sdk/index.ts";
import type { Address } from "./config.ts";
import { CopyOut } from "./copy-out.ts";
import { connectError } from "./errors.ts";
import { identifier } from "./names.ts";

/** A row as the server writes it, so that no digit and no microsecond is lost. */
export type Row = (string | null)[];

const asText = { getTypeParser: () => (text: string) => text };

/** In milliseconds. */
export interface Patience {
  readonly connectMs: number;
  /** For a statement, by the server's clock: one that is given up has done nothing. Undefined: without end. */
  readonly readMs?: number;
}
const patience: Patience = { connectMs: 5_000 };

/**
 * Settings that make every value's text the same whatever the role's defaults, and that let a backend notice within a
 * second that we are gone. Those that the server does not know are left out.
 */
const settings: { readonly [name: string]: string } = {
  TimeZone: "UTC",
  DateStyle: "ISO, YMD",
  IntervalStyle: "postgres",
  bytea_output: "hex",
  extra_float_digits: "1",
  client_min_messages: "error",
  // A scan that begins where another one stands would give the rows of a table without a key another order each time.
  synchronize_seqscans: "off",
  client_connection_check_interval: "1s",
};

/** A process that was paused within a transaction must not keep whoever takes over from it waiting for ever. */
const idleInTransaction = "10s";

/** The server takes no more. */
const longestTimeoutMs = 2 ** 31 - 1;

/** A server that does not say within so many milliseconds what it does is away. */
const askedMs = 10_000;

/** One connection. Statements run one after another. */
export class Session {
  readonly #client: pg.Client;
  readonly #address: Address;
  #lost = false;

  private constructor(client: pg.Client, address: Address) {
    this.#client = client;
    this.#address = address;
    // Errors also reach the statement under way; without a listener they would end the process.
    client.on("error", () => this.destroy());
    client.on("end", () => {
      this.#lost = true;
    });
  }

  /** Throws a ConnectorError that names the setting at fault. */
  static async open(
    address: Address,
    readOnly: boolean,
    signal: AbortSignal,
    { connectMs, readMs }: Patience = patience,
  ): Promise<Session> {
    signal.throwIfAborted();
    const { host, port, database, user, password, ssl } = address;
    const client = new pg.Client({
      host,
      port,
      database,
      user,
      // As a function: an empty password must not be looked for in PGPASSWORD or ~/.pgpass.
      password: () => password,
      ssl,
      application_name: "sluice",
      connectionTimeoutMillis: Math.min(connectMs, longestTimeoutMs),
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      types: asText as pg.CustomTypesConfig,
    });
    const session = new Session(client, address);
    try {
      await session.during(signal, async () => {
        await client.connect();
        await session.#set(address.schema, readOnly, readMs);
      });
      return session;
    } catch (error) {
      session.destroy();
      if (signal.aborted || error instanceof ConnectorError) throw error;
      throw connectError(error, address);
    }
  }

  async #set(schema: string | undefined, readOnly: boolean, readMs: number | undefined): Promise<void> {
    const all = {
      ...settings,
      default_transaction_read_only: readOnly ? "on" : "off",
      ...(readOnly ? {} : { idle_in_transaction_session_timeout: idleInTransaction }),
      ...(readMs === undefined ? {} : { statement_timeout: String(Math.min(readMs, longestTimeoutMs)) }),
      ...(schema === undefined ? {} : { search_path: identifier(schema) }),
    };
    await this.rows(
      "SELECT set_config(s.name, v.value, false) FROM json_each_text($1) v(name, value) JOIN pg_settings s ON s.name = v.name",
      [JSON.stringify(all)],
    );
    if (schema === undefined) return;
    const [found] = await this.rows("SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema]);
    if (found) return;
    throw new ConnectorError("NOT_FOUND", `There is no schema ${schema} in the database.`, {
      fault: "destination",
      path: "config.schema",
    });
  }

  /** True once the connection is of no use any more. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Throws what the server answers (`pg.DatabaseError`), or an Error when the connection broke. */
  async rows(text: string, values: readonly (string | null)[] = [], name?: string): Promise<Row[]> {
    const config = { text, values: values as (string | null)[], rowMode: "array" as const };
    const result = await this.#client.query<Row>(name === undefined ? config : { ...config, name });
    return result.rows;
  }

  /** Columns that a statement would give, without running it. Refuses several statements in one text. */
  async describe(text: string): Promise<{ name: string; oid: number }[]> {
    const query = { text: `SELECT * FROM (${text}\n) q LIMIT 0`, queryMode: "extended", rowMode: "array" as const };
    const { fields } = await this.#client.query<Row>(query);
    return fields.map((field) => ({ name: field.name, oid: field.dataTypeID }));
  }

  /** Begins `COPY (select) TO STDOUT`, where `select` gives one JSON text a row. */
  copyOut(select: string, aims: { readonly records: number; readonly bytes: number }): CopyOut {
    return this.#client.query(new CopyOut(select, aims));
  }

  /**
   * Whether the server works on this connection's statement. Asked over another one, since this one may be broken
   * without anybody's noticing: the server then waits for us to take what it has sent.
   */
  async working(signal: AbortSignal): Promise<boolean> {
    // The driver's types leave it out.
    const { processID } = this.#client as pg.Client & { readonly processID: number | null };
    const brief = AbortSignal.any([signal, AbortSignal.timeout(askedMs)]);
    try {
      const other = await Session.open(this.#address, true, brief);
      try {
        const asked =
          "SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Client'";
        return (await other.during(brief, () => other.rows(asked, [String(processID)]))).length > 0;
      } finally {
        await other.close();
      }
    } catch {
      return false;
    }
  }

  /** Runs `work`; an abort in the meantime breaks the connection, so that a server that hangs stops nobody. */
  async during<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const stop = () => this.destroy();
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  destroy(): void {
    this.#lost = true;
    this.#client.connection.stream.destroy();
  }

  /** Says goodbye; a server that does not answer is left after a second. */
  async close(): Promise<void> {
    if (this.#lost) return;
    this.#lost = true;
    const timer = setTimeout(() => this.destroy(), 1_000);
    await this.#client.end().catch(() => undefined);
    clearTimeout(timer);
  }
}
