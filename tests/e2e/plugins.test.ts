import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startNats } from "../../adapters/embedded/index.ts";
import { isAlive } from "../../adapters/embedded/processes.ts";
import type { Api } from "../support/api.ts";
import { sluice } from "../support/cli.ts";
import { TestNode } from "../support/node.ts";
import { notedLine, writeProgram } from "../support/noted-program.ts";
import { pythonFor } from "../support/python.ts";
import { createDatabase } from "../support/servers.ts";
import { tempDir } from "../support/temp-dir.ts";

const example = fileURLToPath(new URL("../../examples/plugins/sqlite/", import.meta.url));
const wait = { timeout: 60_000, interval: 50 };
const many = 60_000;

interface Plugin {
  readonly serves: { readonly type: string; readonly version: string } | null;
  readonly state: { readonly status: string; readonly reason: string | null };
}

/** Two nodes that share servers and the folder of programs. */
let folder: string;
let first: TestNode;
let second: TestNode;
let api: Api;
let db: DatabaseSync;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  const atEnd = (end: () => unknown) => void ends.push(end);
  folder = tempDir(atEnd);
  mkdirSync(join(folder, "servers"));
  const nats = await startNats({ dataDir: join(folder, "servers"), port: 0 });
  atEnd(() => nats.stop());
  const env = {
    SLUICE_NATS_URL: nats.url,
    SLUICE_DATABASE_URL: await createDatabase(atEnd as never),
    SLUICE_MASTER_KEY: randomBytes(32).toString("base64"),
    SLUICE_PLUGIN_ROOTS: join(folder, "programs"),
  };
  const start = (data: string) => TestNode.start({ folder, data, env, atEnd });
  [first, second] = await Promise.all([start("first"), start("second")]);
  api = first.api;
  await writeExample();
  writeNoted("1.0.0");
  writeNoted("2.0.0");
  db = new DatabaseSync(join(folder, "shop.db"));
  atEnd(() => db.close());
  const columns = "(id integer primary key, name text)";
  db.exec(`pragma journal_mode = wal; create table few ${columns}; create table killed ${columns}`);
  const lines = (count: number) => Array.from({ length: count }, (_, id) => `{"id":${id},"name":"n${id}"}`).join("\n");
  writeFileSync(join(first.files, "few.ndjson"), lines(1_000));
  writeFileSync(join(first.files, "many.ndjson"), lines(many));
  const config = {
    plugins: [{ name: "sqlite", command: ["sqlite/run"], memory: 512 }],
    connectors: [
      { name: "shop", type: "sqlite", config: { path: join(folder, "shop.db") } },
      { name: "files", type: "file", config: { path: first.files } },
    ],
    integrations: [copy("few", "few.ndjson", "few"), copy("killed", "many.ndjson", "killed")],
  };
  writeFileSync(join(folder, "shop.json"), JSON.stringify(config));
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

const copy = (name: string, stream: string, table: string) => ({
  name,
  source: { connector: "files", stream },
  destination: { connector: "shop", stream: table, mode: "upsert", key: ["id"] },
});
const rows = (table: string) => Object.values(db.prepare(`select count(*) from ${table}`).get() as object)[0];
const plugin = (name: string, of: TestNode = first) => of.api.call<Plugin>("GET", `/v1/plugins/${name}`);
const idOf = async (name: string) => {
  const { items } = await api.call<{ items: { id: string }[] }>("GET", `/v1/integrations?name=${name}`);
  return items[0]!.id;
};

/** The example, as a program that may be run. */
async function writeExample(): Promise<void> {
  const { python, path } = await pythonFor(join(example, "requirements.txt"));
  const line = `echo $$ >> '${pids("sqlite")}'; PYTHONPATH='${path}' exec '${python}' '${join(example, "plugin.py")}'`;
  writeProgram(join(folder, "programs"), "sqlite/run", line);
}

function writeNoted(version: string, line = notedLine(version)): void {
  writeProgram(join(folder, "programs"), `noted/${version}`, `echo $$ >> '${pids(version)}'; ${line}`);
}

/** Of both nodes' programs, those that ended too. */
const pids = (program: string) => join(folder, `${program}.pids`);
const alive = (program: string) => readFileSync(pids(program), "utf8").trim().split("\n").map(Number).filter(isAlive);
const kill = (program: string) => {
  for (const pid of alive(program)) process.kill(pid, "SIGKILL");
};
const becomes = (name: string, state: object, of: TestNode = first) =>
  expect.poll(async () => (await plugin(name, of)).state, wait).toMatchObject(state);
const notes = () => (existsSync(join(folder, "notes")) ? readFileSync(join(folder, "notes"), "utf8").split("\n") : []);

test("a plugin is registered by apply, all nodes have it, and records go through it", {
  timeout: 180_000,
}, async () => {
  const planned = await sluice(first, "plan", join(folder, "shop.json"));
  expect(planned.stderr).toBe("");
  expect(planned.stdout).toMatch(/create +plugin +sqlite\n +serves sqlite 1\.0\.0/);
  expect((await sluice(first, "lint", join(folder, "shop.json"))).code).toBe(0);
  const applied = await sluice(first, "apply", join(folder, "shop.json"));
  expect(applied.stderr).toBe("");
  expect(applied.code).toBe(0);
  for (const node of [first, second]) {
    await expect
      .poll(() => plugin("sqlite", node), wait)
      .toMatchObject({ serves: { type: "sqlite", version: "1.0.0" }, state: { status: "ready", reason: null } });
  }
  expect(await second.api.call("GET", "/v1/connector-types/sqlite@1.0")).toMatchObject({
    type: "sqlite",
    versions: ["1.0.0"],
    plugin: "sqlite",
  });
  expect(await api.runAndWait(await idOf("few"))).toMatchObject({ status: "success", records_out: 1_000 });
  expect(rows("few")).toBe(1_000);
  const again = await sluice(first, "apply", join(folder, "shop.json"), "--json");
  const { changes } = JSON.parse(again.stdout) as { changes: { action: string }[] };
  expect(new Set(changes.map(({ action }) => action))).toEqual(new Set(["unchanged"]));
});

test("a plugin that is killed while it writes is started again, and nothing is lost", {
  timeout: 180_000,
}, async () => {
  const run = await api.run(await idOf("killed"));
  await api.until(run, ({ records_out }) => records_out > 0);
  kill("sqlite");
  expect(await api.ended(run)).toMatchObject({ status: "success", records_out: many, records_failed: 0 });
  expect(rows("killed")).toBe(many);
  await becomes("sqlite", { status: "ready" });
});

test("an upgrade lets what is open end with the former version, and gives whatever begins the new one", {
  timeout: 180_000,
}, async () => {
  const env = { SLUICE_PLUGIN_NOTES: join(folder, "notes") };
  const put = (version: string) => api.call("PUT", "/v1/plugins/noted", { command: [`noted/${version}`], env });
  await api.call("POST", "/v1/plugins", { name: "noted", command: ["noted/1.0.0"], env });
  const id = await api.connector("numbers", "noted", { count: 300, pause: 100, secret: "hidden-one" });
  const integration = await api.integration({
    name: "numbers",
    source: { connector: "numbers", stream: "numbers" },
    destination: { connector: "files", stream: "numbers.ndjson", mode: "append" },
  });
  for (const node of [first, second]) await becomes("noted", { status: "ready" }, node);
  const run = await api.run(integration);
  await api.until(run, ({ records_in }) => records_in > 0);
  await put("2.0.0");
  for (const node of [first, second]) {
    await expect.poll(async () => (await plugin("noted", node)).serves?.version, wait).toBe("2.0.0");
    await becomes("noted", { status: "ready" }, node);
  }
  const sample = await api.call<{ records: object[] }>("POST", `/v1/connectors/${id}/sample?limit=1`);
  expect(sample.records).toEqual([{ n: 0, version: "2.0.0" }]);
  expect(await api.ended(run)).toMatchObject({ status: "success", records_out: 300 });
  const landed = readFileSync(join(first.files, "numbers.ndjson"), "utf8").trim().split("\n");
  expect(landed.map((line) => JSON.parse(line))).toEqual(
    Array.from({ length: 300 }, (_, n) => ({ n, version: "1.0.0" })),
  );
  // Nobody uses it any more.
  await expect.poll(() => alive("1.0.0"), wait).toEqual([]);
  expect(alive("2.0.0")).toHaveLength(2);
});

test("a plugin's type is told what becomes of its connectors, and its secrets are nowhere to be read", {
  timeout: 120_000,
}, async () => {
  await expect.poll(notes, wait).toContain("created hidden-one");
  const { items } = await api.call<{ items: { id: string }[] }>("GET", "/v1/connectors?name=numbers");
  const config = { count: 20, pause: 0, secret: "hidden-two" };
  await api.call("PUT", `/v1/connectors/${items[0]!.id}`, { name: "numbers", type: "noted@2", config });
  await expect.poll(notes, wait).toContain("updated hidden-one to hidden-two");
  const wrong = await api.connector("wrong", "noted", { secret: "wrong-hidden-three" });
  expect(await api.call("POST", `/v1/connectors/${wrong}/test`)).toMatchObject({
    status: "failed",
    error: { code: "UNAUTHORIZED", message: "*** is refused", path: "config.secret" },
  });
  const logs = () => [first, second].map((node) => readFileSync(join(node.dataDir, "sluice.log"), "utf8")).join();
  await expect.poll(logs, wait).toContain("checking with ***");
  expect(logs()).not.toContain("hidden");
});

test("while a plugin does not start, its state says why, its runs wait, and nothing else is held up", {
  timeout: 180_000,
}, async () => {
  writeNoted("2.0.0", "echo no licence >&2; exit 3");
  kill("2.0.0");
  const reason = "ended before its first line (exit code 3): no licence";
  await becomes("noted", { status: "unavailable", reason });
  // A node starts all the same.
  await second.kill();
  await second.start();
  await becomes("noted", { status: "unavailable", reason }, second);
  const listed = await sluice(second, "plugin", "list");
  expect(listed.stdout).toMatch(/noted +noted 2\.0\.0 +unavailable +noted\/2\.0\.0 +ended before its first line/);
  const run = await api.run(await idOf("numbers"));
  const waits = await api.until(run, ({ waiting }) => waiting?.includes(reason) === true);
  expect(waits).toMatchObject({ status: "running", waiting: expect.stringContaining("plugin noted") });
  expect(await api.runAndWait(await idOf("few"))).toMatchObject({ status: "success" });
  // What it has to be told of is kept.
  const { items } = await api.call<{ items: { id: string }[] }>("GET", "/v1/connectors?name=wrong");
  await api.call("DELETE", `/v1/connectors/${items[0]!.id}`);
  expect((await api.runById(run)).status).toBe("running");
  writeNoted("2.0.0");
  expect(await api.ended(run)).toMatchObject({ status: "success", records_out: 20 });
  await expect.poll(notes, wait).toContain("deleted wrong-hidden-three");
});

test("a plugin is removed where no connector uses it, or by force, and its program ends", {
  timeout: 120_000,
}, async () => {
  const refused = await sluice(first, "plugin", "remove", "noted");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("used by connector numbers") });
  expect((await sluice(first, "plugin", "remove", "noted", "--force")).code).toBe(0);
  await expect.poll(() => alive("2.0.0"), wait).toEqual([]);
  const types = await sluice(second, "connectors", "types");
  expect(types.stdout).not.toContain("noted");
  expect(types.stdout).toMatch(/sqlite +1\.0\.0 +sqlite /);
  const added = await sluice(first, "plugin", "add", "again", "--", "noted/1.0.0");
  expect(added).toMatchObject({ code: 0, stdout: "again: added, serves noted 1.0.0\n" });
  const shown = await sluice(first, "plugin", "show", "again", "--json");
  expect(JSON.parse(shown.stdout)).toMatchObject({ name: "again", command: ["noted/1.0.0"] });
  expect((await sluice(first, "plugin", "show", "agian")).stderr).toContain('did you mean "again"');
});
