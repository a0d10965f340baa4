import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { sharedNode } from "../support/node.ts";
import { query } from "../support/records.ts";
import { samples } from "../telemetry/support.ts";

const count = 100_000;
const node = sharedNode();

/** What waits at most: what a consumer has in hand, what is on its way to the log, and a batch or two in it. */
const aheadMax = 30_000;
const looks = 24;
const lookMs = 250;

/** Resident memory of the node in MB; 0 where the system does not tell. */
function memoryMb(): number {
  if (process.platform !== "linux") return 0;
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${node().pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

test("a destination at a hundredth of the source's rate holds reading, log and memory where they are, and all of it drains once it recovers", {
  timeout: 300_000,
}, async () => {
  const { api, files, databaseUrl } = { api: node().api, files: node().files, databaseUrl: node().databaseUrl() };
  await query(databaseUrl, "CREATE DATABASE landing");
  const landing = node().databaseUrl("landing");
  await query(
    landing,
    `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END'`,
  );
  for (const table of ["alone", "beside"]) {
    await query(landing, `CREATE TABLE ${table} (id bigint PRIMARY KEY, name text)`);
    await query(landing, `CREATE TRIGGER slow BEFORE INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION slow()`);
  }
  const template = { id: "{{ index }}", name: "user {{ index }}" };
  await api.connector("numbers", "generator", { count, template, size: 200 });
  await api.connector("tables", "postgres", { url: landing });
  await api.connector("files", "file", { path: files });
  const table = (stream: string) => ({ id: stream, connector: "tables", stream, mode: "upsert", key: ["id"] });
  const common = {
    source: { connector: "numbers", stream: "numbers" },
    mapping_spec: [
      { source: "$.id", destination: "id" },
      { source: "$.name", destination: "name" },
    ],
  };
  const file = { id: "file", connector: "files", stream: "out.ndjson", mode: "replace" };
  const integrations = [
    { ...common, name: "alone", destinations: [table("alone")] },
    { ...common, name: "two", destinations: [table("beside"), file] },
  ];
  const runs: string[] = [];
  for (const each of integrations) runs.push(await api.run(await api.integration(each)));
  for (const run of runs) await api.until(run, ({ records_in }) => records_in >= 2_000);

  const memory: number[] = [];
  for (let look = 0; look < looks; look++) {
    memory.push(memoryMb());
    const { text } = await api.text("/metrics");
    for (const { name, destinations } of integrations) {
      // By each destination, and, where there are several, by the steps before them.
      const lags = samples(text, "sluice_consumer_lag").filter(({ labels }) => labels.integration === name);
      expect(lags).toHaveLength(destinations.length === 1 ? 1 : 3);
      // The log holds no more than this of what is not settled: it has stopped, and so has the reading of the source.
      for (const { value } of lags) expect(value).toBeLessThan(aheadMax);
    }
    await delay(lookMs);
  }
  for (const run of runs) {
    const { status, records_in } = await api.runById(run);
    expect(status).toBe("running");
    expect(records_in).toBeLessThan(count / 2);
  }
  const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] as number;
  expect(median(memory.slice(-looks / 4))).toBeLessThan(median(memory.slice(0, looks / 4)) + 48);

  for (const stream of ["alone", "beside"]) await query(landing, `DROP TRIGGER slow ON ${stream}`);
  for (const [i, run] of runs.entries()) {
    const records_out = count * (integrations[i]?.destinations.length ?? 0);
    expect(await api.ended(run)).toMatchObject({ status: "success", records_in: count, records_out });
  }
  for (const stream of ["alone", "beside"]) {
    expect((await query(landing, `SELECT count(*)::int AS n FROM ${stream}`)).rows).toEqual([{ n: count }]);
  }
});
