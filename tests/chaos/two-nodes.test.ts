import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Api, Run } from "../support/api.ts";
import type { TestNode } from "../support/node.ts";
import { copyRules, kept, landedInFile, landedInTable, query, writeRecords } from "../support/records.ts";
import { wholeRun } from "./chaos.ts";
import { Group, ownNats } from "./suite/group.ts";

const records = 100_000;
const exactly = { total: kept(records), missing: 0, duplicates: 0, strange: 0 };
const destinations = ["table", "file", "added", "lines"];
/** Records of a batch, by default. */
const batch = 500;
const few = 10;
/** What a table that is appended to without keys gets twice: 16 messages in hand, and what no commit held yet. */
const inHand = 20_000;

let nodes: readonly TestNode[];
let database: string;
const ends: (() => unknown)[] = [];

/** Two nodes on one nats-server, which is theirs alone, and one database. */
beforeAll(async () => {
  const atEnd = (end: () => unknown) => void ends.push(end);
  const group = await Group.start(2, atEnd, (await ownNats(atEnd)).url);
  ({ nodes, database } = group);
});
beforeEach(async () => {
  for (const node of nodes) if (!node.alive) await node.start();
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

test("a run whose node died is finished by another, every record exactly once", { timeout: 240_000 }, async () => {
  const { files, runId } = await begun("both");
  const { owner, other } = await ownerOf("both");
  await owner.kill();
  const taken = await other.api.runById(runId);
  expect(taken.status).toBe("running");
  expect(await other.api.ended(runId)).toMatchObject(wholeRun(records, destinations));
  expect(await landedInTable(database, "people-both", records)).toEqual(exactly);
  expect(await landedInFile(join(files, "out-both.ndjson"), records)).toEqual(exactly);
  await addedOnce("both");
});

test("a node that is paused for longer than its lease adds nothing stale when it wakes up", {
  timeout: 240_000,
}, async () => {
  const { files, id, runId } = await begun("paused");
  const { owner, other } = await ownerOf("paused");
  const { pid } = owner;
  process.kill(pid, "SIGSTOP");
  let added: number;
  let lines: number;
  try {
    expect(await other.api.ended(runId)).toMatchObject(wholeRun(records, destinations));
    added = await addedOnce("paused");
    lines = (await landedInFile(join(files, "lines-paused.ndjson"), records)).total;
  } finally {
    process.kill(pid, "SIGCONT");
  }
  // The file of that run stays to be looked at: the next ones take its place. They are small.
  renameSync(join(files, "out-paused.ndjson"), join(files, "first.ndjson"));
  rmSync(join(files, "in-paused.ndjson"));
  writeRecords(join(files, "in-paused.ndjson"), few);
  let runs = 0;
  // Until the integration is the woken node's again: it has let go of what it had in hand before.
  for (const before = await recordsIn(owner, "paused"); (await recordsIn(owner, "paused")) === before; runs++) {
    expect(await other.api.ended(await other.api.run(id))).toMatchObject(wholeRun(few, destinations));
  }
  expect(await other.api.runById(runId)).toMatchObject(wholeRun(records, destinations));
  expect(await landedInTable(database, "people-paused", records)).toEqual(exactly);
  expect(await landedInFile(join(files, "first.ndjson"), records)).toEqual(exactly);
  expect(await landedInFile(join(files, "out-paused.ndjson"), few)).toEqual({ ...exactly, total: kept(few) });
  // What the later runs added, and nothing of what the woken node had in hand.
  expect((await landedInTable(database, "added-paused", records)).total - added).toBe(runs * kept(few));
  // A file of lines cannot refuse: the batch that was under way, and no more.
  const stale = (await landedInFile(join(files, "lines-paused.ndjson"), records)).total - lines - runs * kept(few);
  process.stderr.write(`${runs} runs later, ${stale} records of the woken node in a file of lines\n`);
  expect(stale).toBeGreaterThanOrEqual(0);
  expect(stale).toBeLessThanOrEqual(batch);
});

test("a schedule fires once at each instant across nodes, also when the node that fired it dies", {
  timeout: 240_000,
}, async () => {
  const [{ api }] = nodes as [TestNode];
  await api.connector("numbers", "generator", { count: 5 });
  await api.connector("nowhere", "blackhole", {});
  const id = await api.integration({
    name: "ticks",
    source: { connector: "numbers", stream: "numbers" },
    destination: { connector: "nowhere", stream: "all" },
    trigger: { type: "schedule", cron: "*/2 * * * * *" },
  });
  await atLeast(api, id, 3);
  const { owner, other } = await ownerOf("ticks");
  const before = (await runsOf(api, id)).length;
  await owner.kill();
  await atLeast(other.api, id, before + 3);
  const runs = await runsOf(other.api, id);
  const instants = runs.map(({ started_at }) => Math.floor(Date.parse(started_at) / 2000));
  expect(new Set(instants).size).toBe(runs.length);
  for (const run of runs.slice(1)) expect(run).toMatchObject({ trigger: "schedule", status: "success", records_in: 5 });
  const { rows } = await query(database, "SELECT count(*)::int AS fires FROM sluice.scheduled_fires");
  expect(rows[0].fires).toBeGreaterThanOrEqual(runs.length);
});

/** A run into a table and a file that is a third on its way. */
async function begun(name: string): Promise<{ files: string; id: string; runId: string }> {
  const [{ api, files }] = nodes as [TestNode];
  writeRecords(join(files, `in-${name}.ndjson`), records);
  await api.connector(`files-${name}`, "file", { path: files });
  await api.connector(`table-${name}`, "postgres", { url: database, schema: "public", create_table: true });
  const id = await api.integration({
    name,
    source: { connector: `files-${name}`, stream: `in-${name}.ndjson` },
    destinations: [
      { id: "table", connector: `table-${name}`, stream: `people-${name}`, mode: "upsert", key: ["id"] },
      { id: "file", connector: `files-${name}`, stream: `out-${name}.ndjson`, mode: "replace" },
      { id: "added", connector: `table-${name}`, stream: `added-${name}`, mode: "append" },
      { id: "lines", connector: `files-${name}`, stream: `lines-${name}.ndjson`, mode: "append" },
    ],
    ...copyRules,
  });
  const runId = await api.run(id);
  await api.until(runId, ({ records_in }) => records_in > records * 0.3);
  return { files, id, runId };
}

/** After one run: how many rows the table has that is appended to. */
async function addedOnce(name: string): Promise<number> {
  const { total, missing, duplicates, strange } = await landedInTable(database, `added-${name}`, records);
  process.stderr.write(`${duplicates} of ${records} records appended twice\n`);
  expect({ missing, strange }).toEqual({ missing: 0, strange: 0 });
  expect(duplicates).toBeLessThan(inHand);
  return total;
}

/** The node that carries an integration out, as its own metrics say. */
async function ownerOf(integration: string): Promise<{ owner: TestNode; other: TestNode }> {
  const counts = await Promise.all(nodes.map((node) => recordsIn(node, integration)));
  expect(
    counts.filter((count) => count > 0),
    "owners",
  ).toHaveLength(1);
  const at = counts.findIndex((count) => count > 0);
  return { owner: nodes[at] as TestNode, other: nodes[1 - at] as TestNode };
}

/** What a node has read of an integration since it was started. */
async function recordsIn({ api }: TestNode, integration: string): Promise<number> {
  const { text } = await api.text("/metrics");
  return Number(new RegExp(`^sluice_records_in_total{.*"${integration}".*} (\\d+)`, "m").exec(text)?.[1] ?? 0);
}

async function runsOf(api: Api, id: string): Promise<Run[]> {
  return (await api.call<{ items: Run[] }>("GET", `/v1/integrations/${id}/runs?limit=100`)).items;
}

/** Waits until so many runs have ended. */
async function atLeast(api: Api, id: string, count: number): Promise<void> {
  const ended = async () => (await runsOf(api, id)).filter(({ status }) => status !== "running").length;
  await expect.poll(ended, { interval: 100 }).toBeGreaterThanOrEqual(count);
}
