import {
  type Connector,
  ConnectorError,
  type ConnectorType,
  type Destination,
  type DestinationOptions,
  type Json,
  type LookupResult,
  type Source,
  type SourceOptions,
  StaleOwnerError,
  type StreamInfo,
} from "../sdk/index.ts";
import {
  type Column,
  columnNamed,
  describeQuery,
  findTable,
  listTables,
  noSuchTable,
  type Relation,
} from "./catalog.ts";
import { type Address, addressOf, type PostgresConfig, postgresConfig } from "./config.ts";
import { type Connection, PostgresDestination } from "./destination.ts";
import { type Setting, statementError } from "./errors.ts";
import { IncrementalSource } from "./incremental-source.ts";
import { isScalar, recordSchema } from "./json-type.ts";
import { LookupSession, lookupRequest } from "./lookup.ts";
import { columnOf } from "./names.ts";
import { bookkeepingTables, Ownership } from "./ownership.ts";
import { Session } from "./session.ts";
import { FullSource, names } from "./source.ts";
import { Table } from "./table.ts";

export type { PostgresConfig } from "./config.ts";

/** PostgreSQL from 13 on; see docs/connectors/postgres.md. */
export const postgres: ConnectorType<PostgresConfig> = {
  type: "postgres",
  version: "1.0.0",
  title: "PostgreSQL",
  description: "Reads tables and queries, whole or by what is new, and writes tables by insert or upsert.",
  config: postgresConfig,
  capabilities: {
    source: { modes: ["full", "incremental"] },
    destination: { modes: ["append", "upsert"] },
    lookup: { request: lookupRequest },
  },
  create: (config) => new Postgres(config, addressOf(config)),
};

class Postgres implements Connector {
  readonly provider: string;
  readonly #config: PostgresConfig;
  readonly #address: Address;
  #lookups: Promise<unknown> = Promise.resolve();
  #lookupSession: LookupSession | undefined;

  constructor(config: PostgresConfig, address: Address) {
    this.#config = config;
    this.#address = address;
    this.provider = `${address.host}:${address.port}`;
  }

  async check(signal: AbortSignal): Promise<void> {
    await this.#briefly(signal, async (session) => {
      for (const [name, text] of Object.entries(this.#config.queries ?? {})) await describeQuery(session, name, text);
    });
  }

  async discover(signal: AbortSignal): Promise<StreamInfo[]> {
    return this.#briefly(signal, async (session) => {
      const streams: StreamInfo[] = [];
      for (const [name, text] of Object.entries(this.#config.queries ?? {})) {
        streams.push(streamInfo(name, await describeQuery(session, name, text), true));
      }
      for (const { name } of await listTables(session)) {
        const relation = Object.hasOwn(this.#config.queries ?? {}, name) ? undefined : await findTable(session, name);
        if (relation) streams.push(streamInfo(name, relation, this.#config.create_table !== true));
      }
      return streams;
    });
  }

  async openSource(options: SourceOptions): Promise<Source> {
    const { stream, mode, cursorField, signal } = options;
    const session = await Session.open(this.#address, true, signal);
    return closedOnError(session, signal, "source.stream", async () => {
      const relation = await this.#relation(session, stream);
      const columns = relation.columns;
      if (columns.length === 0) throw invalid(`${stream} has no columns.`, "source.stream");
      // Says at once whether the role may read it.
      await session.rows(`SELECT ${names(columns)} FROM ${relation.sql} t LIMIT 0`);
      const key = keyOf(relation);
      if (mode === "full") return new FullSource(session, relation, key, options);
      const path = "source.cursor_field";
      if (cursorField === undefined) throw invalid("Mode incremental needs a cursor_field.", path);
      const field = columnNamed(relation, columnOf(cursorField, path), stream, path);
      if (!isScalar(field))
        throw invalid(`${field.name} is of type ${field.type}, which has no order to read by.`, path);
      return new IncrementalSource(session, relation, field, key, options);
    });
  }

  async openDestination(options: DestinationOptions): Promise<Destination> {
    const { stream, mode, key, owner, idempotencyWindowMs = 0, timeout, signal } = options;
    if (mode === "replace") throw invalid("Postgres has no mode replace.", "destination.mode");
    const columns = key.map((path) => columnOf(path, "destination.key"));
    if (mode === "upsert" && columns.length === 0) throw invalid("Mode upsert needs a key.", "destination.key");
    const windowMs = mode === "append" ? idempotencyWindowMs : 0;
    const table = { stream, mode, key: columns, create: this.#config.create_table ?? false };
    const connect = async (during: AbortSignal): Promise<Connection> => {
      const session = await Session.open(this.#address, false, during, timeout);
      return closedOnError(session, during, "destination.stream", async () => {
        // Nothing is made beside a table that cannot be written.
        await Table.open(session, table);
        return { session, ownership: owner && (await Ownership.take(session, stream, owner, windowMs)) };
      });
    };
    const connection = await connect(signal);
    const warnings = owner && !connection.ownership ? [unfenced(stream)] : [];
    return new PostgresDestination(connection, { ...table, windowMs, warnings }, connect);
  }

  /** Requests of several steps wait for each other: they share one connection. */
  lookup(requests: readonly Json[], signal: AbortSignal): Promise<LookupResult> {
    const answered = this.#lookups.then(async () => {
      if (!this.#lookupSession || this.#lookupSession.lost) {
        this.#lookupSession = await LookupSession.open(this.#address, this.#config, signal);
      }
      return this.#lookupSession.lookUp(requests, signal);
    });
    this.#lookups = answered.catch(() => undefined);
    return answered;
  }

  async close(): Promise<void> {
    await this.#lookups;
    await this.#lookupSession?.close();
  }

  async #relation(session: Session, stream: string): Promise<Relation> {
    const queries = this.#config.queries ?? {};
    if (Object.hasOwn(queries, stream)) return describeQuery(session, stream, queries[stream]!);
    const found = await findTable(session, stream);
    if (!found) throw await noSuchTable(session, stream, "source.stream", Object.keys(queries));
    return found;
  }

  async #briefly<T>(signal: AbortSignal, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await Session.open(this.#address, true, signal);
    try {
      return await session.during(signal, () => work(session));
    } catch (error) {
      signal.throwIfAborted();
      throw statementError(error, "source.stream");
    } finally {
      await session.close();
    }
  }
}

async function closedOnError<T>(
  session: Session,
  signal: AbortSignal,
  path: Setting,
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await session.during(signal, open);
  } catch (error) {
    session.destroy();
    signal.throwIfAborted();
    throw error instanceof StaleOwnerError ? error : statementError(error, path);
  }
}

/** The columns of a unique key along which the rows can be read: never null, and with an order. */
function keyOf(relation: Relation): Column[] | undefined {
  for (const key of relation.keys) {
    const columns = key.map((name) => relation.columns.find((column) => column.name === name)!);
    if (columns.every((column) => column.notNull && isScalar(column))) return columns;
  }
  return undefined;
}

function streamInfo(name: string, relation: Relation, closed: boolean): StreamInfo {
  const key = keyOf(relation)?.map((column) => fieldPath(column.name));
  const paths = (columns: readonly Column[]) => columns.map((column) => fieldPath(column.name));
  const needed = ({ notNull, hasDefault, generated }: Column) => notNull && !hasDefault && !generated;
  return {
    name,
    schema: recordSchema(relation.columns, closed),
    required: paths(relation.columns.filter(needed)),
    cursorFields: paths(relation.columns.filter(isScalar)),
    ...(key ? { key } : {}),
  };
}

function fieldPath(name: string): string {
  return /^[^.[\]'"*\s]+$/.test(name) ? name : `[${JSON.stringify(name)}]`;
}

function unfenced(stream: string): string {
  const tables = bookkeepingTables.join(" and ");
  return `The role may not make or use the tables ${tables} beside ${stream}: a node that was paused may write there what another has written.`;
}

function invalid(message: string, path: string): ConnectorError {
  return new ConnectorError("VALIDATION_ERROR", message, { fault: "destination", path });
}
