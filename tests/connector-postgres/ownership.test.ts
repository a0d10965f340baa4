import { hash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Destination, DestinationOptions, JsonObject } from "../../connectors/sdk/index.ts";
import { Database, never } from "./database.ts";

const hourMs = 3_600_000;
const integrationId = "0197f000-0000-7000-8000-000000000001";

/** By `key`, or else `id`. */
const keyOf = ({ id, key = id! }: JsonObject): string => hash("sha256", String(key), "hex");

async function write(destination: Destination, records: readonly JsonObject[], signal = never) {
  const out = records.map((value) => ({ value, text: JSON.stringify(value), id: String(value.id) }));
  const keys = destination.dedupes && { keys: records.map(keyOf) };
  const { failed = [] } = await destination.write({ records: out, signal, ...keys });
  return failed.map(({ index }) => index).toSorted((a, b) => a - b);
}

describe("a Postgres destination with an owner", () => {
  let database: Database;
  const opened: Destination[] = [];
  beforeAll(async () => {
    database = await Database.create();
  });
  afterAll(async () => {
    for (const destination of opened) await destination.close();
    await database?.close();
  });
  beforeEach(async () => {
    await database.query(`DROP TABLE IF EXISTS landed, _sluice_owners, _sluice_processed;
      CREATE TABLE landed (at serial, id int NOT NULL, key text, name varchar(10))`);
  });

  async function open(epoch: number, more: Partial<DestinationOptions> = {}, config: object = {}) {
    const owner = { integrationId, destinationId: "table", epoch };
    const base = { stream: "landed", mode: "append" as const, key: [], runId: "run", state: null, signal: never };
    const destination = await database.connector(config).openDestination!({ ...base, owner, ...more });
    opened.push(destination);
    return destination;
  }
  const remembering = (epoch: number, more: Partial<DestinationOptions> = {}) =>
    open(epoch, { idempotencyWindowMs: hourMs, ...more });
  const landed = async () => (await database.query("SELECT id FROM landed ORDER BY at")).map(({ id }) => id);
  const count = async (table: string) => Number((await database.query(`SELECT count(*) AS n FROM ${table}`))[0]!.n);
  const stale = { name: "StaleOwnerError" };

  test("once a later owner has opened, nothing of an earlier one lands, nor can it open again", async () => {
    const first = await open(1);
    expect(await write(first, [{ id: 1 }, { id: 2 }])).toEqual([]);
    const second = await open(2);
    for (const records of [[{ id: 3 }], [{ id: 4 }, { id: 5, name: "other" }], [{}]]) {
      await expect(write(first, records)).rejects.toMatchObject(stale);
    }
    expect(await write(second, [{ id: 6 }])).toEqual([]);
    await expect(write(first, [{ id: 7 }])).rejects.toMatchObject(stale);
    await expect(open(1)).rejects.toMatchObject(stale);
    expect(await landed()).toEqual([1, 2, 6]);
  });

  test("an upsert of an earlier owner is refused, also when its records are narrowed down", async () => {
    await database.query("CREATE UNIQUE INDEX ON landed (id)");
    const upsert = { mode: "upsert" as const, key: ["id"] };
    const first = await open(1, upsert);
    await write(first, [{ id: 1, name: "old" }]);
    const second = await open(2, upsert);
    await write(second, [{ id: 1, name: "new" }]);
    await expect(write(first, [{ id: 1, name: "old" }])).rejects.toMatchObject(stale);
    await expect(write(first, [{ id: 1, name: "far too long" }, { id: 2 }])).rejects.toMatchObject(stale);
    expect(await database.query("SELECT id, name FROM landed")).toEqual([{ id: 1, name: "new" }]);
  });

  test("opened again by the same owner, what was open before writes nothing more", async () => {
    const [first, second] = [await open(1), await open(1)];
    await expect(write(first, [{ id: 1 }])).rejects.toMatchObject(stale);
    expect(await write(second, [{ id: 2 }])).toEqual([]);
    expect(await landed()).toEqual([2]);
  });

  test("each destination of each integration has an owner of its own", async () => {
    const first = await open(5);
    await open(6, { owner: { integrationId, destinationId: "other", epoch: 6 } });
    await open(6, { owner: { integrationId: "another", destinationId: "table", epoch: 6 } });
    expect(await write(first, [{ id: 1 }])).toEqual([]);
  });

  test("a new owner waits for the statement that the former one has under way, and it lands whole", async () => {
    const first = await open(1);
    const locker = await database.client();
    await database.query("CREATE UNIQUE INDEX ON landed (id)");
    await locker.query("BEGIN; INSERT INTO landed (id) VALUES (2)");
    const writing = write(first, [{ id: 1 }, { id: 2 }]);
    await waiting(1);
    let isOpen = false;
    const opening = open(2).then((destination) => {
      isOpen = true;
      return destination;
    });
    await waiting(2);
    expect(isOpen).toBe(false);
    await locker.query("ROLLBACK");
    expect(await writing).toEqual([]);
    expect(await write(await opening, [{ id: 3 }])).toEqual([]);
    expect(await landed()).toEqual([1, 2, 3]);
  });

  test("a statement that begins while a new owner takes over is refused", async () => {
    const first = await open(1);
    const other = await database.client();
    await other.query("BEGIN; UPDATE _sluice_owners SET epoch = 2, opened = opened + 1");
    const writing = write(first, [{ id: 1 }]).catch((error: unknown) => error);
    await waiting(1);
    await other.query("COMMIT");
    expect(await writing).toMatchObject(stale);
    expect(await landed()).toEqual([]);
  });

  test("an owner whose connection broke goes on over a new one", async () => {
    const destination = await remembering(1);
    await write(destination, [{ id: 1 }]);
    await database.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sluice'",
    );
    await write(destination, [{ id: 2 }]).catch(() => undefined);
    await write(destination, [{ id: 1 }, { id: 2 }]);
    expect(await landed()).toEqual([1, 2]);
  });

  test("of records with a known key none is written: in the batch, in a later one, by a later owner", async () => {
    const first = await remembering(1);
    expect(first.dedupes).toBe(true);
    await write(first, [{ id: 1 }, { id: 2, key: "same" }, { id: 3, key: "same" }, { id: 4 }]);
    await write(first, [{ id: 5, key: "same", name: "other" }, { id: 1 }, { id: 6 }]);
    expect((await landed()).toSorted()).toEqual([1, 2, 4, 6]);
    const second = await remembering(2);
    await write(second, [{ id: 4 }, { id: 7 }, { id: 6 }, { id: 8 }]);
    expect((await landed()).toSorted()).toEqual([1, 2, 4, 6, 7, 8]);
  });

  test("records of a batch keep their order", async () => {
    const destination = await remembering(1);
    const ids = Array.from({ length: 2_000 }, (_, n) => (n * 7_919) % 2_000);
    await write(
      destination,
      ids.slice(0, 500).map((id) => ({ id })),
    );
    await write(
      destination,
      ids.map((id) => ({ id })),
    );
    expect(await landed()).toEqual(ids);
  });

  test("a record that is refused leaves its key to the next one, and the others are remembered", async () => {
    const destination = await remembering(1);
    const bad = { id: 1, key: "same", name: "far too long" };
    expect(
      await write(destination, [{ id: 0 }, bad, { id: 2, key: "same", name: "good" }, { id: 3, key: "same" }]),
    ).toEqual([1]);
    expect(await landed()).toEqual([0, 2]);
    expect(await write(destination, [bad])).toEqual([]);
    expect(await landed()).toEqual([0, 2]);
    // Given up alone, and corrected later.
    expect(await write(destination, [{ ...bad, key: "alone" }])).toEqual([0]);
    expect(await write(destination, [{ id: 1, key: "alone" }, { id: 0 }])).toEqual([]);
    expect(await landed()).toEqual([0, 2, 1]);
  });

  test("records without any field are written once a key as well", async () => {
    await database.query("ALTER TABLE landed ALTER id SET DEFAULT 7");
    const destination = await remembering(1);
    const records = ["a", "b", "a"].map((id) => ({ value: {}, text: "{}", id }));
    const keys = records.map(({ id }) => hash("sha256", id, "hex"));
    for (let n = 0; n < 2; n++) await destination.write({ records, keys, signal: never });
    expect(await landed()).toEqual([7, 7]);
  });

  test("a key is known within the window, and is deleted some time after it", async () => {
    const destination = await remembering(1);
    await write(destination, [{ id: 1 }, { id: 2 }]);
    await database.query("UPDATE _sluice_processed SET seen_at = now() - interval '59 min'");
    await write(destination, [{ id: 1 }]);
    expect(await landed()).toEqual([1, 2]);
    await database.query("UPDATE _sluice_processed SET seen_at = now() - interval '61 min'");
    await write(destination, [{ id: 1 }]);
    await write(destination, [{ id: 1 }]);
    expect(await landed()).toEqual([1, 2, 1]);
    // Whoever writes next deletes it, whichever integration's it was.
    const owner = { integrationId: "another", destinationId: "table", epoch: 1 };
    await write(await remembering(1, { owner }), [{ id: 3 }]);
    expect(await count("_sluice_processed")).toBe(2);
    // One that remembers no longer leaves nothing behind.
    await open(2);
    await write(await remembering(2, { owner }), [{ id: 4 }]);
    expect(await count("_sluice_processed")).toBe(2);
  });

  test("each destination of each integration has keys of its own, and none where none are wanted", async () => {
    await write(await remembering(1), [{ id: 1 }]);
    await write(await remembering(1, { owner: { integrationId, destinationId: "other", epoch: 1 } }), [{ id: 1 }]);
    await write(await remembering(1, { owner: { integrationId: "another", destinationId: "table", epoch: 1 } }), [
      { id: 1 },
    ]);
    const plain = await open(1, { owner: { integrationId, destinationId: "plain", epoch: 1 } });
    expect(plain.dedupes).toBe(false);
    await write(plain, [{ id: 1 }]);
    expect(await landed()).toEqual([1, 1, 1, 1]);
    expect(await count("_sluice_processed")).toBe(3);
  });

  test("integrations that open at once make the tables once, and do not wait for each other's keys", async () => {
    const owners = Array.from({ length: 16 }, (_, n) => ({ integrationId: String(n), destinationId: "d", epoch: 1 }));
    const writers = await Promise.all(owners.map((owner) => remembering(1, { owner })));
    expect(writers.every(({ dedupes }) => dedupes)).toBe(true);
    const ids = Array.from({ length: 100 }, (_, id) => ({ id }));
    await Promise.all(writers.map((destination) => write(destination, ids)));
    expect(await landed()).toHaveLength(1_600);
  });

  test("a role that may make no tables writes without them, and it is said", async () => {
    const role = `poor_${database.name}`;
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
      GRANT INSERT ON landed TO ${role}; GRANT USAGE ON SEQUENCE landed_at_seq TO ${role}`);
    try {
      const config = { user: role, password: "x" };
      const poor = await open(1, { idempotencyWindowMs: hourMs }, config);
      expect(poor.dedupes).toBe(false);
      expect(poor.warnings).toEqual([expect.stringContaining("_sluice_owners and _sluice_processed beside landed")]);
      expect(await write(poor, [{ id: 1 }])).toEqual([]);
      // Made by somebody else, and granted.
      expect((await remembering(1)).warnings).toEqual([]);
      expect((await open(1, {}, config)).warnings).toHaveLength(1);
      await database.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON _sluice_owners, _sluice_processed TO ${role}`);
      const granted = await open(2, { idempotencyWindowMs: hourMs }, config);
      expect([granted.dedupes, granted.warnings]).toEqual([true, []]);
      expect(await write(granted, [{ id: 2 }, { id: 2 }])).toEqual([]);
      expect(await landed()).toEqual([1, 2]);
      await Promise.all([poor.close(), granted.close()]);
    } finally {
      await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  test("the tables stand in the schema of the one that is written to, and are no streams", async () => {
    await database.query("CREATE SCHEMA sales; CREATE TABLE sales.orders (id int)");
    await write(await remembering(1, { stream: "sales.orders" }), [{ id: 1 }]);
    const tables = await database.query(
      "SELECT nspname AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = '_sluice_owners'",
    );
    expect(tables).toEqual([{ schema: "sales" }]);
    const streams = await database.connector().discover(never);
    expect(streams.map(({ name }) => name)).toEqual(["landed", "sales.orders"]);
    await database.query("DROP SCHEMA sales CASCADE");
  });

  test("whoever only asks whether a table can be written makes none beside it, nor beside one that is not there", async () => {
    const check = await database.open("landed");
    await check.close();
    await expect(open(1, { stream: "missing" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(count("_sluice_owners")).rejects.toThrow("does not exist");
  });

  /** Resolves when so many of our statements wait for a lock. */
  async function waiting(statements: number): Promise<void> {
    const blocked = `SELECT count(*) AS n FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'sluice' AND wait_event_type = 'Lock'`;
    const count = async () => Number((await database.query(blocked))[0]!.n);
    await expect.poll(count, { interval: 20 }).toBe(statements);
  }
});
