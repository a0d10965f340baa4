import pg from "pg";
import type { DestinationMode, WriteFailure } from "../sdk/index.ts";
import type { Column } from "./catalog.ts";
import { parameterOf, plainText, quoted } from "./element.ts";
import { meaningOf, withoutValues } from "./errors.ts";
import type { RowToWrite } from "./row.ts";
import type { Session } from "./session.ts";
import type { Table } from "./table.ts";

/** What is wrong with one record: the column where it can be told, SQLSTATE, and never the value. Within a transaction. */
export async function failureOf(
  session: Session,
  table: Table,
  mode: DestinationMode,
  row: RowToWrite,
  error: unknown,
): Promise<WriteFailure> {
  if (!(error instanceof pg.DatabaseError)) throw error;
  const { code } = meaningOf(error);
  const isData = error.code?.startsWith("22") ?? false;
  const field = error.column ?? (isData ? await columnAtFault(session, table, row, error) : undefined);
  const what = `${withoutValues(error.message)} (SQLSTATE ${error.code})`;
  return {
    index: row.index,
    // 409 counts as done in mode upsert, but a row that collides in another unique index was not written.
    code: code === "CONFLICT" && mode === "upsert" ? "BUSINESS_RULE" : code,
    message: field === undefined ? `Postgres: ${what}.` : `The field ${field} does not fit its column: ${what}.`,
  };
}

/** Postgres does not say in which column a value was refused, so each is tried by itself. */
async function columnAtFault(
  session: Session,
  table: Table,
  row: RowToWrite,
  error: pg.DatabaseError,
): Promise<string | undefined> {
  for (const field of row.shape.fields) {
    const column = table.column(field)!;
    const value = row.value[field]!;
    if (value === null || column.generated) continue;
    // A cast cuts a text that is too long; the error says for which type it was.
    const limit = /\((\d+)\)$/.exec(column.fullType)?.[1];
    if (error.code === "22001" && error.message.endsWith(column.fullType)) {
      if ([...plainText(value)].length > Number(limit)) return field;
    } else if (error.code !== "22001" && !(await fits(session, column, value))) return field;
  }
  return undefined;
}

async function fits(session: Session, column: Column, value: Parameters<typeof plainText>[0]): Promise<boolean> {
  const { arrayType, expression, text } = parameterOf(column);
  await session.rows("SAVEPOINT value");
  try {
    const element = column.category === "A" || typeof value === "object" ? text(value) : plainText(value);
    const json = [114, 3802].includes(column.oid) ? JSON.stringify(value) : element;
    await session.rows(`SELECT (${expression("r.c")})::${column.fullType} FROM unnest($1::${arrayType}) r(c)`, [
      `{${quoted(json)}}`,
    ]);
    return true;
  } catch (error) {
    if (meaningOf(error).fault !== "record") throw error;
    return false;
  } finally {
    await session.rows("ROLLBACK TO value; RELEASE value");
  }
}
