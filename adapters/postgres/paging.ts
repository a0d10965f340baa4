import type { SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { Json } from "../../connectors/sdk/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { Page, PageOptions } from "../../runtime/ports/store.ts";
import { asc, desc, gt, lt, sql } from "./drizzle.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Postgres refuses to compare an id with what is none; nothing has such an id. */
export function isUuid(text: string): boolean {
  return uuid.test(text);
}

/** The lowest UUIDv7 of a millisecond since the epoch: its time is in the first 48 bits. */
export function idAt(ms: number): string {
  const hex = Math.min(Math.max(0, Math.floor(ms)), 2 ** 48 - 1)
    .toString(16)
    .padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** At that time or earlier, as it is shown: Postgres keeps microseconds, an answer and a parameter have milliseconds. */
export function notAfter(column: PgColumn, until: Date): SQL {
  return lt(column, sql`${until.toISOString()}::timestamptz + interval '1 ms'`);
}

/** The id after which (going to older ones) a page begins, or undefined for the first page. */
export function pageStart({ cursor }: PageOptions): string | undefined {
  if (cursor === null) return undefined;
  const id = Buffer.from(cursor, "base64url")
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  return isUuid(id) ? id : refuseCursor();
}

/** What was given to `jsonCursor`, or undefined for the first page. */
export function readJsonCursor<T>({ cursor }: PageOptions, is: (value: unknown) => value is T): T | undefined {
  if (cursor === null) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    return refuseCursor();
  }
  return is(value) ? value : refuseCursor();
}

export const jsonCursor = (value: Json): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function refuseCursor(): never {
  throw new SluiceError("VALIDATION_ERROR", "the cursor is not one that a list has given", [
    { path: "cursor", message: "is not one that a list has given: take next_cursor of the page before" },
  ]);
}

/** A page of rows that were asked for with one more than the limit, newest first. */
export function pageOf<T extends { readonly id: string }>(rows: readonly T[], { limit }: PageOptions): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items, nextCursor: more ? Buffer.from(last.id.replaceAll("-", ""), "hex").toString("base64url") : null };
}

/** What a list may be sorted by besides the id, which goes by time: a column, and a row's value of it. */
export interface SortKey<T> {
  readonly column: SQL | PgColumn;
  readonly type: "text" | "timestamptz";
  readonly value: (row: T) => string;
}

/** What has a name is sorted by. A cursor has milliseconds. */
export function named<T extends { readonly name: string; readonly updatedAt?: Date }>(columns: {
  readonly name: PgColumn;
  readonly updatedAt?: PgColumn;
}): Readonly<Record<string, SortKey<T>>> {
  const { name, updatedAt } = columns;
  return {
    name: { column: name, type: "text", value: (row) => row.name },
    ...(updatedAt && {
      updated_at: {
        column: sql`date_trunc('milliseconds', ${updatedAt})`,
        type: "timestamptz",
        value: (row) => (row.updatedAt as Date).toISOString(),
      },
    }),
  };
}

/** A list in the order that `sort` names (`-` before it: backwards), with where its page begins and what that gives. */
export function sorted<T extends { readonly id: string }>(
  options: PageOptions & { readonly sort?: string | null },
  id: PgColumn,
  keys: Readonly<Record<string, SortKey<T>>> = {},
) {
  const { sort, limit } = options;
  const isDown = !sort || sort.startsWith("-");
  const key = keys[sort?.replace("-", "") ?? ""];
  const to = isDown ? desc : asc;
  if (key === undefined) {
    const start = pageStart(options);
    const where = start === undefined ? undefined : isDown ? lt(id, start) : gt(id, start);
    return { where, orderBy: [to(id)], page: (rows: readonly T[]) => pageOf(rows, options) };
  }
  const { column, type, value } = key;
  const start = readJsonCursor(options, type === "text" ? isTextKey : isTimeKey);
  const beyond = sql.raw(isDown ? "<" : ">");
  const where = start && sql`(${column}, ${id}) ${beyond} (${start[0]}::${sql.raw(type)}, ${start[1]}::uuid)`;
  const page = (rows: readonly T[]): Page<T> => {
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    const more = rows.length > limit && last !== undefined;
    return { items, nextCursor: more ? jsonCursor([value(last), last.id]) : null };
  };
  return { where, orderBy: [to(column), to(id)], page };
}

type Key = readonly [value: string, id: string];

function isTextKey(value: unknown): value is Key {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [text, id] = value as unknown[];
  const isText = typeof text === "string" && !text.includes("\0") && text.isWellFormed();
  return isText && typeof id === "string" && isUuid(id);
}

const isTimeKey = (value: unknown): value is Key =>
  isTextKey(value) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value[0]) && !Number.isNaN(Date.parse(value[0]));

/** A condition that a name has a text in it, in any case. Postgres knows no NUL, and no name has one. */
export function isLike(column: PgColumn, search: string | null | undefined): SQL | undefined {
  if (search === null || search === undefined) return undefined;
  return search.includes("\0") ? sql`false` : sql`strpos(lower(${column}), lower(${search})) > 0`;
}
