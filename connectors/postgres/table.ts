import { ConnectorError, type DestinationMode, type Json, type JsonObject, nearest } from "../sdk/index.ts";
import { type Column, columnNamed, findTable, noSuchTable, type Relation } from "./catalog.ts";
import { identifier, parseTableName } from "./names.ts";
import type { Ownership } from "./ownership.ts";
import type { Session } from "./session.ts";
import { InsertStatement } from "./statement.ts";

export interface TableOptions {
  readonly stream: string;
  readonly mode: DestinationMode;
  /** Columns. */
  readonly key: readonly string[];
  readonly create: boolean;
  /** What fences the statements; of another connection it has the same tables. */
  readonly ownership?: Ownership | undefined;
}

/** Records that give the same fields: one statement, or the reason why none of them can be written. */
export interface Shape {
  /** Sorted. */
  readonly fields: readonly string[];
  readonly statement: InsertStatement | undefined;
  readonly refusal: string | undefined;
  /** Name of the prepared statement. */
  readonly name: string | undefined;
}

/** More shapes than this are not prepared, so that records of ever new fields do not fill the server's memory. */
const preparedShapes = 64;
const longestName = 63;

/** The table that is written to, as it was when last looked at. */
export class Table {
  readonly relation: Relation;
  readonly #options: TableOptions;
  readonly #columns: ReadonlyMap<string, Column>;
  readonly #shapes = new Map<string, Shape>();

  private constructor(relation: Relation, options: TableOptions) {
    this.relation = relation;
    this.#options = options;
    this.#columns = new Map(relation.columns.map((column) => [column.name, column]));
  }

  /** Undefined where the table is not there and is to be made of the first records. Throws where it cannot be written. */
  static async open(session: Session, options: TableOptions): Promise<Table | undefined> {
    const { stream, mode, key, create } = options;
    const relation = await findTable(session, stream);
    if (!relation) {
      if (create && parseTableName(stream)) return undefined;
      throw await noSuchTable(session, stream, "destination.stream");
    }
    const needed = mode === "upsert" ? "INSERT, UPDATE, SELECT" : "INSERT";
    for (const privilege of needed.split(", ")) {
      const [row] = await session.rows("SELECT has_any_column_privilege($1::oid, $2)", [relation.oid!, privilege]);
      if (row![0] !== "t")
        throw refused("FORBIDDEN", `The role may not ${privilege} on ${stream}.`, "destination.stream");
    }
    if (mode === "upsert") {
      for (const name of key) columnNamed(relation, name, stream, "destination.key");
      const isKey = relation.keys.some((unique) => new Set(unique).symmetricDifference(new Set(key)).size === 0);
      const columns = key.map(identifier).join(", ");
      const fix = `CREATE UNIQUE INDEX ON ${relation.sql} (${columns})`;
      if (!isKey)
        throw refused("VALIDATION_ERROR", `${stream} has no unique index on (${columns}): ${fix}.`, "destination.key");
    }
    return new Table(relation, options);
  }

  /** Makes the table of the first records' fields, the key as its primary key. Another may do the same meanwhile. */
  static async create(session: Session, options: TableOptions, records: readonly JsonObject[]): Promise<Table> {
    const { schema, table } = parseTableName(options.stream)!;
    const name = schema === undefined ? identifier(table) : `${identifier(schema)}.${identifier(table)}`;
    const key = options.mode === "upsert" ? options.key : [];
    const types = columnTypes(records);
    for (const column of key) if (!types.has(column)) types.set(column, "text");
    const columns = [...types].map(([column, type]) => `${identifier(column)} ${type}`);
    if (key.length > 0) columns.push(`PRIMARY KEY (${key.map(identifier).join(", ")})`);
    await ifNotThere(session, `CREATE TABLE IF NOT EXISTS ${name} (${columns.join(", ")})`);
    // Another's table need not have the same columns.
    return (await Table.open(session, options))!.withColumnsFor(session, records);
  }

  /** The table with columns for those fields of the records that it lacks. */
  async withColumnsFor(session: Session, records: readonly JsonObject[]): Promise<Table> {
    if (!this.#options.create) return this;
    const missing = records.filter((record) => Object.keys(record).some((field) => !this.#columns.has(field)));
    const types = [...columnTypes(missing)].filter(([field]) => !this.#columns.has(field));
    if (types.length === 0) return this;
    const added = types.map(([field, type]) => `ADD COLUMN IF NOT EXISTS ${identifier(field)} ${type}`);
    await ifNotThere(session, `ALTER TABLE ${this.relation.sql} ${added.join(", ")}`);
    return (await Table.open(session, this.#options))!;
  }

  /** `fields` in the order in which the record has them. */
  shapeOf(fields: readonly string[]): Shape {
    const order = JSON.stringify(fields);
    const known = this.#shapes.get(order);
    if (known) return known;
    const sorted = fields.toSorted();
    const canonical = JSON.stringify(sorted);
    const shape = this.#shapes.get(canonical) ?? this.#newShape(sorted);
    // Forgotten all at once when records come in ever new shapes.
    if (this.#shapes.size >= 4_096) this.#shapes.clear();
    this.#shapes.set(canonical, shape);
    this.#shapes.set(order, shape);
    return shape;
  }

  column(name: string): Column | undefined {
    return this.#columns.get(name);
  }

  #prepared = 0;

  #newShape(fields: readonly string[]): Shape {
    const refusal = this.#refusal(fields);
    if (refusal !== undefined) return { fields, statement: undefined, refusal, name: undefined };
    const columns = fields.map((field) => this.#columns.get(field)!).filter((column) => !column.generated);
    const statement = new InsertStatement(this.relation, columns, this.#options);
    const name = this.#prepared++ < preparedShapes ? `sluice_${generation++}` : undefined;
    return { fields, statement, refusal: undefined, name };
  }

  #refusal(fields: readonly string[]): string | undefined {
    const { key, mode, stream } = this.#options;
    for (const field of mode === "upsert" ? key : []) {
      if (!fields.includes(field)) return `The record has no field ${field}, which is the key.`;
    }
    for (const field of fields) {
      if (this.#columns.has(field)) continue;
      if (!isColumnName(field))
        return `The field ${JSON.stringify(field)} cannot be a column: its name is empty, over 63 bytes or holds a NUL.`;
      const near = nearest(field, this.#columns.keys());
      return `${stream} has no column for the field ${field}${near === undefined ? "" : `; the nearest is ${near}`}.`;
    }
    return undefined;
  }
}

// Names of prepared statements must not come again on one connection, whatever became of the table meanwhile.
let generation = 0;

/**
 * Types that hold every value of the field exactly, the later ones too: a first batch of whole numbers or of dates must
 * not decide that a fraction or another text fails.
 */
function columnTypes(records: readonly JsonObject[]): Map<string, string> {
  const types = new Map<string, string>();
  for (const record of records) {
    for (const field of Object.keys(record)) {
      if (!isColumnName(field)) continue;
      const type = typeOf(record[field]!);
      const before = types.get(field);
      if (before === undefined || before === "null") types.set(field, type);
      else if (type !== "null" && type !== before) types.set(field, "text");
    }
  }
  for (const [field, type] of types) if (type === "null") types.set(field, "text");
  return types;
}

function typeOf(value: Json): string {
  if (value === null) return "null";
  if (typeof value === "string") return "text";
  if (typeof value === "boolean") return "boolean";
  return typeof value === "number" || JSON.isRawJSON(value) ? "numeric" : "jsonb";
}

function isColumnName(field: string): boolean {
  return field !== "" && !field.includes("\0") && Buffer.byteLength(field) <= longestName;
}

/** Two that make the same table at once collide in the catalog although both say IF NOT EXISTS. */
async function ifNotThere(session: Session, sql: string): Promise<void> {
  const collisions = ["23505", "42P07", "42710", "42701", "40P01"];
  for (let attempt = 1; ; attempt++) {
    try {
      await session.rows(sql);
      return;
    } catch (error) {
      if (attempt === 5 || !(error instanceof Error && "code" in error && collisions.includes(String(error.code))))
        throw error;
    }
  }
}

function refused(code: "FORBIDDEN" | "VALIDATION_ERROR", message: string, path: string): ConnectorError {
  return new ConnectorError(code, message, { fault: "destination", path });
}
