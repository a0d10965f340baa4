import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { parseArguments, type Syntax } from "../arguments.ts";
import { createClient } from "../client.ts";
import { readConfiguration } from "../config-file.ts";
import { CommandError, exitCode } from "../exit.ts";
import { stopSignal } from "../node.ts";
import { readNodeSettings } from "../node-settings.ts";
import { note, print } from "../output.ts";
import { type Run, summaryLine } from "../run-resource.ts";
import { startNode } from "../start-node.ts";

const syntax: Syntax = {
  usage: "sluice quickstart [--once]",
  summary: "Starts a node, runs examples/quickstart.yaml on real data and shows what landed where.",
  options: { once: { type: "boolean", help: "Stop after the first runs." } },
  positionals: [0, 0],
};

const root = fileURLToPath(new URL("../..", import.meta.url));
const configFile = path.join("examples", "quickstart.yaml");
const chinookFile = path.join("examples", "data", "chinook", "Chinook_PostgreSql.sql");
/** What stands before makes and enters a database, which only psql understands. */
const chinookFromLine = 34;
const databases = { chinook: "quickstart_chinook", warehouse: "quickstart_warehouse" };
const pollMs = 50;

/** Exit code 0 when every run was a success. */
export async function quickstart(argv: readonly string[]): Promise<number> {
  const args = parseArguments(syntax, argv);
  if (args === null) return exitCode.done;
  // The example's paths are the clone's, wherever it is called from.
  process.chdir(root);
  note("starting nats-server, Postgres and a node …");
  const env: NodeJS.ProcessEnv = { ...process.env };
  const node = await startNode(readNodeSettings(env), note);
  const stopped = stopSignal();
  try {
    env.SLUICE_SECRET_QUICKSTART_CHINOOK = await makeDatabase(node.databaseUrl, databases.chinook, loadChinook);
    env.SLUICE_SECRET_QUICKSTART_WAREHOUSE = await makeDatabase(node.databaseUrl, databases.warehouse);
    const client = createClient({ ...process.env, SLUICE_URL: node.url, SLUICE_TOKEN: node.token });
    const configuration = readConfiguration([configFile]);
    if ("errors" in configuration) throw new CommandError(configuration.errors[0]!.message, exitCode.usage);
    await client.call("POST", "/v1/apply?allow_destructive=true", configuration.value);
    note(`applied ${configFile}; running its integrations …`);
    const names = (configuration.value.integrations as { name: string }[]).map(({ name }) => name);
    const runs = await runAll(client, names);
    print(
      `\nLanded:\n  table github_events and a copy of Chinook   ${redacted(env.SLUICE_SECRET_QUICKSTART_WAREHOUSE)}`,
    );
    print(`  file examples/out/github-events.ndjson\n`);
    for (const [name, run] of runs) if (run.error) note(`${name}: ${run.error.message}`);
    if (!args.flag("once")) {
      print(`Server:  ${node.url}   (the console; REST under /v1, /openapi.json, /metrics)\nToken:   ${node.token}`);
      print(
        `Try:     npx sluice runs github-events\n         npx sluice run chinook-invoice   (a second run takes only what is new)\n`,
      );
    }
    for (const [name, run] of runs) print(summaryLine(name, run));
    if (!args.flag("once")) {
      note("\nThe node stays up; Ctrl-C stops it.");
      note(`${await stopped}: stopping`);
    }
    return runs.every(([, { status }]) => status === "success") ? exitCode.done : exitCode.failed;
  } finally {
    await node.stop();
  }
}

/** Runs all at once; resolves when all have ended, in the order of their names. */
async function runAll(client: ReturnType<typeof createClient>, names: readonly string[]): Promise<[string, Run][]> {
  const { items } = await client.call<{ items: { id: string; name: string }[] }>("GET", "/v1/integrations?limit=200");
  return Promise.all(
    names.map(async (name): Promise<[string, Run]> => {
      const { id } = items.find((item) => item.name === name)!;
      let run = await client.call<Run>("POST", `/v1/integrations/${id}/run`);
      while (run.status === "running") {
        await delay(pollMs);
        run = await client.call<Run & { id: string }>("GET", `/v1/runs/${run.id}`);
      }
      return [name, run];
    }),
  );
}

/** The URL of a database on the server of `url`, made and filled where it does not exist. */
async function makeDatabase(url: string, name: string, fill?: (client: pg.Client) => Promise<void>): Promise<string> {
  const target = new URL(url);
  target.pathname = `/${name}`;
  const made = await withClient(url, async (client) => {
    const { rowCount } = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${name}`);
    return rowCount === 0;
  });
  if (made && fill) {
    note(`loading ${chinookFile} …`);
    try {
      await withClient(target.href, fill);
    } catch (error) {
      // Half a database would look like a whole one at the next start.
      await withClient(url, (client) => client.query(`DROP DATABASE ${name}`));
      throw error;
    }
  }
  return target.href;
}

async function loadChinook(client: pg.Client): Promise<void> {
  const lines = readFileSync(chinookFile, "utf8").split("\n");
  await client.query(lines.slice(chinookFromLine - 1).join("\n"));
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function redacted(url: string): string {
  const shown = new URL(url);
  shown.password = "";
  return shown.href;
}
