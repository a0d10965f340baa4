import type { DestinationMode, JsonObject } from "../sdk/index.ts";
import type { Column, Relation } from "./catalog.ts";
import { type Parameter, parameterOf, quoted } from "./element.ts";
import { identifier } from "./names.ts";
import type { Ownership } from "./ownership.ts";

interface StatementOptions {
  readonly mode: DestinationMode;
  readonly key: readonly string[];
  readonly ownership?: Ownership | undefined;
}

/**
 * One INSERT for many records that give the same fields: each column's values as one array (decision 0006). Fields that
 * a record does not have are not named, so that an insert takes the column's default and an upsert keeps what is there.
 */
export class InsertStatement {
  readonly sql: string;
  readonly #columns: readonly { readonly name: string; readonly parameter: Parameter }[];

  constructor(relation: Relation, columns: readonly Column[], { mode, key, ownership }: StatementOptions) {
    this.#columns = columns.map((column) => ({ name: column.name, parameter: parameterOf(column) }));
    const target = columns.length > 0 ? ` (${columns.map((column) => identifier(column.name)).join(", ")})` : "";
    const select = this.#columns.map(({ parameter }, at) => parameter.expression(`r.c${at}`)).join(", ");
    // Records without any field are rows of defaults, as many as an array of anything has elements.
    const types = columns.length > 0 ? this.#columns.map(({ parameter }) => parameter.arrayType) : ["int[]"];
    const arrays = types.map((type, at) => `$${at + 1}::${type}`);
    const names = types.map((_, at) => `c${at}`);
    const overriding = columns.some((column) => column.identity) ? " OVERRIDING SYSTEM VALUE" : "";
    const conflict = mode === "upsert" ? onConflict(columns, key) : "";
    const insert = (arrays: readonly string[], names: readonly string[], where = "") =>
      `INSERT INTO ${relation.sql}${target}${overriding} SELECT ${select} FROM unnest(${arrays.join(", ")}) r(${names.join(", ")})${where}${conflict}`;
    this.sql = ownership ? fenced(ownership, insert, arrays, names) : insert(arrays, names);
  }

  /** Without those of the ownership. */
  parameters(records: readonly JsonObject[]): string[] {
    if (this.#columns.length === 0) return [`{${records.map(() => 0).join(",")}}`];
    return this.#columns.map(({ name, parameter }) => {
      let array = "{";
      for (const record of records) {
        if (array.length > 1) array += ",";
        const value = record[name]!;
        if (typeof value === "string" && parameter.text !== JSON.stringify) array += quoted(value);
        else if (typeof value === "number" || typeof value === "boolean") array += value;
        else array += value === null ? "NULL" : quoted(parameter.text(value));
      }
      return `${array}}`;
    });
  }
}

/**
 * The insert while the connection holds the destination (invariant 5), giving one row that says whether it does. Whoever
 * takes it over waits for the statement, since the row is locked. Where keys are kept, a row is written if its key is
 * new, in the same statement; in the order of the batch, hence no join.
 */
function fenced(
  { owners, processed }: Ownership,
  insert: (arrays: readonly string[], names: readonly string[], where: string) => string,
  arrays: readonly string[],
  names: readonly string[],
): string {
  const [id, opened, keys, windowMs] = [1, 2, 3, 4].map((n) => `$${arrays.length + n}`) as [
    string,
    string,
    string,
    string,
  ];
  const held = "EXISTS (SELECT FROM sluice_held)";
  const fresh = `sluice_fresh AS (INSERT INTO ${processed} AS p (owner, key)
      SELECT ${id}::bigint, k FROM unnest(${keys}::uuid[]) k WHERE ${held} ON CONFLICT (owner, key) DO UPDATE
      SET seen_at = excluded.seen_at WHERE p.seen_at <= now() - ${windowMs}::float8 * interval '1 ms' RETURNING key),`;
  const written =
    processed === undefined
      ? insert(arrays, names, ` WHERE ${held}`)
      : insert(
          [...arrays, `${keys}::uuid[]`],
          [...names, "key"],
          " WHERE (r.key IN (SELECT key FROM sluice_fresh)) IS TRUE",
        );
  return `WITH sluice_held AS MATERIALIZED
      (SELECT 1 FROM ${owners} WHERE id = ${id}::bigint AND opened = ${opened}::bigint FOR SHARE),
    ${processed === undefined ? "" : fresh} sluice_written AS (${written})
    SELECT count(*) FROM sluice_held`;
}

function onConflict(columns: readonly Column[], key: readonly string[]): string {
  const set = columns
    .filter((column) => !key.includes(column.name) && !column.identity)
    .map((column) => `${identifier(column.name)} = excluded.${identifier(column.name)}`);
  const action = set.length === 0 ? "NOTHING" : `UPDATE SET ${set.join(", ")}`;
  return ` ON CONFLICT (${key.map(identifier).join(", ")}) DO ${action}`;
}
