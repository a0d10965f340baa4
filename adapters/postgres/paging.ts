import type { Json } from "../../connectors/sdk/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { Page, PageOptions } from "../../runtime/ports/store.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Postgres refuses to compare an id with what is none; nothing has such an id. */
export function isUuid(text: string): boolean {
  return uuid.test(text);
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
