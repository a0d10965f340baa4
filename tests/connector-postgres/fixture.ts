import type { Fixture } from "../../connectors/conformance/index.ts";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { Database } from "./database.ts";

/** Two tables of a database of its own. */
export async function postgresFixture(): Promise<Fixture> {
  const database = await Database.create();
  const records: JsonObject[] = Array.from({ length: 20 }, (_, index) => ({
    id: index + 1,
    name: `name ${index}`,
    note: index % 3 === 0 ? null : 'ä"\\\n'.repeat(index * 10),
  }));
  await database.query("CREATE TABLE people (id bigint PRIMARY KEY, name text NOT NULL, note text)");
  await database.query("INSERT INTO people SELECT * FROM json_populate_recordset(NULL::people, $1)", [
    JSON.stringify(records),
  ]);
  await database.query("CREATE TABLE landed (id bigint PRIMARY KEY, name text NOT NULL CHECK (name <> ''), note text)");
  await database.query(
    "CREATE TABLE many AS SELECT id, 'one of many, number ' || id AS name FROM generate_series(1, 100000) id",
  );
  const { config } = database;
  return {
    context: { dataDir: "/nonexistent", fileRoots: [] },
    config: { ...config } as JsonObject,
    badCredentials: [{ ...config, password: "wrong" } as JsonObject],
    badConfigs: [
      { config: { ...config, password: "wrong" } as JsonObject, path: "config.password" },
      { config: { ...config, password: "" } as JsonObject, path: "config.password" },
      { config: { ...config, ssl: true } as JsonObject, path: "config.ssl" },
      { config: { ...config, database: "no_such_database" } as JsonObject, path: "config.database" },
      { config: { ...config, port: 1 } as JsonObject, path: "config.host" },
      { config: { ...config, schema: "no_such_schema" } as JsonObject, path: "config.schema" },
      { config: { url: database.url.replace(/:[^:@]*@/, ":wrong@") }, path: "config.url" },
      { config: { ...config, queries: { bad: "SELECT FROM FROM" } } as JsonObject, path: "config.queries.bad" },
    ],
    source: {
      stream: "people",
      mode: "full",
      records,
      large: { stream: "many" },
      drift: async () => {
        await database.query("ALTER TABLE people ADD COLUMN colour text DEFAULT 'red'");
      },
      missing: { stream: "peopel", path: "source.stream" },
    },
    destination: {
      stream: "landed",
      modes: ["append", "upsert"],
      key: ["id"],
      records: records.slice(0, 8),
      refused: { id: 99, name: "" },
      stored: async () => {
        const rows = await database.query("SELECT to_json(t) AS row FROM landed t");
        return rows.map(({ row }) => row as Json);
      },
      clear: async () => {
        await database.query("TRUNCATE landed");
      },
    },
    lookup: {
      requests: [
        { stream: "people", by: { id: 7 } },
        { stream: "people", by: { id: 700 } },
      ],
      answers: [records[6]!, null],
      refused: { stream: "people", by: { id: "seven" } },
    },
    close: () => database.close(),
  };
}
