import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ConnectorError, type Json } from "../../connectors/sdk/index.ts";
import { Database, never, write } from "./database.ts";

describe("a Postgres destination", () => {
  let database: Database;
  beforeAll(async () => {
    database = await Database.create();
    await database.query(`CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (a int, b text);
      CREATE TABLE teams (id int PRIMARY KEY, parent int REFERENCES teams)`);
  });
  afterAll(() => database?.close());
  beforeEach(async () => {
    await database.query(`DROP TABLE IF EXISTS people; CREATE TABLE people (
      id bigint PRIMARY KEY, name varchar(20), age int CHECK (age >= 0), email text UNIQUE, city text DEFAULT 'Berlin')`);
    await database.query("TRUNCATE teams CASCADE");
  });

  const rows = (order = "id") => database.query(`SELECT * FROM people ORDER BY ${order}`);
  const refusal = async (promise: Promise<unknown>) => {
    const error: unknown = await promise.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ConnectorError);
    return error as ConnectorError;
  };

  test("values of every type land digit for digit, and NULL is NULL", async () => {
    await database.query(`CREATE TABLE kinds (id bigint PRIMARY KEY, big numeric, f float8, yes boolean, at timestamptz,
      day date, bytes bytea, doc json, docb jsonb, list int[], names text[], docs jsonb[], u uuid, m mood, p pair, b box,
      note text, fixed char(5), "odd ""name" text, constructor text)`);
    const destination = await database.open("kinds", "upsert", ["id"]);
    const text = `{"id":9223372036854775807,"big":1234567890123456789012345678901234567890.120,"f":0.1,"yes":true,
      "at":"2024-02-29T12:34:56.123456+02:00","day":"2024-02-29","bytes":"\\\\xdeadbeef","doc":{"a":12345678901234567890,"s":"x\\"y\\\\"},
      "docb":"just a text","list":[1,null,3],"names":["a,b","c\\"d","e\\\\f",null,""],"docs":[{"x":1},[2]],
      "u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","m":"happy","p":{"a":1,"b":"x"},"b":"(1,1),(0,0)",
      "note":{"an":"object"},"fixed":"ab","odd \\"name":"NULL","constructor":"c"}`.replace(/\n\s*/g, "");
    const nulls = Object.fromEntries(
      Object.keys(JSON.parse(text) as object).map((name) => [name, name === "id" ? 1 : null]),
    );
    expect(await write(destination, [{ text }, nulls as Json])).toEqual([]);
    const [empty, full] =
      (await database.query(`SELECT id::text, big::text, f::text, yes, (at AT TIME ZONE 'UTC')::text AS at,
      day::text, bytes::text, doc::text, docb::text, list::text, to_json(names)::text AS names, docs::text, u::text, m::text, p::text, b::text, note,
      fixed, "odd ""name" AS odd, constructor FROM kinds ORDER BY kinds.id`)) as [
        { [name: string]: Json },
        { [name: string]: Json },
      ];
    expect(Object.values(empty).filter((value) => value !== null)).toEqual(["1"]);
    expect(full).toEqual({
      id: "9223372036854775807",
      big: "1234567890123456789012345678901234567890.120",
      f: "0.1",
      yes: true,
      at: "2024-02-29 10:34:56.123456",
      day: "2024-02-29",
      bytes: "\\xdeadbeef",
      doc: '{"a":12345678901234567890,"s":"x\\"y\\\\"}',
      docb: '"just a text"',
      list: "{1,NULL,3}",
      names: '["a,b","c\\"d","e\\\\f",null,""]',
      docs: '{"{\\"x\\": 1}",[2]}',
      u: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
      m: "happy",
      p: "(1,x)",
      b: "(1,1),(0,0)",
      note: '{"an":"object"}',
      fixed: "ab   ",
      odd: "NULL",
      constructor: "c",
    });
  });

  test("an upsert changes what a record gives and keeps what it does not", async () => {
    const destination = await database.open("people", "upsert", ["id"]);
    await write(destination, [
      { id: 1, name: "Ada", age: 36 },
      { id: 2, name: "Bob", city: null },
    ]);
    await write(destination, [{ id: 1, age: 37 }, { id: 2, name: null }, { id: 3 }]);
    expect(await rows()).toMatchObject([
      { id: "1", name: "Ada", age: 37, city: "Berlin" },
      { id: "2", name: null, city: null },
      { id: "3", name: null, city: "Berlin" },
    ]);
  });

  test("records of one key in a batch are as if written in turn", async () => {
    const destination = await database.open("people", "upsert", ["id"]);
    expect(
      await write(destination, [
        { id: 1, name: "first", age: 1 },
        { id: 2, name: "other" },
        { id: 1, city: "Rome" },
        { id: 1, name: "last" },
        { id: "2", age: 2 },
      ]),
    ).toEqual([]);
    expect(await rows()).toMatchObject([
      { id: "1", name: "last", age: 1, city: "Rome" },
      { id: "2", name: "other", age: 2 },
    ]);
  });

  test("of several records of one key only the one that fails is refused", async () => {
    const destination = await database.open("people", "upsert", ["id"]);
    const failed = await write(destination, [
      { id: 1, name: "good" },
      { id: 1, name: "far too long for twenty letters" },
      { id: 1, age: 5 },
    ]);
    expect(failed.map(({ index }) => index)).toEqual([1]);
    expect(await rows()).toMatchObject([{ name: "good", age: 5 }]);
  });

  test("each record that fails does so alone, with its column and SQLSTATE, and without its value", async () => {
    const destination = await database.open("people", "upsert", ["id"]);
    const bad: { [index: number]: [Json, string, string, string] } = {
      3: [{ id: 3, age: "secret-ish" }, "VALIDATION_ERROR", "age", "22P02"],
      7: [{ id: 7, name: "x".repeat(21) }, "VALIDATION_ERROR", "name", "22001"],
      50: [{ id: 50, age: -1 }, "VALIDATION_ERROR", "people_age_check", "23514"],
      99: [{ id: 99, age: 99999999999 }, "VALIDATION_ERROR", "age", "22003"],
      200: [{ id: 200, name: "a\0b" }, "VALIDATION_ERROR", "name", "22021"],
      300: [{ id: null, name: "no key" }, "VALIDATION_ERROR", "id", "null"],
      301: [{ name: "no key" }, "VALIDATION_ERROR", "id", "key"],
      302: [{ id: 302, nam: "typo" }, "VALIDATION_ERROR", "nam", "nearest is name"],
      400: [{ id: 400, email: "1@x" }, "BUSINESS_RULE", "people_email_key", "23505"],
      401: ["no object", "VALIDATION_ERROR", "object", "object"],
      402: [{ id: { a: 1 } }, "VALIDATION_ERROR", "id", "22P02"],
      499: [{ id: 499, age: [1] }, "VALIDATION_ERROR", "age", "22P02"],
    };
    const batch = Array.from({ length: 500 }, (_, i): Json => bad[i]?.[0] ?? { id: i, name: `n${i}`, email: `${i}@x` });
    const failed = await write(destination, batch);
    expect(failed.map(({ index }) => index)).toEqual(Object.keys(bad).map(Number));
    for (const { index, code, message } of failed) {
      const [, expected, column, state] = bad[index]!;
      expect({ index, code }).toEqual({ index, code: expected });
      expect(message).toContain(column);
      expect(message).toContain(state);
      expect(message).not.toMatch(/secret-ish|99999999999/);
    }
    expect((await rows()).length).toBe(500 - failed.length);
    expect(await write(destination, [{ id: 3, age: 4 }])).toEqual([]);
  });

  test("in mode append a key that is there already is a conflict", async () => {
    const destination = await database.open("people");
    await write(destination, [{ id: 1 }]);
    const failed = await write(destination, [{ id: 1 }, { id: 2 }, { id: 2 }]);
    expect(failed.map(({ index, code }) => [index, code])).toEqual([
      [0, "CONFLICT"],
      [2, "CONFLICT"],
    ]);
    expect((await rows()).length).toBe(2);
  });

  test("a record that refers to one later in the batch is written although another one fails", async () => {
    const destination = await database.open("teams");
    const failed = await write(destination, [
      { id: 2, parent: 1 },
      { id: 3, parent: 99 },
      { id: 4, parent: 2 },
      { id: 1, parent: null },
    ]);
    expect(failed.map(({ index, code }) => [index, code])).toEqual([[1, "BUSINESS_RULE"]]);
  });

  test("a constraint that is checked at the commit fails its record alone", async () => {
    await database.query(`CREATE TABLE deferred (id int PRIMARY KEY,
      team int REFERENCES teams DEFERRABLE INITIALLY DEFERRED)`);
    await database.query("INSERT INTO teams VALUES (1)");
    const destination = await database.open("deferred", "upsert", ["id"]);
    const failed = await write(destination, [{ id: 1, team: 1 }, { id: 2, team: 7 }, { id: 3 }]);
    expect(failed.map(({ index }) => index)).toEqual([1]);
    expect((await database.query("SELECT id FROM deferred ORDER BY id")).map(({ id }) => id)).toEqual([1, 3]);
  });

  test("what a trigger raises is the record's", async () => {
    await database.query(`CREATE FUNCTION no_bobs() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF NEW.name = 'Bob' THEN RAISE 'no Bobs here'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER t BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION no_bobs()`);
    const destination = await database.open("people");
    const failed = await write(destination, [
      { id: 1, name: "Ada" },
      { id: 2, name: "Bob" },
    ]);
    expect(failed).toMatchObject([
      { index: 1, code: "BUSINESS_RULE", message: expect.stringContaining("no Bobs here") as string },
    ]);
  });

  test("generated columns are the database's, identities may be given", async () => {
    await database.query(`CREATE TABLE computed (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
      twice int GENERATED ALWAYS AS (a * 2) STORED)`);
    const destination = await database.open("computed", "upsert", ["id"]);
    expect(await write(destination, [{ id: 5, a: 1, twice: 7 }])).toEqual([]);
    expect(await write(destination, [{ id: 5, a: 4, twice: 7 }])).toEqual([]);
    expect(await database.query("SELECT * FROM computed")).toEqual([{ id: 5, a: 4, twice: 8 }]);
    const appending = await database.open("computed");
    expect(await write(appending, [{}, {}, { a: 3 }])).toEqual([]);
    expect((await database.query("SELECT * FROM computed")).length).toBe(4);
  });

  test("in order, rows reach the table in the order of their records, whatever fields those have and whichever of them fails", async () => {
    await database.query(
      "CREATE TABLE arrivals (nr int GENERATED ALWAYS AS IDENTITY, id int CHECK (id <> 4), note text)",
    );
    const destination = await database.open("arrivals");
    const batch = Array.from({ length: 9 }, (_, id) => (id % 3 === 1 ? { id } : { id, note: "x" }));
    const failed = await write(destination, batch, never, true);
    expect(failed).toMatchObject([{ index: 4, code: "VALIDATION_ERROR" }]);
    const ids = (await database.query("SELECT id FROM arrivals ORDER BY nr")).map(({ id }) => id);
    expect(ids).toEqual([0, 1, 2, 3, 5, 6, 7, 8]);
  });

  test("create_table makes the table with columns that hold every later value", async () => {
    const destination = await database
      .open("made.in_schema", "upsert", ["id"], { create_table: true })
      .catch(() => undefined);
    expect(destination).toBeDefined();
    expect(await refusal(write(destination!, [{ id: 1 }]))).toMatchObject({
      code: "NOT_FOUND",
      fault: "destination",
      path: "config.schema",
    });
    await database.query("CREATE SCHEMA made");
    const first: Json[] = [
      { id: 1, name: "x", n: 1, yes: true, doc: { a: [1] }, mixed: 1, nothing: null, at: "2024-01-01T00:00:00Z" },
      { id: 2, mixed: "text" },
    ];
    expect(await write(destination!, first)).toEqual([]);
    expect(
      await write(destination!, [
        { id: 3, n: 1.5, at: "later", extra: [1], nothing: "some" },
        { text: '{"id":4,"n":12345678901234567890123456789012345678.90}' },
      ]),
    ).toEqual([]);
    const columns = await database.query(`SELECT column_name, data_type FROM information_schema.columns
      WHERE table_schema = 'made' ORDER BY ordinal_position`);
    expect(Object.fromEntries(columns.map((column) => [column.column_name, column.data_type]))).toEqual({
      id: "numeric",
      name: "text",
      n: "numeric",
      yes: "boolean",
      doc: "jsonb",
      mixed: "text",
      nothing: "text",
      at: "text",
      extra: "jsonb",
    });
    expect(await database.query("SELECT n::text FROM made.in_schema WHERE id = 4")).toEqual([
      { n: "12345678901234567890123456789012345678.90" },
    ]);
  });

  test("two that create the same table at once both write", async () => {
    const opened = await Promise.all(
      Array.from({ length: 6 }, () => database.open("shared", "upsert", ["id"], { create_table: true })),
    );
    const results = await Promise.all(
      opened.map((destination, id) => write(destination, [{ id, [`only_${id}`]: true }])),
    );
    expect(results.flat()).toEqual([]);
    expect((await database.query("SELECT * FROM shared")).length).toBe(6);
  });

  test("a field that cannot be a column fails its record when the table is made", async () => {
    const destination = await database.open("named", "append", [], { create_table: true });
    const failed = await write(destination, [
      { id: 1 },
      { ["n".repeat(64)]: 1 },
      { "": 1 },
      { __proto__x: 1, constructor: "own" },
    ]);
    expect(failed.map(({ index }) => index)).toEqual([1, 2]);
    expect(await database.query("SELECT constructor FROM named WHERE constructor IS NOT NULL")).toEqual([
      { constructor: "own" },
    ]);
  });

  test("what cannot be written to is refused when it is opened, with the setting and the nearest name", async () => {
    expect(await refusal(database.open("poeple"))).toMatchObject({
      code: "NOT_FOUND",
      fault: "destination",
      path: "destination.stream",
      message: expect.stringContaining("people") as string,
    });
    expect(await refusal(database.open("people", "upsert", ["emai"]))).toMatchObject({
      code: "NOT_FOUND",
      path: "destination.key",
      message: expect.stringContaining("email") as string,
    });
    expect(await refusal(database.open("people", "upsert", ["name"]))).toMatchObject({
      path: "destination.key",
      message: expect.stringContaining("CREATE UNIQUE INDEX") as string,
    });
    await database.query(
      `DO $$ BEGIN CREATE ROLE writer LOGIN PASSWORD 'w'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    );
    const role = { user: "writer", password: "w" };
    expect(await refusal(database.open("people", "append", [], role))).toMatchObject({
      code: "FORBIDDEN",
      path: "destination.stream",
    });
  });

  test("a table that is dropped or changed meanwhile is the destination's fault, and is seen when it is back", async () => {
    const destination = await database.open("people", "upsert", ["id"]);
    expect(await write(destination, [{ id: 1 }])).toEqual([]);
    await database.query("ALTER TABLE people RENAME TO away");
    expect(await refusal(write(destination, [{ id: 2 }]))).toMatchObject({ code: "NOT_FOUND", fault: "destination" });
    expect(await refusal(write(destination, [{ id: 2 }]))).toMatchObject({ path: "destination.stream" });
    await database.query("ALTER TABLE away RENAME TO people; ALTER TABLE people ALTER id TYPE text");
    expect(await write(destination, [{ id: "two" }])).toEqual([]);
    await database.query("ALTER TABLE people DROP name");
    const record = { id: "3", name: "x" };
    // The columns known are those of the last look at the table, which the refusal renews.
    const first = await write(destination, [record]).catch((error: unknown) => error);
    if (first instanceof Error) expect(first).toMatchObject({ fault: "destination", path: "destination.stream" });
    expect(await write(destination, [record])).toMatchObject([{ index: 0, code: "VALIDATION_ERROR" }]);
  });

  test("a connection that breaks is transient, and the next write connects anew", async () => {
    const destination = await database.open("people", "upsert", ["id"]);
    const blocker = await database.client();
    await blocker.query("BEGIN; LOCK TABLE people");
    const writing = refusal(write(destination, [{ id: 1 }]));
    const terminated =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice' AND datname = current_database() AND wait_event_type = 'Lock'";
    while ((await database.query(terminated)).length === 0);
    expect((await writing).code).toBe("UNAVAILABLE");
    await blocker.query("ROLLBACK");
    expect(await write(destination, [{ id: 1 }])).toEqual([]);
  });

  test("a deadlock or a serialization failure is transient", async () => {
    const destination = await database.open("people", "upsert", ["id"]);
    await database.query(`CREATE FUNCTION clash() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE SQLSTATE '40001'; END $$; CREATE TRIGGER c BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION clash()`);
    expect(await refusal(write(destination, [{ id: 1 }]))).toMatchObject({ fault: "transient" });
    await database.query("DROP TRIGGER c ON people; DROP FUNCTION clash");
    expect(await write(destination, [{ id: 1 }])).toEqual([]);
  });

  test("a write that hangs on a lock stops by its signal", async () => {
    const destination = await database.open("people", "upsert", ["id"]);
    const blocker = await database.client();
    await blocker.query("BEGIN; LOCK TABLE people");
    const controller = new AbortController();
    const writing = refusal(write(destination, [{ id: 1 }], controller.signal));
    const waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while ((await database.query(waiting)).length === 0);
    controller.abort();
    expect(await writing).toMatchObject({ fault: "transient" });
    // The backend notices by itself that nobody waits for it any more.
    while ((await database.query(waiting)).length > 0);
    await blocker.query("ROLLBACK");
    expect(await rows()).toEqual([]);
  });

  test("look-ups answer in order, by columns or by a query, and null where nothing is found", async () => {
    await database.query("INSERT INTO people VALUES (9007199254740993, 'Ada', 36, 'ada@x'), (2, 'Bob', 20, 'bob@x')");
    const queries = { oldest: "SELECT name FROM people WHERE age > $1 ORDER BY age DESC" };
    const connector = database.connector({ queries });
    const { answers } = await connector.lookup!(
      [
        { stream: "people", by: { email: "bob@x" } },
        { stream: "people", by: { email: "nobody" } },
        { query: "oldest", params: [30] },
        { query: "oldest", params: [300] },
        { stream: "people", by: { email: null } },
        { stream: "people", by: { email: "ada@x", age: 36 } },
      ],
      never,
    );
    expect(JSON.stringify(answers)).toBe(
      '[{"id":2,"name":"Bob","age":20,"email":"bob@x","city":"Berlin"},null,{"name":"Ada"},null,null,' +
        '{"id":9007199254740993,"name":"Ada","age":36,"email":"ada@x","city":"Berlin"}]',
    );
    expect(await refusal(connector.lookup!([{ stream: "people", by: { nope: 1 } }], never))).toMatchObject({
      path: "request.by.nope",
    });
    expect(await refusal(connector.lookup!([{ table: "people" }], never))).toMatchObject({ code: "VALIDATION_ERROR" });
  });

  test("a look-up's value that does not fit the column is the record's fault, and of a query fails that request alone", async () => {
    await database.query("INSERT INTO people VALUES (1, 'Ada', 36, 'ada@x')");
    const queries = { by_age: "SELECT name FROM people WHERE age = $1::int" };
    const connector = database.connector({ queries });
    const by = { stream: "people", by: { age: "old" } };
    expect(await refusal(connector.lookup!([by], never))).toMatchObject({ code: "VALIDATION_ERROR", fault: "record" });
    const asked = [
      { query: "by_age", params: ["old"] },
      { query: "by_age", params: [36] },
    ];
    const { answers, failed } = await connector.lookup!(asked, never);
    expect(answers).toEqual([null, { name: "Ada" }]);
    expect(failed).toMatchObject([{ index: 0, code: "VALIDATION_ERROR" }]);
    // What was known of the table's columns is found out anew.
    const ada = { stream: "people", by: { id: 1 } };
    expect((await connector.lookup!([ada], never)).answers).toMatchObject([{ name: "Ada", city: "Berlin" }]);
    await database.query("ALTER TABLE people DROP COLUMN city");
    expect(await refusal(connector.lookup!([ada], never))).toMatchObject({ code: "NOT_FOUND", fault: "destination" });
    const again = await connector.lookup!([ada], never);
    expect(again.answers).toEqual([{ id: 1, name: "Ada", age: 36, email: "ada@x" }]);
    expect(await refusal(connector.lookup!([{ stream: "nowhere", by: { a: 1 } }], never))).toMatchObject({
      code: "NOT_FOUND",
      fault: "destination",
    });
  });
});
