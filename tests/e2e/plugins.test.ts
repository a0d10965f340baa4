import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startNats } from "../../adapters/embedded/index.ts";
import type { Api } from "../support/api.ts";
import { sluice } from "../support/cli.ts";
import { TestNode } from "../support/node.ts";
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
  await program("sqlite", "1.0.0");
  db = new DatabaseSync(join(folder, "shop.db"));
  atEnd(() => db.close());
  const columns = "(id integer primary key, name text)";
  db.exec(`pragma journal_mode = wal; create table few ${columns}; create table killed ${columns}`);
  db.exec(`create table upgraded ${columns}`);
  const lines = (count: number) => Array.from({ length: count }, (_, id) => `{"id":${id},"name":"n${id}"}`).join("\n");
  writeFileSync(join(first.files, "few.ndjson"), lines(1_000));
  writeFileSync(join(first.files, "many.ndjson"), lines(many));
  const config = {
    plugins: [{ name: "sqlite", command: ["sqlite/run"], memory: 512 }],
    connectors: [
      { name: "shop", type: "sqlite", config: { path: join(folder, "shop.db") } },
      { name: "files", type: "file", config: { path: first.files } },
    ],
    integrations: [
      copy("few", "few.ndjson", "few"),
      copy("killed", "many.ndjson", "killed"),
      copy("upgraded", "many.ndjson", "upgraded"),
    ],
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

/** The example under another version, as a program that may be run. */
async function program(name: string, version: string): Promise<void> {
  const { python, path } = await pythonFor(join(example, "requirements.txt"));
  const place = join(folder, "programs", name);
  mkdirSync(place, { recursive: true });
  const text = readFileSync(join(example, "plugin.py"), "utf8").replace('version="1.0.0"', `version="${version}"`);
  writeFileSync(join(place, "plugin.py"), text);
  script(`${name}/run`, `PYTHONPATH='${path}' exec '${python}' plugin.py`);
}

function script(file: string, line: string): void {
  mkdirSync(join(folder, "programs", file, ".."), { recursive: true });
  writeFileSync(join(folder, "programs", file), `#!/bin/sh\n${line}\n`);
  chmodSync(join(folder, "programs", file), 0o755);
}

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
