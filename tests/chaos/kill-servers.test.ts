import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { TestNode } from "../support/node.ts";
import { copyRules, kept, landedInFile, landedInTable, query, seededRandom, writeRecords } from "../support/records.ts";
import { strike, wholeRun } from "./chaos.ts";

const records = Number(process.env.CHAOS_RECORDS ?? 200_000);
const times = Number(process.env.CHAOS_KILLS ?? 3);
const timeout = 180_000 + times * 20_000;
const exactly = { total: kept(records), missing: 0, duplicates: 0, strange: 0 };

let node: TestNode;

beforeEach(async () => {
  node = await TestNode.start();
  writeRecords(join(node.files, "in.ndjson"), records);
  await node.api.connector("files", "file", { path: node.files });
  await query(node.databaseUrl(), "CREATE DATABASE landing");
  await node.api.connector("table", "postgres", { url: node.databaseUrl("landing"), create_table: true });
});

test.for(["nats", "postgres"] as const)(
  "a run goes on when %s is killed under it, and a table and a file both hold every record exactly once",
  { timeout },
  async (server) => {
    const integration = await node.api.integration({
      name: "both",
      source: { connector: "files", stream: "in.ndjson" },
      destinations: [
        { id: "table", connector: "table", stream: "people", mode: "upsert", key: ["id"] },
        { id: "file", connector: "files", stream: "out.ndjson", mode: "replace" },
      ],
      // A run is struck again and again, and is not to spend its time waiting.
      delivery: { circuit_breaker: { open_for: "1s" } },
      ...copyRules,
    });
    const started = node.pid;
    const { run } = await strike(node, await node.api.run(integration), {
      records,
      times,
      random: seededRandom(),
      blow: () => killServer(server),
    });
    expect(run).toMatchObject(wholeRun(records, ["table", "file"]));
    expect(await landedInTable(node.databaseUrl("landing"), "people", records)).toEqual(exactly);
    expect(await landedInFile(join(node.files, "out.ndjson"), records)).toEqual(exactly);
    expect(node.pid, "the node lives on").toBe(started);
    expect((await node.api.request("GET", "/readyz")).status).toBe(200);
  },
);

/** Resolves when the node has the server up again, as another process. */
async function killServer(server: "nats" | "postgres"): Promise<void> {
  const killed = node.killServer(server);
  await expect.poll(() => node.serverPid(server) !== killed && ready(), { timeout: 30_000, interval: 50 }).toBe(true);
}

/** The API cannot answer while Postgres is away. */
async function ready(): Promise<boolean> {
  return (await node.api.request("GET", "/readyz")).status === 200;
}
