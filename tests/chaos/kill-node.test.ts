import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { sharedNode } from "../support/node.ts";
import { copyRules, kept, landedInFile, landedInTable, query, seededRandom, writeRecords } from "../support/records.ts";
import { type Blow, killNode, killNodeTwice, strike, wholeRun } from "./chaos.ts";

/** Of each of four runs. More of both for a long run: `CHAOS_RECORDS=1000000 CHAOS_KILLS=20`. */
const records = Number(process.env.CHAOS_RECORDS ?? 100_000);
const times = Number(process.env.CHAOS_KILLS ?? 2);
const timeout = 240_000 + times * 40_000;
const exactly = { total: kept(records), missing: 0, duplicates: 0, strange: 0 };
/** Four runs at once and what a start recovers take 350 to 375 MB, of 200 an idle node has; ten times the records no more. */
const memoryMb = 512;

const node = sharedNode();

beforeAll(async () => {
  const { api, files } = node();
  writeRecords(join(files, "in.ndjson"), records);
  await api.connector("files", "file", { path: files });
  await query(node().databaseUrl(), "CREATE DATABASE landing");
  await api.connector("table", "postgres", { url: node().databaseUrl("landing"), create_table: true });
});

const upserted = (stream: string) => ({ id: "table", connector: "table", stream, mode: "upsert", key: ["id"] });
const file = (stream: string, mode: "replace" | "append") => ({ id: "file", connector: "files", stream, mode });

async function begin(name: string, ...destinations: readonly { readonly id: string }[]) {
  const source = { connector: "files", stream: "in.ndjson" };
  const id = await node().api.integration({ name, source, destinations, ...copyRules });
  return {
    id: await node().api.run(id),
    whole: wholeRun(
      records,
      destinations.map(({ id }) => id),
    ),
  };
}

test("however often the node is killed, also while it starts, tables by upsert and files that are replaced hold every record exactly once, and a file that is appended to misses none", {
  timeout,
}, async () => {
  const begun = [
    await begin("upsert", upserted("people")),
    await begin("replace", file("replaced.ndjson", "replace")),
    await begin("append", file("appended.ndjson", "append")),
    await begin("both", upserted("both"), file("both.ndjson", "replace")),
  ];
  const random = seededRandom();
  const twice = killNodeTwice(random);
  let struck = 0;
  const blow: Blow = (node) => (struck++ % 2 === 0 ? killNode(node) : twice(node));
  const ids = begun.map(({ id }) => id);
  const { runs, peakMb } = await strike(node(), ids, { records, times, random, blow, timeout });
  for (const [i, { whole }] of begun.entries()) expect(runs[i]).toMatchObject(whole);
  for (const table of ["people", "both"]) {
    expect(await landedInTable(node().databaseUrl("landing"), table, records)).toEqual(exactly);
  }
  for (const replaced of ["replaced.ndjson", "both.ndjson"]) {
    expect(await landedInFile(join(node().files, replaced), records)).toEqual(exactly);
  }
  const landed = await landedInFile(join(node().files, "appended.ndjson"), records);
  process.stderr.write(
    `append: ${landed.duplicates} of ${landed.total} records twice after ${times} kills; at most ${Math.round(peakMb)} MB\n`,
  );
  expect(landed).toMatchObject({ missing: 0, strange: 0 });
  expect(peakMb).toBeLessThan(memoryMb);
});

test("a node that is asked to stop settles what it has in hand: nothing is appended twice", { timeout }, async () => {
  const { id, whole } = await begin("stopped", file("stopped.ndjson", "append"));
  const stopNode: Blow = async (node) => {
    expect(await node.stop()).toBe(0);
    await node.start();
  };
  const { runs } = await strike(node(), [id], { records, times, random: seededRandom(), blow: stopNode, timeout });
  expect(runs).toMatchObject([whole]);
  expect(await landedInFile(join(node().files, "stopped.ndjson"), records)).toEqual(exactly);
});
