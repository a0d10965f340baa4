import type { DestinationMode, JsonObject } from "../sdk/index.ts";
import type { Column, Relation } from "./catalog.ts";
import { type Parameter, parameterOf, quoted } from "./element.ts";
import { identifier } from "./names.ts";

/**
 * One INSERT for many records that give the same fields: each column's values as one array (decision 0006). Fields that
 * a record does not have are not named, so that an insert takes the column's default and an upsert keeps what is there.
 */
export class InsertStatement {
  readonly sql: string;
  readonly #columns: readonly { readonly name: string; readonly parameter: Parameter }[];

  constructor(relation: Relation, columns: readonly Column[], mode: DestinationMode, key: readonly string[]) {
    this.#columns = columns.map((column) => ({ name: column.name, parameter: parameterOf(column) }));
    const target = columns.map((column) => identifier(column.name)).join(", ");
    const select = this.#columns.map(({ parameter }, at) => parameter.expression(`r.c${at}`)).join(", ");
    const arrays = this.#columns.map(({ parameter }, at) => `$${at + 1}::${parameter.arrayType}`).join(", ");
    const names = this.#columns.map((_, at) => `c${at}`).join(", ");
    const overriding = columns.some((column) => column.identity) ? " OVERRIDING SYSTEM VALUE" : "";
    // Records without any field are inserted as many times as the first array has elements.
    const values =
      columns.length > 0
        ? `(${target})${overriding} SELECT ${select} FROM unnest(${arrays}) r(${names})`
        : "DEFAULT VALUES";
    this.sql = `INSERT INTO ${relation.sql} ${values}${mode === "upsert" ? onConflict(columns, key) : ""}`;
  }

  /** Whether one execution takes many records. */
  get isSet(): boolean {
    return this.#columns.length > 0;
  }

  parameters(records: readonly JsonObject[]): string[] {
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

function onConflict(columns: readonly Column[], key: readonly string[]): string {
  const set = columns
    .filter((column) => !key.includes(column.name) && !column.identity)
    .map((column) => `${identifier(column.name)} = excluded.${identifier(column.name)}`);
  const action = set.length === 0 ? "NOTHING" : `UPDATE SET ${set.join(", ")}`;
  return ` ON CONFLICT (${key.map(identifier).join(", ")}) DO ${action}`;
}
