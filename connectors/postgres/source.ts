import type { Cursor, ReadBatch, Source, SourceOptions } from "../sdk/index.ts";
import type { Column, Relation } from "./catalog.ts";
import type { CopiedRows } from "./copy-out.ts";
import { statementError } from "./errors.ts";
import { jsonColumns, valuesOf } from "./json-type.ts";
import { identifier, literal } from "./names.ts";
import type { Session } from "./session.ts";

/** Rows of a keyset page: many enough that its cost is small, few enough that no snapshot is held for long. */
export const pageRows = 10_000;

/** The server is asked so often whether it still works on what is waited for. */
const askMs = 20_000;

/** What both modes share: statements as batches, errors, record positions. */
export abstract class TableSource implements Source {
  protected readonly session: Session;
  protected readonly relation: Relation;
  protected readonly options: SourceOptions;
  /** Records before the next one, over all reads that led here: identifies a record within its stream. */
  protected count: number;

  constructor(session: Session, relation: Relation, options: SourceOptions, count: number) {
    this.session = session;
    this.relation = relation;
    this.options = options;
    this.count = count;
  }

  protected abstract batches(): AsyncIterable<ReadBatch>;

  async *read(): AsyncIterable<ReadBatch> {
    const { signal } = this.options;
    const stop = () => this.session.destroy();
    signal.addEventListener("abort", stop, { once: true });
    try {
      const batches = this.batches()[Symbol.asyncIterator]();
      for (;;) {
        signal.throwIfAborted();
        const next = batches.next();
        while (!(await settles(next, askMs))) if (await this.session.working(signal)) yield this.#nothing();
        const batch = await next;
        if (batch.done) return;
        yield batch.value;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw statementError(error, "source.stream");
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** A reader that left early leaves a statement behind, so the connection is broken rather than ended. */
  async close(): Promise<void> {
    this.session.destroy();
  }

  /** The rows of `FROM … t` that `rest` (WHERE, ORDER BY, LIMIT) leaves, by demand. */
  protected async *rows(rest: string): AsyncGenerator<CopiedRows> {
    const list = jsonColumns(this.relation.columns);
    const select = `SELECT row_to_json(r.*) FROM (SELECT ${list} FROM ${this.relation.sql} t ${rest}) r`;
    const copy = this.session.copyOut(select, this.options.batch);
    for (let rows = await copy.next(); rows; rows = await copy.next()) yield rows;
  }

  /**
   * The rows that `where` leaves after `after`, in the order of `by`: by keyset pages where an index gives that order,
   * else in one statement, since each page would sort the whole table. Yields the last row's values.
   */
  protected async *ordered(
    by: readonly Column[],
    after: readonly string[] | null,
    where: readonly string[],
  ): AsyncGenerator<CopiedRows & { at: string[] }> {
    const order = names(by);
    const limit = this.relation.indexed.has(by[0]!.name) ? pageRows : Number.POSITIVE_INFINITY;
    const page = limit === pageRows ? ` LIMIT ${limit}` : "";
    for (let at: readonly string[] | null = after; ; ) {
      const conditions = at === null ? where : [...where, `(${order}) > (${literals(by, at)})`];
      let read = 0;
      for await (const rows of this.rows(`${whereAll(conditions)} ORDER BY ${order}${page}`)) {
        read += rows.count;
        const last = valuesAt(rows, by);
        at = last;
        yield { ...rows, at: last };
      }
      if (read < limit) return;
    }
  }

  /** Says that the source lives: a statement may take longer to its first row than a reader has patience. */
  #nothing(): ReadBatch {
    const none = new Uint8Array();
    return this.batch({ data: none, count: 0, last: none }, () => this.options.from);
  }

  /** Counts the rows; `cursor` is the position after them. */
  protected batch(rows: CopiedRows, cursor: (count: number) => Cursor): ReadBatch {
    const offset = this.count;
    this.count += rows.count;
    const position = { base: this.options.stream, offset };
    return { data: rows.data, count: rows.count, cursor: cursor(this.count), position };
  }
}

/** Columns of the relation `t`, as a list. */
export function names(columns: readonly Column[]): string {
  return columns.map((column) => `t.${identifier(column.name)}`).join(", ");
}

export function whereAll(conditions: readonly string[]): string {
  return conditions.length === 0 ? "" : `WHERE ${conditions.map((condition) => `(${condition})`).join(" AND ")}`;
}

/** Values as constants of their columns' types. */
export function literals(columns: readonly Column[], values: readonly string[]): string {
  return columns.map((column, index) => `${literal(values[index]!)}::${column.type}`).join(", ");
}

/** The last row's values of columns that are never null there. */
export function valuesAt(rows: CopiedRows, columns: readonly Column[]): string[] {
  const values = valuesOf(
    Buffer.from(rows.last).toString(),
    columns.map((column) => column.name),
  );
  return values.map((value) => value ?? "");
}

/** `key`: where to go on; without one (no key) a read begins anew. */
interface FullCursor {
  readonly key: string[];
  readonly count: number;
}

/** Mode full: by pages along a unique key, else in one statement and so in one snapshot. */
export class FullSource extends TableSource {
  readonly #key: readonly Column[] | undefined;
  readonly #from: FullCursor | null;

  constructor(session: Session, relation: Relation, key: readonly Column[] | undefined, options: SourceOptions) {
    const from = key ? (options.from as FullCursor | null) : null;
    super(session, relation, options, from?.count ?? 0);
    this.#key = key;
    this.#from = from;
  }

  protected async *batches(): AsyncIterable<ReadBatch> {
    if (!this.#key) {
      for await (const rows of this.rows("")) yield this.batch(rows, (count) => ({ count }));
      return;
    }
    for await (const rows of this.ordered(this.#key, this.#from?.key ?? null, [])) {
      yield this.batch(rows, (count): Cursor => ({ key: rows.at, count }));
    }
  }
}

/** Whether it is settled within so many milliseconds. */
async function settles(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, ms, false);
  const settled = promise.then(
    () => true,
    () => true,
  );
  return Promise.race([settled, late]).finally(() => clearTimeout(timer));
}
