import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { ConnectorError } from "../../connectors/sdk/index.ts";
import { aims, Database, never, stored, textsOf } from "./database.ts";

const chinook = new URL("../../examples/data/chinook/", import.meta.url);

describe("a Postgres source", () => {
  let database: Database;
  beforeAll(async () => {
    database = await Database.create();
  });
  afterAll(() => database?.close());

  const refusal = async (promise: Promise<unknown>) => {
    const error: unknown = await promise.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ConnectorError);
    return error as ConnectorError;
  };

  test("every table of Chinook is read whole", async () => {
    const sql = readFileSync(new URL("Chinook_PostgreSql.sql", chinook), "utf8").split("\n");
    const expected = JSON.parse(readFileSync(new URL("expected-counts.json", chinook), "utf8")) as {
      load_from_line: number;
      tables: { [name: string]: { rows: number; column_names: string[] } };
    };
    await database.query("CREATE SCHEMA chinook");
    await database.query("SET search_path TO chinook");
    await database.query(sql.slice(expected.load_from_line - 1).join("\n"));
    await database.query("RESET search_path");
    const streams = await database.connector({ schema: "chinook" }).discover(never);
    let total = 0n;
    for (const [name, { rows, column_names }] of Object.entries(expected.tables)) {
      const texts = await database.texts({ stream: name }, { schema: "chinook" });
      expect(new Set(texts).size, name).toBe(rows);
      expect(texts.length, name).toBe(rows);
      expect(Object.keys(JSON.parse(texts[0]!) as object)).toEqual(column_names);
      const found = streams.find((stream) => stream.name === name);
      expect(found?.key?.length, name).toBeGreaterThan(0);
      if (name === "invoice")
        for (const text of texts) total += BigInt(/"total":(\d+)\.(\d\d)/.exec(text)!.slice(1).join(""));
    }
    expect(total).toBe(232860n);
    expect((await database.texts({ stream: "chinook.genre" })).length).toBe(25);
  });

  test("values of every type arrive without losing a digit or a microsecond", async () => {
    await database.query(`
      CREATE TYPE mood AS ENUM ('sad', 'happy');
      CREATE TYPE pair AS (a int, b text);
      CREATE TABLE kinds (
        id bigint PRIMARY KEY, big numeric, nan numeric, amount numeric(10,2), f float8, inf float8, yes boolean,
        at timestamptz, local timestamp, day date, bytes bytea, doc json, docb jsonb, list int[], names text[][],
        id2 uuid, m mood, p pair, ip inet, span interval, r int4range, nothing text, "odd ""name" text, __proto__ text);
      INSERT INTO kinds VALUES (9223372036854775807, 1234567890123456789012345678901234567890.12, 'NaN', 1.10,
        0.1, 'Infinity', true, '2024-02-29 12:34:56.123456+02', '2024-02-29 12:34:56.000001', '2024-02-29', '\\xdeadbeef',
        E'{"a": 12345678901234567890,\n"b\\\\n":\n1}', '{"z": 1.50}', '{1,NULL,3}', '{{a,b},{c,d}}',
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'happy', (1, 'x'), '10.0.0.1', '1 day 02:00', '[1,5)', NULL, E'line\nbreak', 'own')`);
    const [text] = await database.texts({ stream: "kinds" });
    expect(text).not.toContain("\n");
    expect(text).toContain('"id":9223372036854775807,"big":1234567890123456789012345678901234567890.12');
    expect(text).toContain('"a": 12345678901234567890');
    expect(text).toContain('"amount":1.10');
    const record = JSON.parse(text!) as { [name: string]: unknown };
    expect(record).toMatchObject({
      nan: "NaN",
      f: 0.1,
      inf: "Infinity",
      yes: true,
      at: "2024-02-29T10:34:56.123456Z",
      local: "2024-02-29T12:34:56.000001",
      day: "2024-02-29",
      bytes: "\\xdeadbeef",
      docb: { z: 1.5 },
      list: [1, null, 3],
      names: [
        ["a", "b"],
        ["c", "d"],
      ],
      id2: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
      m: "happy",
      p: { a: 1, b: "x" },
      ip: "10.0.0.1",
      span: "1 day 02:00:00",
      r: "[1,5)",
      nothing: null,
      'odd "name': "line\nbreak",
    });
    expect(Object.getOwnPropertyDescriptor(record, "__proto__")?.value).toBe("own");
    expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
  });

  test.each([
    ["a text key, with quotes and line breaks", 'k text COLLATE "C" PRIMARY KEY', `'it''s "' || i || E'\\n\\x01'`],
    ["microseconds", "k timestamptz PRIMARY KEY", `'2024-01-01'::timestamptz + i * interval '1 microsecond'`],
    ["a bigint beyond a double", "k bigint PRIMARY KEY", "9007199254740993 + i"],
    ["a numeric", "k numeric PRIMARY KEY", "i / 7::numeric"],
    ["a double", "k float8 PRIMARY KEY", "i / 7::float8"],
    ["bytes", "k bytea PRIMARY KEY", "int4send(i)"],
    ["a uuid, unique but not the primary key", "k uuid NOT NULL UNIQUE", "md5(i::text)::uuid"],
    ["fixed characters", "k char(12) PRIMARY KEY", "'k' || i"],
  ])("keyset pages by %s end where they began, however they are cut", async (_name, column, value) => {
    await database.query(`DROP TABLE IF EXISTS keyed; CREATE TABLE keyed (${column}, v int)`);
    await database.query(`INSERT INTO keyed SELECT ${value}, i FROM generate_series(1, 20300) i`);
    const whole = await database.batches({ stream: "keyed" });
    const texts = whole.flatMap(textsOf);
    expect(new Set(texts).size).toBe(20_300);
    expect(texts.length).toBe(20_300);
    const cut = whole[13]!;
    const rest = await database.batches({
      stream: "keyed",
      from: stored(cut.cursor),
      batch: { records: 77, bytes: 5_000 },
    });
    expect(rest.flatMap(textsOf)).toEqual(whole.slice(14).flatMap(textsOf));
    expect(rest[0]!.position).toEqual({ base: "keyed", offset: whole[14]!.position.offset });
  });

  test("a key of several columns orders by all of them", async () => {
    await database.query("CREATE TABLE two (a int, b text, PRIMARY KEY (b, a))");
    await database.query("INSERT INTO two SELECT i, (i % 3)::text FROM generate_series(1, 12000) i");
    const batches = await database.batches({ stream: "two" });
    expect(new Set(batches.flatMap(textsOf)).size).toBe(12_000);
    expect(batches.at(-1)!.cursor).toEqual({ key: ["2", "11999"], count: 12_000 });
  });

  test("a table without a key is read in one snapshot, and from its beginning after a restart", async () => {
    await database.query("CREATE TABLE heap AS SELECT i FROM generate_series(1, 3000) i");
    const source = await database.connector().openSource!({
      stream: "heap",
      mode: "full",
      cursorField: undefined,
      from: null,
      batch: { records: 100, bytes: 100_000 },
      signal: never,
    });
    let rows = 0;
    for await (const batch of source.read()) {
      if (rows === 0) await database.query("DELETE FROM heap WHERE i > 2000");
      rows += batch.count;
    }
    await source.close();
    expect(rows).toBe(3_000);
    const [first] = await database.batches({ stream: "heap", from: { count: 500 } });
    expect(first!.position.offset).toBe(0);
  });

  test("queries are streams, with comments, semicolons and joins", async () => {
    const queries = {
      sales:
        "SELECT g.name, count(*) AS n FROM chinook.track t JOIN chinook.genre g USING (genre_id) GROUP BY 1 ORDER BY 1; ",
      commented: "SELECT 1 AS one -- the end",
    };
    expect((await database.texts({ stream: "sales" }, { queries })).length).toBe(25);
    expect(await database.texts({ stream: "commented" }, { queries })).toEqual(['{"one":1}']);
    const streams = await database.connector({ queries }).discover(never);
    expect(streams.find((stream) => stream.name === "sales")?.schema).toMatchObject({
      properties: { name: { type: ["string", "null"] }, n: { type: ["integer", "null"] } },
    });
  });

  test("a query that is several statements, or gives a column twice, is refused by its name", async () => {
    const queries = { two: "SELECT 1) q; DROP TABLE heap; SELECT (1", twice: "SELECT 1 AS a, 2 AS a" };
    expect(await refusal(database.batches({ stream: "two" }, { queries }))).toMatchObject({
      path: "config.queries.two",
    });
    expect(await refusal(database.batches({ stream: "twice" }, { queries }))).toMatchObject({
      path: "config.queries.twice",
      message: expect.stringContaining("two columns named a") as string,
    });
    expect((await database.query("SELECT to_regclass('heap')::text AS name"))[0]!.name).toBe("heap");
  });

  test("a query cannot write", async () => {
    await database.query("CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS 'DELETE FROM two RETURNING 1'");
    const error = await refusal(database.batches({ stream: "w" }, { queries: { w: "SELECT sneak() AS x" } }));
    expect(error.message).toContain("25006");
  });

  test("what is not there is named with its nearest", async () => {
    expect(await refusal(database.batches({ stream: "keyd" }))).toMatchObject({
      code: "NOT_FOUND",
      fault: "destination",
      path: "source.stream",
      message: expect.stringContaining("keyed") as string,
    });
    expect(await refusal(database.batches({ stream: "two", mode: "incremental", cursorField: "c" }))).toMatchObject({
      code: "NOT_FOUND",
      path: "source.cursor_field",
    });
    expect(await refusal(database.batches({ stream: "kinds", mode: "incremental", cursorField: "doc" }))).toMatchObject(
      {
        code: "VALIDATION_ERROR",
        path: "source.cursor_field",
      },
    );
  });

  test("a role without rights is told so, and no message holds the password", async () => {
    await database.query(
      `DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD 's3cret-word'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    );
    const denied = await refusal(database.batches({ stream: "two" }, { user: "reader", password: "s3cret-word" }));
    expect(denied).toMatchObject({ code: "FORBIDDEN", fault: "destination", path: "source.stream" });
    const wrong = await refusal(database.connector({ user: "reader", password: "not-s3cret" }).check(never));
    expect(wrong).toMatchObject({ code: "UNAUTHORIZED", path: "config.password" });
    expect(`${wrong.message}${denied.message}`).not.toContain("s3cret");
  });

  test("rows larger than a batch make batches of their own, and are fetched only on demand", async () => {
    await database.query("CREATE TABLE wide (id int PRIMARY KEY, body text)");
    await database.query("INSERT INTO wide SELECT i, repeat(md5(i::text), 40000) FROM generate_series(1, 40) i");
    const source = await database.connector().openSource!({
      stream: "wide",
      mode: "full",
      cursorField: undefined,
      from: null,
      batch: aims,
      signal: never,
    });
    let rows = 0;
    for await (const batch of source.read()) {
      expect(batch.count).toBe(1);
      rows += batch.count;
      // Nobody asks for the next batch, so the backend comes to wait for its client.
      for (let waiting = rows > 1; !waiting; ) {
        const found = await database.query(
          "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'ClientWrite'",
        );
        waiting = found.length > 0;
      }
    }
    await source.close();
    expect(rows).toBe(40);
  });

  test("a reader that hangs on a lock stops by its signal", async () => {
    const blocker = await database.client();
    await blocker.query("BEGIN; LOCK TABLE two IN ACCESS EXCLUSIVE MODE");
    const controller = new AbortController();
    const opening = database.connector().openSource!({
      stream: "two",
      mode: "full",
      cursorField: undefined,
      from: null,
      batch: aims,
      signal: controller.signal,
    });
    const watcher = await database.client();
    for (let waiting = false; !waiting; ) {
      const { rows } = await watcher.query(
        "SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT granted AND datname = current_database()",
      );
      waiting = rows.length > 0;
    }
    controller.abort(new Error("stopped"));
    await expect(opening).rejects.toThrow("stopped");
    await blocker.query("ROLLBACK");
  });

  test("a connection that breaks while reading is transient", async () => {
    const source = await database.connector().openSource!({
      stream: "wide",
      mode: "full",
      cursorField: undefined,
      from: null,
      batch: aims,
      signal: never,
    });
    const reading = (async () => {
      for await (const _ of source.read()) {
        await database.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice' AND datname = current_database()",
        );
      }
    })();
    const error = await refusal(reading);
    expect(error.code).toBe("UNAVAILABLE");
    await source.close();
  });

  test("that takes long to its first row says meanwhile that it lives, as long as the server works on it", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const connector = database.connector({ queries: { slow: "SELECT 1 AS a FROM pg_sleep(600)" } });
    const options = { stream: "slow", mode: "full" as const, cursorField: undefined, from: null, batch: aims };
    const source = await connector.openSource!({ ...options, signal: never });
    const next = source.read()[Symbol.asyncIterator]().next();
    const came = vi.fn();
    void next.then(came);
    const active = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%pg_sleep(600)%'";
    await vi.waitFor(async () => expect(await database.query(active)).toHaveLength(1), { timeout: 60_000 });
    expect(came).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(20_000);
    expect((await next).value).toMatchObject({ count: 0 });
    await source.close();
  });
});
