import { randomUUID } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";
import { type PostgresConfig, postgres } from "../../connectors/postgres/index.ts";
import type {
  Connector,
  Cursor,
  Destination,
  DestinationMode,
  Json,
  ReadBatch,
  SourceOptions,
  WriteFailure,
} from "../../connectors/sdk/index.ts";

export const never = new AbortController().signal;
export const aims = { records: 500, bytes: 100_000 };
const context = { dataDir: "/nonexistent", fileRoots: [] };

/** A database of its own on the shared server, and ways to look into it. Everything is closed by `close`. */
export class Database {
  readonly url: string;
  readonly #clients: pg.Client[] = [];
  readonly #connectors: Connector[] = [];

  private constructor(url: string) {
    this.url = url;
  }

  static async create(): Promise<Database> {
    const name = `test_${randomUUID().replaceAll("-", "")}`;
    await administer(`CREATE DATABASE ${name}`);
    const url = new URL(inject("databaseUrl"));
    url.pathname = `/${name}`;
    return new Database(url.href);
  }

  get name(): string {
    return new URL(this.url).pathname.slice(1);
  }

  /** The parts of the url as a config. */
  get config(): PostgresConfig & { host: string; port: number; user: string; password: string; database: string } {
    const { hostname, port, username, password } = new URL(this.url);
    return { host: hostname, port: Number(port), user: username, password, database: this.name };
  }

  /** A session of its own, as an application has it. */
  async client(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url });
    client.on("error", () => undefined);
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  async query(text: string, values: unknown[] = []): Promise<{ [column: string]: unknown }[]> {
    const client = this.#clients[0] ?? (await this.client());
    return (await client.query(text, values)).rows as { [column: string]: unknown }[];
  }

  connector(more: Partial<PostgresConfig> = {}): Connector {
    const connector = postgres.create({ ...this.config, ...more }, context);
    this.#connectors.push(connector);
    return connector;
  }

  /** All batches from a cursor on. */
  async batches(options: Partial<SourceOptions> & { stream: string }, config: Partial<PostgresConfig> = {}) {
    const all = { mode: "full" as const, cursorField: undefined, from: null, batch: aims, signal: never, ...options };
    const source = await this.connector(config).openSource!(all);
    const batches: ReadBatch[] = [];
    for await (const batch of source.read()) batches.push(batch);
    await source.close();
    return batches;
  }

  /** The JSON texts of all records. */
  async texts(options: Partial<SourceOptions> & { stream: string }, config: Partial<PostgresConfig> = {}) {
    return (await this.batches(options, config)).flatMap(textsOf);
  }

  open(
    stream: string,
    mode: DestinationMode = "append",
    key: string[] = [],
    more: Partial<PostgresConfig> = {},
  ): Promise<Destination> {
    return this.connector(more).openDestination!({ stream, mode, key, runId: "run", state: null, signal: never });
  }

  /** Waits until every transaction begun before has ended, those of other tests' databases included. */
  async settled(): Promise<void> {
    const [now] = await this.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next");
    const ended = "SELECT 1 WHERE pg_snapshot_xmin(pg_current_snapshot()) >= $1::xid8";
    while ((await this.query(ended, [now!.next])).length === 0);
  }

  async close(): Promise<void> {
    for (const connector of this.#connectors) await connector.close();
    for (const client of this.#clients) await client.end();
    await administer(`DROP DATABASE ${this.name} WITH (FORCE)`);
  }
}

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject("databaseUrl") });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

export function textsOf(batch: ReadBatch): string[] {
  return Buffer.from(batch.data).toString().split("\n");
}

/** As it comes back from the log. */
export function stored(cursor: Cursor): Cursor {
  return JSON.parse(JSON.stringify(cursor)) as Cursor;
}

/** Writes records that are given as JSON texts or as values; returns what failed, by index. */
export async function write(
  destination: Destination,
  records: readonly (Json | { text: string })[],
  signal = never,
  ordered = false,
): Promise<readonly WriteFailure[]> {
  const out = records.map((record, index) => {
    const text = isText(record) ? record.text : JSON.stringify(record);
    return { text, value: parse(text), id: String(index) };
  });
  const { failed = [] } = await destination.write({ records: out, signal, ordered });
  return failed.toSorted((a, b) => a.index - b.index);
}

function isText(record: Json | { text: string }): record is { text: string } {
  return typeof record === "object" && record !== null && Object.keys(record).join() === "text";
}

/** As the runtime does: a number that a double cannot hold keeps its literal. */
function parse(text: string): Json {
  return JSON.parse(text, (_key, value: unknown, { source }: { source?: string }) =>
    typeof value === "number" && String(value) !== source ? JSON.rawJSON(source!) : value,
  ) as Json;
}
