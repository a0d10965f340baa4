import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { expect, test } from "vitest";
import { lockDataDir, startPostgres } from "../../adapters/embedded/index.ts";
import { tempDir } from "../support/temp-dir.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs the quickstart as a user does, on the Node that the user has. */
async function quickstart(dataDir: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn("npm", ["run", "quickstart", "--silent", "--", "--once"], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      SLUICE_DATA_DIR: dataDir,
      SLUICE_HTTP_PORT: "0",
      SLUICE_GRPC_PORT: "0",
      SLUICE_NATS_PORT: "0",
      SLUICE_POSTGRES_PORT: "0",
    },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

function countsOf(stdout: string): Record<string, string> {
  const lines = stdout
    .trim()
    .split("\n")
    .filter((line) => /^[a-z-]+: in=/.test(line));
  // The lines are the last that is printed.
  expect(stdout.trim().endsWith(lines.join("\n"))).toBe(true);
  return Object.fromEntries(lines.map((line) => line.split(": ") as [string, string]));
}

interface GithubEvent {
  readonly source: string;
  readonly example: string;
  readonly payload: { readonly repository?: unknown; readonly sender?: { readonly type?: string } };
}

/** Counted from the raw file with nothing of the product's. */
function githubEvents() {
  const text = readFileSync(path.join(root, "examples/data/github-events/github-events.ndjson"), "utf8");
  const events = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as GithubEvent);
  const kept = events.filter(({ payload }) => payload.repository !== undefined && payload.sender?.type === "User");
  return { events, kept };
}

/** Rows of each table, counted in the SQL text by its own syntax: a row of VALUES a line. */
function chinookRows(): Record<string, number> {
  const rows: Record<string, number> = {};
  let table = "";
  for (const line of readFileSync(path.join(root, "examples/data/chinook/Chinook_PostgreSql.sql"), "utf8").split(
    "\n",
  )) {
    table = /^INSERT INTO (\w+)/.exec(line)?.[1] ?? table;
    if (/^\s+\(/.test(line) && table !== "") rows[table] = (rows[table] ?? 0) + 1;
    if (/;\s*$/.test(line)) table = "";
  }
  return rows;
}

test("the quickstart's counts are those of the raw data, all of it has landed, and a second run takes only what is new", async () => {
  const dataDir = path.join(tempDir(), "data");
  const { events, kept } = githubEvents();
  const rows = chinookRows();
  expect(Object.values(rows).reduce((a, b) => a + b)).toBe(15_607);

  const first = await quickstart(dataDir);
  expect(first.stderr).not.toContain("Error");
  expect(first.code).toBe(0);
  const expected: Record<string, string> = {
    "github-events": `in=${events.length} out=${kept.length * 2} filtered=${events.length - kept.length} failed=0 status=success`,
    "chinook-invoice-report": `in=${rows.invoice} out=${rows.invoice} filtered=0 failed=0 status=success`,
  };
  for (const [table, count] of Object.entries(rows)) {
    expected[`chinook-${table.replace("_", "-")}`] = `in=${count} out=${count} filtered=0 failed=0 status=success`;
  }
  expect(countsOf(first.stdout)).toEqual(expected);

  const landed = readFileSync(path.join(root, "examples/out/github-events.ndjson"), "utf8").trim().split("\n");
  const ids = landed.map((line) => JSON.parse(line).id as string).sort();
  expect(ids).toEqual(kept.map(({ source, example }) => `${source}/${example}`).sort());

  const second = await quickstart(dataDir);
  expect(second.code).toBe(0);
  const again = countsOf(second.stdout);
  for (const table of Object.keys(rows)) expect(again[`chinook-${table.replace("_", "-")}`]).toMatch(/^in=0 out=0 /);

  const lock = await lockDataDir(dataDir);
  const server = await startPostgres({ dataDir, port: 0 });
  const url = new URL(server.url);
  url.pathname = "/quickstart_warehouse";
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    for (const [table, count] of Object.entries({
      ...rows,
      github_events: kept.length,
      invoice_report: rows.invoice,
    })) {
      const { rows: found } = await client.query(`SELECT count(*)::int AS n FROM ${table}`);
      expect([table, found[0].n]).toEqual([table, count]);
    }
    // Each invoice's total is the sum of its lines, 2,328.60 over all: Chinook's own arithmetic.
    const { rows: sums } = await client.query(
      "SELECT sum(total)::text AS total, count(*) FILTER (WHERE total <> lines_total)::int AS wrong FROM invoice_report",
    );
    expect(sums[0]).toEqual({ total: "2328.60", wrong: 0 });
  } finally {
    await client.end();
    await server.stop();
    await lock.release();
  }
}, 300_000);
