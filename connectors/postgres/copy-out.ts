import type pg from "pg";

/** Rows of a COPY: their JSON texts separated by LF, and the last one by itself. */
export interface CopiedRows {
  readonly data: Uint8Array;
  readonly count: number;
  readonly last: Uint8Array;
}

// Control characters never stand raw in JSON, so a row is quoted only where a json value holds a raw line break.
const quote = 1;
const lf = 10;
const cr = 13;
const space = 32;

/**
 * `COPY (select) TO STDOUT` as batches of rows, by demand: while one batch waits to be taken the socket is not read,
 * and Postgres stops producing. Given to `client.query`; one message of the server is one row.
 */
export class CopyOut implements pg.Submittable {
  readonly #select: string;
  readonly #aims: { readonly records: number; readonly bytes: number };
  readonly #ready: CopiedRows[] = [];
  #buffer: Buffer;
  #length = 0;
  #lastAt = 0;
  #count = 0;
  #connection: pg.Connection | undefined;
  #ended = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(select: string, aims: { readonly records: number; readonly bytes: number }) {
    this.#select = select;
    this.#aims = aims;
    this.#buffer = Buffer.allocUnsafe(Math.min(aims.bytes, 1 << 20) + 1);
  }

  /** The next batch, or undefined after the last. Throws what the server answers. */
  async next(): Promise<CopiedRows | undefined> {
    for (;;) {
      const rows = this.#ready.shift();
      if (this.#ready.length === 0) this.#connection?.stream.resume();
      if (rows) return rows;
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  submit(connection: pg.Connection): void {
    this.#connection = connection;
    connection.query(`COPY (${this.#select}) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')`);
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    // The chunk ends in LF and lives in a buffer that the driver uses again.
    const row = chunk[0] === quote ? unquoted(chunk) : chunk;
    if (this.#count > 0 && this.#length + row.length - 1 > this.#aims.bytes) this.#cut();
    if (this.#length + row.length > this.#buffer.length) this.#grow(row.length);
    row.copy(this.#buffer, this.#length);
    this.#lastAt = this.#length;
    this.#length += row.length;
    if (++this.#count >= this.#aims.records) this.#cut();
  }

  handleCommandComplete(): void {
    if (this.#count > 0) this.#cut();
  }

  handleReadyForQuery(): void {
    this.#ended = true;
    this.#wake?.();
  }

  handleError(error: unknown): void {
    this.#error = error;
    this.#connection?.stream.resume();
    this.#wake?.();
  }

  #cut(): void {
    const end = this.#length - 1;
    this.#ready.push({
      data: this.#buffer.subarray(0, end),
      count: this.#count,
      last: this.#buffer.subarray(this.#lastAt, end),
    });
    this.#buffer = Buffer.allocUnsafe(Math.max(this.#aims.bytes < 1 << 20 ? this.#aims.bytes + 1 : 1 << 20, 1));
    this.#length = 0;
    this.#count = 0;
    if (this.#ready.length > 1) this.#connection?.stream.pause();
    this.#wake?.();
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** A line break that stands raw in JSON is white space between tokens. */
function unquoted(chunk: Buffer): Buffer {
  const row = Buffer.from(chunk.subarray(1, chunk.length - 1));
  for (let i = 0; i < row.length - 1; i++) if (row[i] === lf || row[i] === cr) row[i] = space;
  row[row.length - 1] = lf;
  return row;
}
