import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Cursor } from "../../connectors/sdk/index.ts";
import { Database, stored, textsOf } from "./database.ts";

// The evidence of decision 0005: what simpler bounds of an incremental read miss, and that ours misses none of it.

type State = { last: string | null; snapshot: string | null };
/** Ids that a run reads, and the state after it. */
type Strategy = (state: State) => Promise<{ ids: number[]; state: State }>;

let database: Database;
beforeAll(async () => {
  database = await Database.create();
});
afterAll(() => database?.close());

/** `$1` is the highest value read so far, `$2` the snapshot of the run before. */
const bySql =
  (where: string, always = "true"): Strategy =>
  async ({ last, snapshot }) => {
    const rows = await database.query(
      `SELECT id, at::text AS at, pg_current_snapshot()::text AS snapshot FROM items
       WHERE ($1::timestamptz IS NULL OR $2::pg_snapshot IS NULL OR ${where}) AND ${always} ORDER BY items.at, id`,
      [last, snapshot],
    );
    const values = rows.map((row) => row.at as string).concat(last ?? []);
    const [now] = await database.query("SELECT pg_current_snapshot()::text AS s");
    return {
      ids: rows.map(({ id }) => id as number),
      state: { last: values.toSorted().at(-1) ?? null, snapshot: (rows[0]?.snapshot ?? now!.s) as string },
    };
  };

const strategies: { [name: string]: Strategy } = {
  "above the highest value": bySql("at > $1"),
  "from the highest value on": bySql("at >= $1"),
  "look-back of ten minutes": bySql("at >= $1::timestamptz - interval '10 minutes'"),
  "above the highest value, up to the oldest transaction": bySql(
    "at > $1",
    "xmin::text::xid8 < pg_snapshot_xmin(pg_current_snapshot())",
  ),
  "not visible in the last snapshot": bySql("at > $1 OR NOT pg_visible_in_snapshot(xmin::text::xid8, $2::pg_snapshot)"),
};

let ours: Cursor | null = null;
strategies.ours = async (state) => {
  const options = { stream: "items", mode: "incremental", cursorField: "at", from: ours } as const;
  const batches = await database.batches(options);
  if (batches.length > 0) ours = stored(batches.at(-1)!.cursor);
  return { ids: batches.flatMap(textsOf).map((text) => (JSON.parse(text) as { id: number }).id), state };
};

/**
 * Each makes row 1, which the first run cannot see, around that run; row 2 is seen by it, also by who waits for the oldest
 * transaction of the whole server, on which other tests have theirs.
 */
const scenarios: { [name: string]: (writer: pg.Client, run: () => Promise<void>) => Promise<void> } = {
  "commits after the run": async (writer, run) => {
    await writer.query("BEGIN; INSERT INTO items VALUES (1, now())");
    await database.query("UPDATE items SET at = clock_timestamp()");
    await run();
    await writer.query("COMMIT");
  },
  "has the same value": async (writer, run) => {
    await database.settled();
    await run();
    await writer.query("INSERT INTO items SELECT 1, at FROM items WHERE id = 2");
  },
  "begins before the run and writes after it": async (writer, run) => {
    await writer.query("BEGIN; SELECT now()");
    await database.query("UPDATE items SET at = clock_timestamp()");
    await database.settled();
    await run();
    await writer.query("INSERT INTO items VALUES (1, now()); COMMIT");
  },
  "stands in a savepoint and commits after the run": async (writer, run) => {
    await writer.query("BEGIN; INSERT INTO items VALUES (3, now() - interval '1 second')");
    await writer.query("SAVEPOINT s; INSERT INTO items VALUES (1, now() - interval '1 second'); RELEASE s");
    // A later transaction ends, so that the savepoint's number is below the snapshot's upper bound.
    await database.query("UPDATE items SET at = now()");
    await run();
    await writer.query("COMMIT");
  },
  "carries the application's time, an hour ago": async (writer, run) => {
    await database.settled();
    await run();
    await writer.query("INSERT INTO items VALUES (1, now() - interval '1 hour')");
  },
};

const missed: { [strategy: string]: string[] } = {
  "above the highest value": Object.keys(scenarios),
  "from the highest value on": Object.keys(scenarios).filter((name) => name !== "has the same value"),
  "look-back of ten minutes": ["carries the application's time, an hour ago"],
  "above the highest value, up to the oldest transaction": [
    "has the same value",
    "begins before the run and writes after it",
    "carries the application's time, an hour ago",
  ],
  "not visible in the last snapshot": ["stands in a savepoint and commits after the run"],
  ours: [],
};

test.each(Object.keys(strategies))("%s misses what decision 0005 says", async (name) => {
  const lost: string[] = [];
  for (const [scenario, write] of Object.entries(scenarios)) {
    await database.query("DROP TABLE IF EXISTS items; CREATE TABLE items (id int PRIMARY KEY, at timestamptz)");
    await database.query("INSERT INTO items VALUES (2, now())");
    ours = null;
    const writer = await database.client();
    let state: State = { last: null, snapshot: null };
    const seen: number[] = [];
    const run = async () => {
      const result = await strategies[name]!(state);
      state = result.state;
      seen.push(...result.ids);
    };
    await write(writer, run);
    await database.settled();
    await run();
    if (!seen.includes(1)) lost.push(scenario);
  }
  expect(lost).toEqual(missed[name]);
});
