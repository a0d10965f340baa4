import {
  ConnectorError,
  type Destination,
  type Json,
  type JsonObject,
  StaleOwnerError,
  type WriteBatch,
  type WriteFailure,
  type WriteResult,
} from "../sdk/index.ts";
import { meaningOf, statementError } from "./errors.ts";
import { failureOf } from "./failure.ts";
import { bookkeepingTables, type Ownership } from "./ownership.ts";
import { mergeByKey, type RowToWrite } from "./row.ts";
import type { Session } from "./session.ts";
import { Table, type TableOptions } from "./table.ts";

/** A session, and its hold on the destination where there is one. */
export interface Connection {
  readonly session: Session;
  readonly ownership: Ownership | undefined;
}

/** What a write goes by. */
interface Write extends Connection {
  /** Rows reach the table in the order of their records, also where their fields differ: a statement for each change. */
  readonly inOrder: boolean;
}

/** Between two looks for keys that are past their window: a tenth of it, within these bounds. */
const purge = { leastMs: 60_000, mostMs: 3_600_000 };

/** Writes batches as sets; durable when `write` resolves, since that is after the commit. */
export class PostgresDestination implements Destination {
  /** One after another: upserts of a key keep their order, and a second connection measured no faster (decision 0006). */
  readonly concurrency = 1;
  readonly dedupes: boolean;
  readonly warnings: readonly string[];
  readonly #options: TableOptions;
  readonly #connect: (signal: AbortSignal) => Promise<Connection>;
  readonly #purgeMs: number;
  #connection: Connection;
  #table: Table | undefined;
  #purgeAt = 0;

  constructor(
    connection: Connection,
    options: TableOptions & { readonly windowMs: number; readonly warnings: readonly string[] },
    connect: (signal: AbortSignal) => Promise<Connection>,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#connect = connect;
    this.dedupes = connection.ownership?.processed !== undefined;
    this.warnings = options.warnings;
    this.#purgeMs = Math.min(purge.mostMs, Math.max(purge.leastMs, options.windowMs / 10));
  }

  async write({ records, keys, ordered = false, signal }: WriteBatch): Promise<WriteResult> {
    const connection = await this.#connected(signal);
    const { session } = connection;
    // By upsert a key is written once, as its last record has it.
    const write = { ...connection, inOrder: ordered && this.#options.mode !== "upsert" };
    const failed: WriteFailure[] = [];
    try {
      await session.during(signal, async () => {
        const objects: JsonObject[] = [];
        const indexes: number[] = [];
        for (let index = 0; index < records.length; index++) {
          const { value } = records[index]!;
          if (isObject(value)) {
            objects.push(value);
            indexes.push(index);
          } else failed.push({ index, code: "VALIDATION_ERROR", message: "The record is no object." });
        }
        if (objects.length === 0) return;
        this.#table = await this.#tableFor(connection, objects);
        const rows = this.#rows(this.#table, { objects, indexes, keys }, failed);
        if (rows.length > 0) await this.#insert(write, this.#table, rows, failed);
      });
    } catch (error) {
      // A transaction that was begun must not be met by the next batch, and the table may have changed.
      session.destroy();
      this.#table = undefined;
      if (signal.aborted) {
        throw new ConnectorError("UNAVAILABLE", "Stopped while writing; what Postgres did is not known.", {
          fault: "transient",
        });
      }
      throw error instanceof StaleOwnerError ? error : statementError(error, "destination.stream");
    }
    if (this.dedupes) await this.#purge(connection);
    return failed.length === 0 ? {} : { failed };
  }

  async complete(): Promise<void> {}

  async close(): Promise<void> {
    await this.#connection.session.close();
  }

  async #connected(signal: AbortSignal): Promise<Connection> {
    if (!this.#connection.session.lost) return this.#connection;
    const connection = await this.#connect(signal);
    if (this.dedupes && connection.ownership?.processed === undefined) {
      await connection.session.close();
      const message = `The role may no longer use the tables ${bookkeepingTables.join(" and ")}.`;
      throw new ConnectorError("FORBIDDEN", message, { fault: "destination", path: "destination.stream" });
    }
    this.#table = undefined;
    this.#connection = connection;
    return connection;
  }

  async #tableFor({ session, ownership }: Connection, records: readonly JsonObject[]): Promise<Table> {
    const options = { ...this.#options, ownership };
    const table = this.#table ?? (await Table.open(session, options));
    if (!table) return Table.create(session, options, records);
    return table.withColumnsFor(session, records);
  }

  #rows(
    table: Table,
    {
      objects,
      indexes,
      keys,
    }: {
      readonly objects: readonly JsonObject[];
      readonly indexes: readonly number[];
      readonly keys: readonly string[] | undefined;
    },
    failed: WriteFailure[],
  ): readonly RowToWrite[] {
    const { mode } = this.#options;
    const key = mode === "upsert" ? this.#options.key : [];
    const rows: RowToWrite[] = [];
    let fields: string[] = [];
    let shape = table.shapeOf(fields);
    for (let at = 0; at < objects.length; at++) {
      const value = objects[at]!;
      const own = Object.keys(value);
      if (!isSame(own, fields)) shape = table.shapeOf((fields = own));
      const index = indexes[at]!;
      const missing = key.find((name) => value[name] === null);
      const message = shape.refusal ?? (missing === undefined ? undefined : `The key ${missing} is null.`);
      if (message === undefined) rows.push({ index, value, shape, key: keys?.[index] });
      else failed.push({ index, code: "VALIDATION_ERROR", message });
    }
    return mode === "upsert" ? mergeByKey(rows, key, (names) => table.shapeOf(names)) : rows;
  }

  /** Now and then, between two writes; what cannot be deleted now is later. */
  async #purge({ session, ownership }: Connection): Promise<void> {
    const now = performance.now();
    if (now < this.#purgeAt) return;
    const more = await ownership!.purge(session).catch(() => false);
    if (!more) this.#purgeAt = now + this.#purgeMs;
  }

  async #insert(write: Write, table: Table, rows: readonly RowToWrite[], failed: WriteFailure[]): Promise<void> {
    try {
      await insertAll(write, rows);
    } catch (error) {
      if (meaningOf(error).fault !== "record") throw error;
      await this.#narrow(write, table, rows, failed);
    }
  }

  /** Invariant 6: only the records that fail are refused; the others are committed together. */
  async #narrow(write: Write, table: Table, rows: readonly RowToWrite[], failed: WriteFailure[]): Promise<void> {
    const { session } = write;
    await session.rows("BEGIN");
    // A constraint that waits for the commit would fail all at once.
    await session.rows("SET CONSTRAINTS ALL IMMEDIATE");
    let rest = rows;
    for (let before = Number.POSITIVE_INFINITY; rest.length > 0 && rest.length < before; ) {
      before = rest.length;
      const refused: { row: RowToWrite; error: unknown }[] = [];
      await settle(write, rest, refused);
      // A row may have waited for one that it refers to and that came later in the batch.
      const orphans = refused.filter(({ error }) => isMissingReference(error));
      const again = orphans.length > 0 && orphans.length < before;
      for (const { row, error } of again ? refused.filter((each) => !orphans.includes(each)) : refused) {
        failed.push(await failureOf(session, table, this.#options.mode, row, error));
      }
      rest = again ? orphans.map(({ row }) => row) : [];
    }
    await session.rows("COMMIT");
  }
}

/** Tries the rows together, else each half; a row that fails alone is refused. */
async function settle(
  write: Write,
  rows: readonly RowToWrite[],
  refused: { row: RowToWrite; error: unknown }[],
): Promise<void> {
  const { session } = write;
  await session.rows("SAVEPOINT part");
  try {
    for (const group of groupsOf(rows, write)) await insert(write, group);
    await session.rows("RELEASE part");
    return;
  } catch (error) {
    if (meaningOf(error).fault !== "record") throw error;
    await session.rows("ROLLBACK TO part; RELEASE part");
    const [only] = rows;
    if (rows.length === 1 && !only!.parts) {
      refused.push({ row: only!, error });
      return;
    }
  }
  if (rows.length === 1) {
    for (const part of rows[0]!.parts!) await settle(write, [part], refused);
    return;
  }
  const half = rows.length >> 1;
  await settle(write, rows.slice(0, half), refused);
  await settle(write, rows.slice(half), refused);
}

/** One statement is a transaction of its own; several are put into one. */
async function insertAll(write: Write, rows: readonly RowToWrite[]): Promise<void> {
  const { session } = write;
  const groups = groupsOf(rows, write);
  if (groups.length === 1) return insert(write, rows);
  await session.rows("BEGIN");
  try {
    for (const group of groups) await insert(write, group);
    await session.rows("COMMIT");
  } catch (error) {
    if (meaningOf(error).fault === "record") await session.rows("ROLLBACK");
    throw error;
  }
}

/** Rows of one shape. Throws StaleOwnerError where the connection holds the destination no longer. */
async function insert({ session, ownership }: Connection, rows: readonly RowToWrite[]): Promise<void> {
  const { statement, name } = rows[0]!.shape;
  const keyed = ownership?.processed !== undefined;
  const once = keyed ? firstOfEachKey(rows) : rows;
  const parameters = statement!.parameters(once.map((row) => row.value));
  if (ownership) parameters.push(...ownership.parameters(keyed ? once.map((row) => row.key!) : []));
  const [held] = await session.rows(statement!.sql, parameters, name);
  if (ownership && held![0] === "0") throw new StaleOwnerError("The destination has a later owner.");
}

/** Those behind it share its fate: they are written with it, or looked at again without it. */
function firstOfEachKey(rows: readonly RowToWrite[]): readonly RowToWrite[] {
  const keys = new Set<string | undefined>();
  return rows.filter(({ key }) => keys.size < keys.add(key).size);
}

function groupsOf(rows: readonly RowToWrite[], { inOrder }: Write): readonly (readonly RowToWrite[])[] {
  const { shape } = rows[0]!;
  if (rows.every((row) => row.shape === shape)) return [rows];
  if (!inOrder) return [...Map.groupBy(rows, (row) => row.shape).values()];
  const starts = rows.flatMap((row, at) => (row.shape === rows[at - 1]?.shape ? [] : [at]));
  return starts.map((start, at) => rows.slice(start, starts[at + 1]));
}

function isMissingReference(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "23503";
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
