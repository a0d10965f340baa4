import {
  ConnectorError,
  type Destination,
  type Json,
  type JsonObject,
  type WriteBatch,
  type WriteFailure,
  type WriteResult,
} from "../sdk/index.ts";
import { meaningOf, statementError } from "./errors.ts";
import { failureOf } from "./failure.ts";
import { mergeByKey, type RowToWrite } from "./row.ts";
import type { Session } from "./session.ts";
import { Table, type TableOptions } from "./table.ts";

/** Writes batches as sets; durable when `write` resolves, since that is after the commit. */
export class PostgresDestination implements Destination {
  /** One after another: upserts of a key keep their order, and a second connection measured no faster (decision 0006). */
  readonly concurrency = 1;
  readonly #options: TableOptions;
  readonly #connect: (signal: AbortSignal) => Promise<Session>;
  #session: Session;
  #table: Table | undefined;

  constructor(
    session: Session,
    table: Table | undefined,
    options: TableOptions,
    connect: (signal: AbortSignal) => Promise<Session>,
  ) {
    this.#session = session;
    this.#table = table;
    this.#options = options;
    this.#connect = connect;
  }

  async write({ records, signal }: WriteBatch): Promise<WriteResult> {
    if (this.#session.lost) this.#session = await this.#connect(signal);
    const session = this.#session;
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
        this.#table = await this.#tableFor(session, objects);
        const rows = this.#rows(this.#table, objects, indexes, failed);
        if (rows.length > 0) await this.#insert(session, this.#table, rows, failed);
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
      throw statementError(error, "destination.stream");
    }
    return failed.length === 0 ? {} : { failed };
  }

  async complete(): Promise<void> {}

  async close(): Promise<void> {
    await this.#session.close();
  }

  async #tableFor(session: Session, records: readonly JsonObject[]): Promise<Table> {
    const table = this.#table ?? (await Table.open(session, this.#options));
    if (!table) return Table.create(session, this.#options, records);
    return table.withColumnsFor(session, records);
  }

  #rows(
    table: Table,
    objects: readonly JsonObject[],
    indexes: readonly number[],
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
      if (message === undefined) rows.push({ index, value, shape });
      else failed.push({ index, code: "VALIDATION_ERROR", message });
    }
    return mode === "upsert" ? mergeByKey(rows, key, (names) => table.shapeOf(names)) : rows;
  }

  async #insert(session: Session, table: Table, rows: readonly RowToWrite[], failed: WriteFailure[]): Promise<void> {
    try {
      await insertAll(session, rows);
    } catch (error) {
      if (meaningOf(error).fault !== "record") throw error;
      await this.#narrow(session, table, rows, failed);
    }
  }

  /** Invariant 6: only the records that fail are refused; the others are committed together. */
  async #narrow(session: Session, table: Table, rows: readonly RowToWrite[], failed: WriteFailure[]): Promise<void> {
    await session.rows("BEGIN");
    // A constraint that waits for the commit would fail all at once.
    await session.rows("SET CONSTRAINTS ALL IMMEDIATE");
    let rest = rows;
    for (let before = Number.POSITIVE_INFINITY; rest.length > 0 && rest.length < before; ) {
      before = rest.length;
      const refused: { row: RowToWrite; error: unknown }[] = [];
      await settle(session, rest, refused);
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
  session: Session,
  rows: readonly RowToWrite[],
  refused: { row: RowToWrite; error: unknown }[],
): Promise<void> {
  await session.rows("SAVEPOINT part");
  try {
    for (const group of groupsOf(rows)) await insert(session, group);
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
    for (const part of rows[0]!.parts!) await settle(session, [part], refused);
    return;
  }
  const half = rows.length >> 1;
  await settle(session, rows.slice(0, half), refused);
  await settle(session, rows.slice(half), refused);
}

/** One statement is a transaction of its own; several are put into one. */
async function insertAll(session: Session, rows: readonly RowToWrite[]): Promise<void> {
  const groups = groupsOf(rows);
  if (groups.length === 1 && groups[0]![0]!.shape.statement!.isSet) return insert(session, rows);
  await session.rows("BEGIN");
  try {
    for (const group of groups) await insert(session, group);
    await session.rows("COMMIT");
  } catch (error) {
    if (meaningOf(error).fault === "record") await session.rows("ROLLBACK");
    throw error;
  }
}

/** Rows of one shape. */
async function insert(session: Session, rows: readonly RowToWrite[]): Promise<void> {
  const { statement, name } = rows[0]!.shape;
  if (statement!.isSet) {
    await session.rows(statement!.sql, statement!.parameters(rows.map((row) => row.value)), name);
  } else for (const _ of rows) await session.rows(statement!.sql);
}

function groupsOf(rows: readonly RowToWrite[]): readonly (readonly RowToWrite[])[] {
  const { shape } = rows[0]!;
  if (rows.every((row) => row.shape === shape)) return [rows];
  return [...Map.groupBy(rows, (row) => row.shape).values()];
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
