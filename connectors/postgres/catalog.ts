import { ConnectorError, nearest } from "../sdk/index.ts";
import { type Setting, statementError } from "./errors.ts";
import { identifier, parseTableName, streamName } from "./names.ts";
import type { Session } from "./session.ts";

export interface Column {
  readonly name: string;
  readonly oid: number;
  /** As SQL writes it, without and with its limits: `numeric` and `numeric(10,2)`. */
  readonly type: string;
  readonly fullType: string;
  /** pg_type.typcategory: A arrays, C composites, … */
  readonly category: string;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Computed by the database: never written. */
  readonly generated: boolean;
  /** GENERATED ALWAYS AS IDENTITY: written only when inserted. */
  readonly identity: boolean;
}

export interface Relation {
  /** What stands after FROM. */
  readonly sql: string;
  readonly oid: string | undefined;
  readonly columns: readonly Column[];
  /** Columns of each unique index that holds for all rows, the primary key's first. */
  readonly keys: readonly (readonly string[])[];
  /** Columns by whose order an index gives all rows. */
  readonly indexed: ReadonlySet<string>;
  /** Whether rows say which transaction wrote them: tables do, views and queries do not. */
  readonly hasXmin: boolean;
}

const columnsSql = `
  SELECT a.attname, a.atttypid, format_type(a.atttypid, -1), format_type(a.atttypid, a.atttypmod),
    CASE t.typtype WHEN 'c' THEN 'C' ELSE t.typcategory END,
    a.attnotnull, a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
    a.attgenerated <> '', a.attidentity = 'a'
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`;

const keysSql = `
  SELECT (SELECT json_agg(a.attname ORDER BY k.at)
    FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY k(number, at)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number)
  FROM pg_index i
  WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL
  ORDER BY NOT i.indisprimary, i.indnkeyatts, i.indexrelid`;

const indexedSql = `
  SELECT DISTINCT a.attname
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
  WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indpred IS NULL`;

const visibleTablesSql = `
  SELECT n.nspname, c.relname, pg_table_is_visible(c.oid), c.oid
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND c.relname NOT IN ('_sluice_owners', '_sluice_processed')
  ORDER BY 1, 2`;

/** The table or view, or undefined where there is none. */
export async function findTable(session: Session, stream: string): Promise<Relation | undefined> {
  const name = parseTableName(stream);
  if (!name) return undefined;
  const sql =
    name.schema === undefined ? identifier(name.table) : `${identifier(name.schema)}.${identifier(name.table)}`;
  const [found] = await session.rows(
    "SELECT c.oid, c.relkind FROM pg_class c WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
    [sql],
  );
  return found ? describeTable(session, sql, found[0]!, found[1]!) : undefined;
}

async function describeTable(session: Session, sql: string, oid: string, kind: string): Promise<Relation> {
  const columns = (await session.rows(columnsSql, [oid])).map(
    ([name, typeOid, type, fullType, category, notNull, hasDefault, generated, identity]): Column => ({
      name: name!,
      oid: Number(typeOid),
      type: type!,
      fullType: fullType!,
      category: category!,
      notNull: notNull === "t",
      hasDefault: hasDefault === "t",
      generated: generated === "t",
      identity: identity === "t",
    }),
  );
  const keys = (await session.rows(keysSql, [oid])).map(([names]) => JSON.parse(names!) as string[]);
  const indexed = new Set((await session.rows(indexedSql, [oid])).map(([name]) => name!));
  return { sql, oid, columns, keys, indexed, hasXmin: "rpm".includes(kind) };
}

/** A query of the config as a relation. Refuses what cannot stand in a FROM. */
export async function describeQuery(session: Session, name: string, text: string): Promise<Relation> {
  const query = text.trim().replace(/;+$/, "");
  const fields = await session.describe(query).catch((error: unknown) => {
    throw statementError(error, `config.queries.${name}`);
  });
  const types = await session.rows(
    `SELECT t.oid, format_type(t.oid, -1), CASE t.typtype WHEN 'c' THEN 'C' ELSE t.typcategory END
     FROM pg_type t WHERE t.oid = ANY ($1::oid[])`,
    [`{${fields.map((field) => field.oid).join(",")}}`],
  );
  const byOid = new Map(types.map(([oid, type, category]) => [Number(oid), { type: type!, category: category! }]));
  const seen = new Set<string>();
  const columns = fields.map(({ name: column, oid }): Column => {
    if (seen.has(column)) {
      throw new ConnectorError(
        "VALIDATION_ERROR",
        `The query gives two columns named ${column}: name one anew with AS.`,
        {
          fault: "destination",
          path: `config.queries.${name}`,
        },
      );
    }
    seen.add(column);
    const { type, category } = byOid.get(oid)!;
    const plain = { notNull: false, hasDefault: false, generated: false, identity: false };
    return { name: column, oid, type, fullType: type, category, ...plain };
  });
  return { sql: `(${query}\n)`, oid: undefined, columns, keys: [], indexed: new Set(), hasXmin: false };
}

/** All tables and views that a stream can name, by that name. */
export async function listTables(session: Session): Promise<{ name: string; oid: string }[]> {
  const rows = await session.rows(visibleTablesSql);
  return rows.map(([schema, table, visible, oid]) => ({
    name: streamName(visible === "t" ? undefined : schema!, table!),
    oid: oid!,
  }));
}

export async function noSuchTable(
  session: Session,
  stream: string,
  path: Setting,
  others: readonly string[] = [],
): Promise<ConnectorError> {
  const names = [...(await listTables(session)).map((table) => table.name), ...others];
  const near = nearest(stream, names);
  const hint = near === undefined ? "" : `; the nearest is ${near}`;
  return new ConnectorError("NOT_FOUND", `There is no table ${stream} in the database${hint}.`, {
    fault: "destination",
    path,
  });
}

/** The column, or a ConnectorError that names the setting and the nearest column. */
export function columnNamed(relation: Relation, name: string, stream: string, path: string): Column {
  const found = relation.columns.find((column) => column.name === name);
  if (found) return found;
  const near = nearest(
    name,
    relation.columns.map((column) => column.name),
  );
  const hint = near === undefined ? "" : `; the nearest is ${near}`;
  throw new ConnectorError("NOT_FOUND", `${stream} has no column ${name}${hint}.`, { fault: "destination", path });
}
