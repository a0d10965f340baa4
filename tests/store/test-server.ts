import { inject } from "vitest";
import { uniqueName } from "../support/servers.ts";
import { sql } from "./sql.ts";

/** The shared Postgres, with what a test file made in it. */
export interface TestServer {
  /** Of a new, empty database; or of one that does not exist yet. */
  url(database?: "missing"): Promise<string>;
  /** Runs a statement as the superuser, in no database in particular. */
  administer(statement: string): Promise<void>;
  /** Drops the databases that were given out. */
  remove(): Promise<void>;
}

/** The one place that decides which server the store's tests use. */
export function testServer(): TestServer {
  const shared = inject("databaseUrl");
  const made: string[] = [];
  const administer = async (statement: string) => {
    await sql(shared, statement);
  };
  return {
    administer,
    async url(database) {
      const name = database === "missing" ? `${uniqueName()} with spaces` : uniqueName();
      made.push(name);
      if (database === undefined) await administer(`create database ${name}`);
      return withPath(shared, name);
    },
    async remove() {
      for (const name of made) await administer(`drop database if exists "${name}" with (force)`);
    },
  };
}

export function withPath(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}
