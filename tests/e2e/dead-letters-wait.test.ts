import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { expect, test, vi } from "vitest";
import { serveHere } from "../support/http-server.ts";
import { TestNode } from "../support/node.ts";
import { otherPostgres } from "../support/other-postgres.ts";
import { query } from "../support/records.ts";
import { tempDir } from "../support/temp-dir.ts";

// Limits for what hangs, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 300_000 });
const patience = { timeout: 150_000, interval: 50 };

/** Of 10 kB each; more of them are refused than a node keeps in memory as dead letters: 32 MB. */
const records = 6_000;
const isRefused = (id: number) => id % 5 !== 0;
const ids = Array.from({ length: records }, (_, id) => id);
const refused = ids.filter(isRefused);
const taken = ids.filter((id) => !isRefused(id));

function* lines(): Generator<string> {
  const text = "x".repeat(10_000);
  for (const id of ids) yield `${JSON.stringify({ id, age: isRefused(id) ? "old" : 7, text })}\n`;
}

test.for([
  ["goes on", false],
  ["is killed meanwhile", true],
] as const)(
  "where Postgres is away, dead letters wait in JetStream and none is dropped: a node that %s",
  async ([, isKilled]) => {
    const folder = tempDir();
    const store = await otherPostgres(folder);
    let answer: () => void = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const landed = new Set<number>();
    const server = await serveHere(async ({ body }) => {
      await answered;
      for (const { id } of JSON.parse(body) as { id: number }[]) landed.add(id);
      return { status: 201 };
    });
    const node = await TestNode.start({
      folder,
      env: { SLUICE_DATABASE_URL: store.url, SLUICE_ALLOW_ADDRESSES: "127.0.0.0/8" },
    });
    await pipeline(Readable.from(lines()), createWriteStream(join(node.files, "in.ndjson")));
    const { api } = node;
    await api.connector("files", "file", { path: node.files });
    await api.connector("crm", "http", {
      base_url: server.url,
      streams: { people: { append: { batch: { records: 100 } } } },
    });
    const integration = await api.integration({
      name: "people",
      source: { connector: "files", stream: "in.ndjson" },
      mapping_spec: [
        { source: "$.id", destination: "id" },
        { source: "$.age", destination: "age", cast: "integer" },
      ],
      destination: { connector: "crm", stream: "people" },
    });
    const run = await api.run(integration);
    // Nothing is taken from the log but what may be in hand while the destination says nothing.
    await expect.poll(() => server.asked.length, patience).toBeGreaterThan(0);
    await store.stop();
    answer();
    // Each five records hold four that are refused: what comes now with those that land is kept nowhere but in the log.
    await expect.poll(() => landed.size, patience).toBeGreaterThan(0);
    expect(landed.size).toBeLessThan(taken.length);
    if (isKilled) await node.kill();
    await store.start();
    if (isKilled) await node.start();

    expect(await api.ended(run)).toMatchObject({
      status: "partial",
      records_in: records,
      records_out: taken.length,
      records_filtered: 0,
      records_failed: refused.length,
    });
    const { rows } = await query(
      store.url,
      `SELECT (coalesce(letter.payload, original.payload)->>'id')::int AS id
     FROM sluice.dead_letter_records letter LEFT JOIN sluice.dead_letter_originals original ON original.id = letter.raw_of
     ORDER BY 1`,
    );
    expect(rows.map(({ id }) => id)).toEqual(refused);
    expect([...landed].sort((a, b) => a - b)).toEqual(taken);
  },
);
