import { randomUUID } from "node:crypto";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import pg from "pg";
import { inject, onTestFinished } from "vitest";

/** A connection to the shared nats-server, closed when the test is over. */
export async function connectNats(url: string = inject("natsUrl")): Promise<NatsConnection> {
  const { host, username, password } = new URL(url);
  const connection = await connect({ servers: host, user: username, pass: password });
  onTestFinished(() => connection.close());
  return connection;
}

/** A name for what a test makes in a shared server: unique, and fit for a stream, a subject or a table. */
export function uniqueName(prefix = "test"): string {
  return `${prefix}_${randomUUID().replaceAll("-", "")}`;
}

/** A new, empty database on the shared Postgres, as its URL; dropped at the end, that of the test unless said otherwise. */
export async function createDatabase(atEnd: (drop: () => Promise<void>) => void = onTestFinished): Promise<string> {
  const name = uniqueName();
  await administer(`CREATE DATABASE ${name}`);
  atEnd(() => administer(`DROP DATABASE ${name} WITH (FORCE)`));
  const url = new URL(inject("databaseUrl"));
  url.pathname = `/${name}`;
  return url.href;
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
