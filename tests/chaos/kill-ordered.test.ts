import { closeSync, openSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { TestNode } from "../support/node.ts";
import { query, seededRandom } from "../support/records.ts";
import { type Blow, killNode, strike } from "./chaos.ts";

const records = Number(process.env.CHAOS_RECORDS ?? 100_000);
const times = Number(process.env.CHAOS_KILLS ?? 3);
const timeout = 180_000 + times * 20_000;
const accounts = 50;
/** Records whose keys no commit holds yet, those of a commit under way, and what was taken in hand meanwhile. */
const inHand = 30_000;

let node: TestNode;

beforeEach(async () => {
  node = await TestNode.start();
  await node.api.connector("files", "file", { path: node.files });
  await query(node.databaseUrl(), "CREATE DATABASE landing");
  await node.api.connector("table", "postgres", { url: node.databaseUrl("landing"), create_table: true });
});

/** Updates of a few accounts, numbered in their order; an account's last one is far from the end, at a place of its own. */
function writeUpdates(path: string): Map<number, number> {
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
  await expect.poll(() => node.serverPid("nats") !== killed, { timeout: 30_000, interval: 50 }).toBe(true);
};

async function idsIn(path: string): Promise<number[]> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line) => (JSON.parse(line) as { id: number }).id);
}

const source = { connector: "files", stream: "in.ndjson" };
const toTable = { connector: "table", stream: "accounts", mode: "upsert", key: ["account"] };
/** Every account's records go one way of two, to one destination. */
const branches = {
  steps: [
    { id: "even", type: "filter", needs: ["source"], where: "$.account < 25" },
    { id: "odd", type: "filter", needs: ["source"], where: "$.account >= 25" },
  ],
};

test.each([
  ["strict", "one destination", "node"],
  ["strict", "two destinations", "nats"],
  ["key", "two destinations", "node"],
] as const)(
  "in the order %s into %s each row ends as its newest update, however often %s is killed",
  {
    timeout,
  },
  async (ordering, several, killed) => {
    const newest = writeUpdates(join(node.files, "in.ndjson"));
    const needs = ["even", "odd"];
    const destinations = [
      { id: "table", ...toTable, needs },
      ...(several === "two destinations"
        ? [{ id: "file", connector: "files", stream: "out.ndjson", mode: "replace", needs }]
        : []),
    ];
    const delivery = { ordering, ...(ordering === "key" && { key: ["account"] }) };
    const integration = await node.api.integration({
      name: `ordered-${ordering}`,
      source,
      destinations,
      pipeline_spec: branches,
      delivery,
    });
    const blows = { records, times, random: seededRandom(), blow: killed === "node" ? killNode : killNats };
    const { run } = await strike(node, await node.api.run(integration), blows);
    expect(run).toMatchObject({ status: "success", records_in: records, records_failed: 0 });
    const { rows } = await query(node.databaseUrl("landing"), "SELECT account::int, id::int FROM accounts");
    expect(new Map(rows.map(({ account, id }) => [account, id]))).toEqual(newest);
  },
);

test("what keeps its order is appended to a file of lines and to an array exactly once, however often the node is killed", {
  timeout,
}, async () => {
  writeUpdates(join(node.files, "in.ndjson"));
  const destinations = ["out.ndjson", "out.json"].map((stream) => ({
    id: stream.slice(4),
    connector: "files",
    stream,
    mode: "append",
  }));
  const delivery = { ordering: "strict" };
  const integration = await node.api.integration({ name: "appended", source, destinations, delivery });
  const blows = { records, times, random: seededRandom(), blow: killNode };
  const { run } = await strike(node, await node.api.run(integration), blows);
  expect(run).toMatchObject({ status: "success", records_in: records, records_out: 2 * records });
  const inOrder = Array.from({ length: records }, (_, id) => id);
  expect(await idsIn(join(node.files, "out.ndjson"))).toEqual(inOrder);
  const array = JSON.parse(await readFile(join(node.files, "out.json"), "utf8")) as { id: number }[];
  expect(array.map(({ id }) => id)).toEqual(inOrder);
});

test("with idempotency keys a table gets each record once, however often the node is killed, and a file what was in hand twice", {
  timeout,
}, async () => {
  writeUpdates(join(node.files, "in.ndjson"));
  const destinations = [
    { id: "table", connector: "table", stream: "updates", mode: "append" },
    { id: "file", connector: "files", stream: "updates.ndjson", mode: "append" },
  ];
  const delivery = { idempotency: { window: "1h" } };
  const integration = await node.api.integration({ name: "remembered", source, destinations, delivery });
  const blows = { records, times, random: seededRandom(), blow: killNode };
  const { run } = await strike(node, await node.api.run(integration), blows);
  expect(run).toMatchObject({ status: "success", records_in: records, records_out: 2 * records });
  const inTable = async () => {
    const counts = "SELECT count(*)::int AS total, count(DISTINCT id)::int AS ids FROM updates";
    return (await query(node.databaseUrl("landing"), counts)).rows[0];
  };
  expect(await inTable()).toEqual({ total: records, ids: records });
  const written = await idsIn(join(node.files, "updates.ndjson"));
  process.stderr.write(`idempotency: ${written.length - records} of ${records} lines twice after ${times} kills\n`);
  expect(new Set(written).size).toBe(records);
  expect(written.length - records).toBeLessThan(times * inHand);
  // Read again, all of it is known.
  const again = await node.api.ended(await node.api.run(integration), timeout);
  expect(again).toMatchObject({ status: "success", records_in: records, records_out: 2 * records });
  expect(await inTable()).toEqual({ total: records, ids: records });
  expect(await idsIn(join(node.files, "updates.ndjson"))).toHaveLength(written.length);
});
