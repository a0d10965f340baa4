import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { TestNode } from "../support/node.ts";
import { copyRules, kept, landedInFile, landedInTable, query, seededRandom, writeRecords } from "../support/records.ts";
import { type Blow, killNode, killNodeTwice, strike, wholeRun } from "./chaos.ts";

/** More of both for a long run: `CHAOS_RECORDS=1000000 CHAOS_KILLS=20`. */
const records = Number(process.env.CHAOS_RECORDS ?? 200_000);
const times = Number(process.env.CHAOS_KILLS ?? 3);
const timeout = 180_000 + times * 20_000;
const exactly = { total: kept(records), missing: 0, duplicates: 0, strange: 0 };
const memoryMb = 400;

let node: TestNode;

beforeEach(async () => {
  node = await TestNode.start();
  writeRecords(join(node.files, "in.ndjson"), records);
  await node.api.connector("files", "file", { path: node.files });
  await query(node.databaseUrl(), "CREATE DATABASE landing");
  await node.api.connector("table", "postgres", { url: node.databaseUrl("landing"), create_table: true });
});

const blows = () => ({ records, times, random: seededRandom(), blow: killNode });
const source = { connector: "files", stream: "in.ndjson" };
const toTable = { connector: "table", stream: "people", mode: "upsert", key: ["id"] };

test("every record is upserted exactly once, however often the node is killed", { timeout }, async () => {
  const integration = await node.api.integration({ name: "upsert", source, destination: toTable, ...copyRules });
  const { run, peakMb } = await strike(node, await node.api.run(integration), blows());
  expect(run).toMatchObject(wholeRun(records, ["table"]));
  expect(await landedInTable(node.databaseUrl("landing"), "people", records)).toEqual(exactly);
  expect(peakMb).toBeLessThan(memoryMb);
});

test("a file that is replaced holds every record exactly once, however often the node is killed", {
  timeout,
}, async () => {
  const destination = { connector: "files", stream: "out.ndjson", mode: "replace" };
  const integration = await node.api.integration({ name: "replace", source, destination, ...copyRules });
  const { run, peakMb } = await strike(node, await node.api.run(integration), blows());
  expect(run).toMatchObject(wholeRun(records, ["files"]));
  expect(await landedInFile(join(node.files, "out.ndjson"), records)).toEqual(exactly);
  expect(peakMb).toBeLessThan(memoryMb);
});

test("a file that is appended to misses nothing, however often the node is killed", { timeout }, async () => {
  const destination = { connector: "files", stream: "out.ndjson", mode: "append" };
  const integration = await node.api.integration({ name: "append", source, destination, ...copyRules });
  const { run } = await strike(node, await node.api.run(integration), blows());
  expect(run).toMatchObject(wholeRun(records, ["files"]));
  const landed = await landedInFile(join(node.files, "out.ndjson"), records);
  process.stderr.write(`append: ${landed.duplicates} of ${landed.total} records twice after ${times} kills\n`);
  expect(landed).toMatchObject({ missing: 0, strange: 0 });
});

test("a table and a file both hold every record exactly once, also when the node is killed while it starts", {
  timeout,
}, async () => {
  const destinations = [
    { id: "table", ...toTable },
    { id: "file", connector: "files", stream: "out.ndjson", mode: "replace" },
  ];
  const integration = await node.api.integration({ name: "both", source, destinations, ...copyRules });
  const { random, ...others } = blows();
  const blow = killNodeTwice(random);
  const { run, peakMb } = await strike(node, await node.api.run(integration), { random, ...others, blow });
  expect(run).toMatchObject(wholeRun(records, ["table", "file"]));
  expect(await landedInTable(node.databaseUrl("landing"), "people", records)).toEqual(exactly);
  expect(await landedInFile(join(node.files, "out.ndjson"), records)).toEqual(exactly);
  expect(peakMb).toBeLessThan(memoryMb);
});

test("a node that is asked to stop settles what it has in hand: nothing is appended twice", { timeout }, async () => {
  const destination = { connector: "files", stream: "out.ndjson", mode: "append" };
  const integration = await node.api.integration({ name: "append", source, destination, ...copyRules });
  const stopNode: Blow = async () => {
    expect(await node.stop()).toBe(0);
    await node.start();
  };
  const { run } = await strike(node, await node.api.run(integration), { ...blows(), blow: stopNode });
  expect(run).toMatchObject(wholeRun(records, ["files"]));
  expect(await landedInFile(join(node.files, "out.ndjson"), records)).toEqual(exactly);
});
