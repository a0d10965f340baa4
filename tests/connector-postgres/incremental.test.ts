import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Cursor } from "../../connectors/sdk/index.ts";
import { Database, stored, textsOf } from "./database.ts";

interface Item {
  readonly id: number;
  readonly v: number;
}

describe("mode incremental of a Postgres source", () => {
  let database: Database;
  beforeAll(async () => {
    database = await Database.create();
  });
  afterAll(() => database?.close());
  beforeEach(async () => {
    await database.query("CREATE TABLE items (id int PRIMARY KEY, v int NOT NULL DEFAULT 0, at timestamptz)");
  });
  afterEach(async () => {
    await database.query("DROP TABLE items CASCADE");
  });

  /** One run: the records that came, and the cursor after them. */
  const run = async (from: Cursor | null, stream = "items", cursorField = "at", queries = {}) => {
    const batches = await database.batches({ stream, mode: "incremental", cursorField, from }, { queries });
    const items = batches.flatMap(textsOf).map((text) => JSON.parse(text) as Item);
    return {
      items,
      ids: items.map((item) => item.id),
      cursor: batches.length > 0 ? stored(batches.at(-1)!.cursor) : from,
    };
  };

  test("a second run gives what is new and nothing twice", async () => {
    await database.query(
      "INSERT INTO items SELECT i, 0, '2024-01-01'::timestamptz + i * interval '1 microsecond' FROM generate_series(1, 1200) i",
    );
    await database.settled();
    const first = await run(null);
    expect(first.ids.length).toBe(1200);
    expect((await run(first.cursor)).ids).toEqual([]);
    await database.query("UPDATE items SET v = 1, at = '2024-01-01 00:00:00.002+00' WHERE id = 7");
    await database.query("INSERT INTO items VALUES (1201, 0, '2023-01-01')");
    await database.settled();
    const second = await run(first.cursor);
    expect(second.items).toEqual([
      expect.objectContaining({ id: 1201 }),
      expect.objectContaining({ id: 7, v: 1, at: "2024-01-01T00:00:00.002Z" }),
    ]);
    expect((await run(second.cursor)).ids).toEqual([]);
  });

  test("ties at the boundary that are committed later are not missed", async () => {
    await database.query("INSERT INTO items VALUES (5, 0, '2024-01-01'), (9, 0, '2024-01-01')");
    const first = await run(null);
    expect(first.ids).toEqual([5, 9]);
    await database.query("INSERT INTO items VALUES (1, 0, '2024-01-01'), (10, 0, '2024-01-01')");
    const second = await run(first.cursor);
    expect(second.ids).toEqual(expect.arrayContaining([1, 10]));
  });

  test("a row whose transaction commits late is read, however far below the cursor it is", async () => {
    const late = await database.client();
    await late.query("BEGIN");
    await late.query("INSERT INTO items VALUES (1, 0, '2001-01-01')");
    await database.query("INSERT INTO items VALUES (2, 0, '2024-01-01')");
    const first = await run(null);
    expect(first.ids).toEqual([2]);
    await late.query("COMMIT");
    const second = await run(first.cursor);
    expect(second.ids).toContain(1);
  });

  test("a row written within a savepoint of a transaction that commits late is read", async () => {
    const late = await database.client();
    await late.query("BEGIN");
    await late.query("INSERT INTO items VALUES (1, 0, '2024-01-03')");
    await late.query("SAVEPOINT inner_one; INSERT INTO items VALUES (2, 0, '2024-01-01'); RELEASE inner_one");
    await database.query("INSERT INTO items VALUES (3, 0, '2024-01-04')");
    const first = await run(null);
    expect(first.ids).toEqual([3]);
    await late.query("COMMIT");
    const second = await run(first.cursor);
    expect(second.ids).toEqual(expect.arrayContaining([1, 2]));
  });

  test("a transaction that began before the read and writes after it is not missed", async () => {
    const late = await database.client();
    // now() is the time of BEGIN, and the transaction has no number before it writes.
    await late.query("BEGIN");
    await late.query("SELECT now()");
    await database.query("INSERT INTO items VALUES (2, 0, now())");
    const first = await run(null);
    await late.query("INSERT INTO items VALUES (1, 0, now())");
    await late.query("COMMIT");
    const second = await run(first.cursor);
    expect(second.ids).toContain(1);
  });

  test("rows without a value of the cursor field are read once, and again when they change", async () => {
    await database.query("INSERT INTO items VALUES (1, 0, NULL), (2, 0, '2024-01-01'), (3, 0, NULL)");
    const first = await run(null);
    expect(first.ids.toSorted()).toEqual([1, 2, 3]);
    await database.query("UPDATE items SET v = 1 WHERE id = 3; INSERT INTO items VALUES (4, 0, NULL)");
    const second = await run(first.cursor);
    expect(second.items).toEqual(
      expect.arrayContaining([expect.objectContaining({ id: 3, v: 1 }), expect.objectContaining({ id: 4 })]),
    );
  });

  test("a run stopped after any batch goes on without loss, also among rows read again", async () => {
    await database.query(
      "INSERT INTO items SELECT i, 0, CASE WHEN i % 4 > 0 THEN '2024-01-01'::timestamptz + (i / 10) * interval '1 s' END FROM generate_series(1, 400) i",
    );
    const read = (from: Cursor | null) =>
      database.batches({
        stream: "items",
        mode: "incremental",
        cursorField: "at",
        from,
        batch: { records: 30, bytes: 100_000 },
      });
    const whole = await read(null);
    for (let stop = 0; stop < whole.length; stop++) {
      const before = whole.slice(0, stop + 1).flatMap(textsOf);
      const after = (await read(stored(whole[stop]!.cursor))).flatMap(textsOf);
      expect(new Set([...before, ...after]).size).toBe(400);
    }
  });

  test("the cursor keeps microseconds and every digit", async () => {
    await database.query("CREATE TABLE precise (id numeric PRIMARY KEY, n numeric NOT NULL)");
    await database.query(
      "INSERT INTO precise SELECT i, 9007199254740993.000000001 + i / 1000000000.0 FROM generate_series(1, 900) i",
    );
    const { cursor } = await run(null, "precise", "n");
    expect(cursor).toMatchObject({ at: [expect.stringMatching(/^9007199254740993\.000000901/) as string, "900"] });
    await database.query("INSERT INTO precise VALUES (901, 9007199254740993.000000902)");
    expect((await run(cursor, "precise", "n")).ids).toContain(901);
  });

  test("the key may be the cursor field", async () => {
    await database.query("INSERT INTO items SELECT i FROM generate_series(1, 10) i");
    const first = await run(null, "items", "id");
    await database.query("INSERT INTO items VALUES (11), (-3)");
    expect((await run(first.cursor, "items", "id")).ids).toEqual(expect.arrayContaining([11, -3]));
  });

  test("partitioned tables and materialized views say which transaction wrote a row", async () => {
    await database.query(`CREATE TABLE parts (id int, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
      CREATE TABLE parts_b PARTITION OF parts DEFAULT;
      INSERT INTO parts SELECT i, '2024-01-20'::timestamptz + i * interval '1 day' FROM generate_series(1, 30) i`);
    const first = await run(null, "parts");
    expect(first.ids.length).toBe(30);
    await database.query("INSERT INTO parts VALUES (99, '2024-01-02')");
    expect((await run(first.cursor, "parts")).ids).toContain(99);
  });

  test("a table without a key is read along its cursor field, with rows committed late and ties", async () => {
    await database.query("CREATE TABLE log (id int, at int NOT NULL)");
    await database.query("INSERT INTO log SELECT i, i / 100 FROM generate_series(1, 1000) i");
    const read = (from: Cursor | null) =>
      database.batches({
        stream: "log",
        mode: "incremental",
        cursorField: "at",
        from,
        batch: { records: 30, bytes: 100_000 },
      });
    const whole = await read(null);
    for (const stop of [0, 3, whole.length - 1]) {
      const before = whole.slice(0, stop + 1).flatMap(textsOf);
      const after = (await read(stored(whole[stop]!.cursor))).flatMap(textsOf);
      expect(new Set([...before, ...after]).size).toBe(1000);
    }
    const end = stored(whole.at(-1)!.cursor);
    await database.query("INSERT INTO log VALUES (5000, 10), (5001, 3)");
    const { ids } = await run(end, "log");
    expect(ids).toEqual(expect.arrayContaining([5000, 5001]));
  });

  test("views and queries look back ten minutes, and give rows without a value each time", async () => {
    await database.query("CREATE VIEW seen AS SELECT * FROM items");
    await database.query(
      "INSERT INTO items VALUES (1, 0, '2024-01-01 11:00'), (2, 0, '2024-01-01 12:00'), (3, 0, NULL)",
    );
    const queries = { asked: "SELECT * FROM items WHERE v >= 0" };
    for (const stream of ["seen", "asked"]) {
      const first = await run(null, stream, "at", queries);
      expect(first.ids.toSorted()).toEqual([1, 2, 3]);
      await database.query("INSERT INTO items VALUES (4, 0, '2024-01-01 11:55'), (5, 0, '2024-01-01 12:00')");
      const second = await run(first.cursor, stream, "at", queries);
      expect(second.ids.toSorted()).toEqual([2, 3, 4, 5]);
      await database.query("DELETE FROM items WHERE id > 3");
    }
  });

  test("a cursor of another server, whose transactions have other numbers, misses nothing", async () => {
    await database.query("INSERT INTO items VALUES (1, 0, '2024-01-01'), (2, 0, '2024-01-02')");
    const { cursor } = await run(null);
    for (const seen of ["99999999999999", "3"]) {
      const far = { ...(cursor as { [name: string]: string }), seen };
      expect((await run(far)).ids).toEqual([1, 2]);
    }
  });

  test("every committed row is delivered at its last version, whatever writers do meanwhile", async () => {
    const writers = 4;
    const perWriter = 60;
    const below = (n: number) => Math.floor(Math.random() * n);
    await database.query("CREATE INDEX ON items (at)");
    const delivered = new Map<number, number>();
    let deliveries = 0;
    let cursor: Cursor | null = null;
    const pull = async () => {
      const read: { items: Item[]; cursor: Cursor | null } = await run(cursor);
      for (const { id, v } of read.items) delivered.set(id, Math.max(v, delivered.get(id) ?? -1));
      deliveries += read.items.length;
      cursor = read.cursor;
    };
    let writing = true;
    const write = async (writer: number) => {
      const client = await database.client();
      for (let n = 0; n < perWriter; n++) {
        const id = writer * 1000 + below(40);
        // Times tie within a second, are the transaction's, the clock's, the application's, or none.
        const at = ["now()", "clock_timestamp()", "date_trunc('second', now())", "now() - interval '1 hour'", "NULL"][
          below(5)
        ]!;
        await client.query("BEGIN");
        if (below(2) === 0) await client.query("SAVEPOINT s");
        await client.query(
          `INSERT INTO items VALUES (${id}, 1, ${at}) ON CONFLICT (id) DO UPDATE SET v = items.v + 1, at = ${at}`,
        );
        await client.query(`SELECT pg_sleep(${below(20) / 1000})`);
        await client.query(below(6) === 0 ? "ROLLBACK" : "COMMIT");
      }
    };
    const all = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer))).finally(() => {
      writing = false;
    });
    let runs = 0;
    for (; writing; runs++) await pull();
    await all;
    await pull();
    const rows = (await database.query("SELECT id, v FROM items")) as unknown as Item[];
    const missed = rows.filter(({ id, v }) => delivered.get(id) !== v);
    expect(missed).toEqual([]);
    expect(runs).toBeGreaterThan(1);
    // Each version once, and again for each run during which its transaction or an older one was under way.
    expect(deliveries).toBeLessThan(writers * perWriter * 10);
  });
});
