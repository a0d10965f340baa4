import { closeSync, openSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { sharedNode } from "../support/node.ts";
import { query, seededRandom } from "../support/records.ts";
import { type Blow, killNode, strike } from "./chaos.ts";

const records = Number(process.env.CHAOS_RECORDS ?? 60_000);
/** Keys take their time. */
const few = records / 2;
const times = Number(process.env.CHAOS_KILLS ?? 2);
const timeout = 240_000 + times * 40_000;
const accounts = 50;
/** Records whose keys no commit holds yet, those of a commit under way, and what was taken in hand meanwhile. */
const inHand = 30_000;

/** What each account ends as. */
let newest: Map<number, number>;
const node = sharedNode();

beforeAll(async () => {
  const { api, files } = node();
  newest = writeUpdates(join(files, "in.ndjson"), records);
  writeUpdates(join(files, "few.ndjson"), few);
  await api.connector("files", "file", { path: files });
  await query(node().databaseUrl(), "CREATE DATABASE landing");
  await api.connector("table", "postgres", { url: node().databaseUrl("landing"), create_table: true });
});

/** Updates of a few accounts, numbered in their order; an account's last one is far from the end, at a place of its own. */
function writeUpdates(path: string, records: number): Map<number, number> {
  const newest = new Map<number, number>();
  const file = openSync(path, "w");
  for (let from = 0; from < records; from += 5_000) {
    let text = "";
    for (let id = from; id < Math.min(records, from + 5_000); id++) {
      // Accounts fall silent one after another.
      const open = Math.max(1, accounts - Math.floor((id / records) * accounts));
      const account = (id * 31) % open;
      newest.set(account, id);
      text += `${JSON.stringify({ id, account, padding: "x".repeat(150) })}\n`;
    }
    writeSync(file, text);
  }
  closeSync(file);
  return newest;
}

/** Resolves when the node has it up again, as another process. */
const killNats: Blow = async (node) => {
  const killed = node.killServer("nats");
  await expect.poll(() => node.serverPid("nats") !== killed, { interval: 50 }).toBe(true);
};

async function idsIn(path: string): Promise<number[]> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line) => (JSON.parse(line) as { id: number }).id);
}

const source = { connector: "files", stream: "in.ndjson" };
const accountsTable = (stream: string) => ({
  id: "table",
  connector: "table",
  stream,
  mode: "upsert",
  key: ["account"],
});
const file = (stream: string, mode: "replace" | "append") => ({
  id: stream.replace(".", "-"),
  connector: "files",
  stream,
  mode,
});
/** Every account's records go one way of two, to one destination. */
const needs = ["even", "odd"];
const branches = {
  steps: [
    { id: "even", type: "filter", needs: ["source"], where: "$.account < 25" },
    { id: "odd", type: "filter", needs: ["source"], where: "$.account >= 25" },
  ],
};

/** A run of the updates. */
async function begin(name: string, delivery: object, destinations: readonly object[], spec: object = {}) {
  const id = await node().api.integration({ name, source, destinations, delivery, ...spec });
  return { id, runId: await node().api.run(id) };
}

/** The same, through two branches. */
const branched = (name: string, delivery: object, ...destinations: readonly object[]) =>
  begin(
    name,
    delivery,
    destinations.map((each) => ({ ...each, needs })),
    { pipeline_spec: branches },
  );

const blows = (blow: Blow) => ({ records, times, random: seededRandom(), blow, timeout });

async function expectNewest(table: string): Promise<void> {
  const { rows } = await query(node().databaseUrl("landing"), `SELECT account::int, id::int FROM ${table}`);
  expect(new Map(rows.map(({ account, id }) => [account, id]))).toEqual(newest);
}

const whole = { status: "success", records_in: records, records_failed: 0 };

test("in the order strict each row ends as its newest update, however often nats-server is killed", {
  timeout,
}, async () => {
  const { runId } = await branched(
    "strict-nats",
    { ordering: "strict" },
    accountsTable("strict_nats"),
    file("strict-nats.ndjson", "replace"),
  );
  const { runs } = await strike(node(), [runId], blows(killNats));
  expect(runs).toMatchObject([whole]);
  await expectNewest("strict_nats");
});

test("in the orders strict and key each row ends as its newest update, however often the node is killed, and files that are appended to in order hold each record once", {
  timeout,
}, async () => {
  const strict = { ordering: "strict" };
  const begun = [
    await branched("strict", strict, accountsTable("strict_node")),
    await branched(
      "key",
      { ordering: "key", key: ["account"] },
      accountsTable("key_node"),
      file("key.ndjson", "replace"),
    ),
    await begin("appended", strict, [file("out.ndjson", "append"), file("out.json", "append")]),
  ];
  const ids = begun.map(({ runId }) => runId);
  const { runs } = await strike(node(), ids, blows(killNode));
  expect(runs).toMatchObject([whole, whole, { ...whole, records_out: 2 * records }]);
  await expectNewest("strict_node");
  await expectNewest("key_node");
  const inOrder = Array.from({ length: records }, (_, id) => id);
  expect(await idsIn(join(node().files, "out.ndjson"))).toEqual(inOrder);
  const array = JSON.parse(await readFile(join(node().files, "out.json"), "utf8")) as { id: number }[];
  expect(array.map(({ id }) => id)).toEqual(inOrder);
});

test("with idempotency keys a table gets each record once, however often the node is killed, and a file what was in hand twice", {
  timeout,
}, async () => {
  const destinations = [
    { id: "table", connector: "table", stream: "updates", mode: "append" },
    file("updates.ndjson", "append"),
  ];
  const { id, runId } = await begin("remembered", { idempotency: { window: "1h" } }, destinations, {
    source: { connector: "files", stream: "few.ndjson" },
  });
  const { runs } = await strike(node(), [runId], { ...blows(killNode), records: few });
  const all = { status: "success", records_in: few, records_out: 2 * few, records_failed: 0 };
  expect(runs).toMatchObject([all]);
  const inTable = async () => {
    const counts = "SELECT count(*)::int AS total, count(DISTINCT id)::int AS ids FROM updates";
    return (await query(node().databaseUrl("landing"), counts)).rows[0];
  };
  expect(await inTable()).toEqual({ total: few, ids: few });
  const written = await idsIn(join(node().files, "updates.ndjson"));
  process.stderr.write(`idempotency: ${written.length - few} of ${few} lines twice after ${times} kills\n`);
  expect(new Set(written).size).toBe(few);
  expect(written.length - few).toBeLessThan(times * inHand);
  // Read again, all of it is known.
  const again = await node().api.ended(await node().api.run(id), timeout);
  expect(again).toMatchObject(all);
  expect(await inTable()).toEqual({ total: few, ids: few });
  expect(await idsIn(join(node().files, "updates.ndjson"))).toHaveLength(written.length);
});
