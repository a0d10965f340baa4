import type { Cursor, ReadBatch, SourceOptions } from "../sdk/index.ts";
import type { Column, Relation } from "./catalog.ts";
import type { CopiedRows } from "./copy-out.ts";
import { isTime } from "./json-type.ts";
import type { Session } from "./session.ts";
import { literals, names, TableSource, valuesAt, whereAll } from "./source.ts";

/** How far a view or query is read again below its cursor: its rows do not say which transaction wrote them. */
export const lookBack = "10 minutes";

/** All values as texts, so that no digit and no microsecond is lost. */
type IncrementalCursor = {
  /** The cursor field and, where there is one, the key of the row read last; null before the first. */
  readonly at: string[] | null;
  /**
   * Every transaction below this one (64 bits) had ended when the rows up to `at` were read: what is there or below and
   * was written by it or a later one may be new. Null before the first read, and for views and queries.
   */
  readonly seen: string | null;
  readonly count: number;
  /** Under way among the rows below `at`: goes on after this key; `seen` is what counts once that is done. */
  readonly revisit?: { readonly key: string[]; readonly seen: string };
  /** No key, and stopped where the next row may have the same value of the cursor field. */
  readonly open?: true;
};

const beginning: IncrementalCursor = { at: null, seen: null, count: 0 };

/**
 * Mode incremental, in two passes (decision 0005). The first visits what is at or below the cursor again: rows that
 * carry no value, and rows of transactions that had not ended when their place was read. The second goes on along
 * (cursor field, key) up to the highest value that was there at the beginning.
 */
export class IncrementalSource extends TableSource {
  readonly #field: Column;
  /** A unique key; there is none for views and queries, which say nothing of transactions either. */
  readonly #key: readonly Column[] | undefined;
  /** The field and what of the key makes its order total. */
  readonly #order: readonly Column[];
  readonly #from: IncrementalCursor;

  constructor(
    session: Session,
    relation: Relation,
    field: Column,
    key: readonly Column[] | undefined,
    options: SourceOptions,
  ) {
    const from = (options.from as IncrementalCursor | null) ?? beginning;
    super(session, relation, options, from.count);
    this.#field = field;
    this.#key = key;
    this.#order = [field, ...(key ?? []).filter((column) => column.name !== field.name)];
    this.#from = from;
  }

  protected async *batches(): AsyncIterable<ReadBatch> {
    const { snapshot, next, highest } = await this.#bounds();
    const seen = this.relation.hasXmin ? (this.#from.revisit?.seen ?? snapshot) : null;
    let { at } = this.#from;
    for await (const { rows, final } of lastMarked(this.#revisited(next))) {
      yield this.batch(rows, (count): Cursor => {
        if (final) return { at, seen, count, ...(this.#from.open ? { open: true } : {}) };
        const revisit = rows.key === undefined || seen === null ? {} : { revisit: { key: rows.key, seen } };
        return { ...this.#from, count, ...revisit };
      });
    }
    if (highest === null) return;
    for await (const { rows, final } of lastMarked(this.#forward(highest))) {
      at = rows.at;
      const open = this.#key || final ? {} : { open: true as const };
      yield this.batch(rows, (count): Cursor => ({ at, seen, count, ...open }));
    }
  }

  /** The oldest transaction under way and the next one, and the highest value of the field. */
  async #bounds(): Promise<{ snapshot: string; next: string; highest: string | null }> {
    const field = names([this.#field]);
    const [row] = await this.session.rows(
      `SELECT pg_snapshot_xmin(pg_current_snapshot()), pg_snapshot_xmax(pg_current_snapshot()),
        (SELECT to_json(${field}) #>> '{}' FROM ${this.relation.sql} t WHERE ${field} IS NOT NULL ORDER BY ${field} DESC LIMIT 1)`,
    );
    const [snapshot, next, highest] = row!;
    return { snapshot: snapshot!, next: next!, highest: highest! };
  }

  async *#revisited(next: string): AsyncGenerator<CopiedRows & { key: string[] | undefined }> {
    const { at, revisit } = this.#from;
    if (at === null && this.#field.notNull) return;
    const conditions = [this.#passed(), ...this.#mayBeNew(next)];
    if (!this.#key) {
      for await (const rows of this.rows(whereAll(conditions))) yield { ...rows, key: undefined };
      return;
    }
    const order = names(this.#key);
    if (revisit) conditions.push(`(${order}) > (${literals(this.#key, revisit.key)})`);
    for await (const rows of this.rows(`${whereAll(conditions)} ORDER BY ${order}`)) {
      yield { ...rows, key: valuesAt(rows, this.#key) };
    }
  }

  /** Rows whose place was passed: those without a value are taken to stand below all others. */
  #passed(): string {
    const field = names([this.#field]);
    const { at, open } = this.#from;
    if (at === null) return `${field} IS NULL`;
    if (this.#key) return `${field} IS NULL OR (${names(this.#order)}) <= (${literals(this.#order, at)})`;
    const value = literals([this.#field], at);
    const passed = `${field} IS NULL OR ${field} ${open ? "<" : "<="} ${value}`;
    if (this.relation.hasXmin) return passed;
    return `${passed} AND ${field} >= ${isTime(this.#field) ? `${value} - interval '${lookBack}'` : value}`;
  }

  /**
   * Leaves out what was written by transactions that had ended before. Rows carry the lower 32 bits of a transaction's
   * number, and `age` says how far back that is; beyond 2^31 it cannot, and then all rows may be new. The lowest
   * transaction under way is compared, not the list of them: that lacks subtransactions.
   */
  #mayBeNew(next: string): string[] {
    const { seen } = this.#from;
    if (seen === null || !this.relation.hasXmin) return [];
    const elapsed = BigInt(next) - BigInt(seen);
    // A number from the future belongs to another cluster: the database was restored elsewhere.
    if (elapsed < 0n || elapsed >= 2n ** 31n) return [];
    return [`age(t.xmin) BETWEEN 1 AND age('${BigInt(seen) % 2n ** 32n}'::xid)`];
  }

  async *#forward(highest: string): AsyncGenerator<CopiedRows & { at: string[] }> {
    const field = names([this.#field]);
    const { at, open } = this.#from;
    // What is written meanwhile is the next run's; else a busy table would never be read to its end.
    const bound = `${field} <= ${literals([this.#field], [highest])}`;
    if (this.#key) return yield* this.ordered(this.#order, at, [bound]);
    const after = at === null ? [] : [`${field} ${open ? ">=" : ">"} ${literals([this.#field], at)}`];
    for await (const rows of this.rows(`${whereAll([bound, ...after])} ORDER BY ${field}`)) {
      yield { ...rows, at: valuesAt(rows, [this.#field]) };
    }
  }
}

/** Marks the last item, for which one is read ahead. */
async function* lastMarked<T>(items: AsyncIterable<T>): AsyncGenerator<{ rows: T; final: boolean }> {
  let held: { rows: T; final: boolean } | undefined;
  for await (const rows of items) {
    if (held) yield held;
    held = { rows, final: false };
  }
  if (held) yield { ...held, final: true };
}
