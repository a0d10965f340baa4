import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { sluice } from "../support/cli.ts";
import { serve, type TestServer } from "../support/http-server.ts";
import { TestNode } from "../support/node.ts";
import { tempDir } from "../support/temp-dir.ts";
import { startVault, type TestVault, vaultBuildMs } from "../support/vault.ts";

vi.setConfig({ testTimeout: 240_000 });

const ends: (() => unknown)[] = [];
let vault: TestVault;
let vaultFolder: string;
let node: TestNode;
let server: TestServer;

/** What the server lets in at the moment. */
let token = "";
let refused = 0;
const landed: number[] = [];
const pages = 40;
const pageSize = 100;

beforeAll(async () => {
  const atEnd = (end: () => unknown) => void ends.push(end);
  vaultFolder = tempDir(atEnd);
  vault = await startVault(vaultFolder);
  ends.push(() => vault.stop());
  server = await serve(async ({ method, query, headers, body }) => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (headers.authorization !== `Bearer ${token}`) {
      refused++;
      // As servers do that help too much.
      return { status: 401, body: { error: `${headers.authorization} is not valid` } };
    }
    if (method === "POST") {
      for (const { n } of JSON.parse(body) as { n: number }[]) landed.push(n);
      return { status: 200, body: {} };
    }
    const page = Number(query.get("page"));
    return { body: page > pages ? [] : Array.from({ length: pageSize }, (_, i) => ({ n: (page - 1) * pageSize + i })) };
  });
  ends.push(() => server.close());
  node = await TestNode.start({
    folder: tempDir(atEnd),
    atEnd,
    env: {
      SLUICE_ALLOW_ADDRESSES: "127.0.0.0/8",
      SLUICE_SECRETS_REFRESH: "1s",
      SLUICE_VAULT_ADDR: vault.url,
      SLUICE_VAULT_TOKEN: vault.token,
    },
  });
  mkdirSync(join(node.dataDir, "secrets"));
  await node.api.connector("hole", "blackhole", {});
  await node.api.connector("numbers", "generator", { rate: 2000, count: 5000, template: { n: "{{ index }}" } });
}, vaultBuildMs);
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

const config = (value: string) => ({
  base_url: server.url,
  auth: { type: "bearer", token: value },
  streams: {
    numbers: {
      path: "/numbers",
      pagination: { type: "page", size: pageSize },
      append: { method: "POST", path: "/landed", batch: { records: 50, body: "{{ $.records }}" } },
    },
  },
});

const put = (data: object) => vault.call("POST", "secret/data/sluice/crm", { data });
const log = () => readFileSync(join(node.dataDir, "sluice.log"), "utf8");

/** By each way that credentials change: what the connector's config says, and how another token comes. */
const ways = [
  {
    way: "a PUT of the connector",
    first: async () => "the-first-token-put",
    next: async (id: string, name: string) => {
      const body = { name, type: "http", config: config("the-next-token-put") };
      await node.api.call("PUT", `/v1/connectors/${id}`, body);
    },
  },
  {
    way: "a value in Vault",
    first: async () => {
      await put({ token: "the-first-token-vault" });
      return `\${vault:secret/sluice/crm#token}`;
    },
    next: () => put({ token: "the-next-token-vault" }),
  },
  {
    way: "a secret file",
    first: async () => {
      writeFileSync(join(node.dataDir, "secrets", "crm"), "the-first-token-file\n");
      return `\${file:crm}`;
    },
    next: async () => writeFileSync(join(node.dataDir, "secrets", "crm"), "the-next-token-file\n"),
  },
];

test.each(ways)(
  "a destination's run goes on with the credentials that $way brings, without a record lost or twice",
  async ({ way, first, next }) => {
    const suffix = way.split(" ").at(-1)!.replace("connector", "put").toLowerCase();
    const name = `to-${suffix}`;
    landed.length = 0;
    refused = 0;
    token = `the-first-token-${suffix}`;
    const connector = await node.api.connector(name, "http", config(await first()));
    const id = await node.api.integration({
      name,
      source: { connector: "numbers", stream: "n" },
      destination: { connector: name, stream: "numbers" },
    });
    const runId = await node.api.run(id);
    await expect.poll(() => landed.length).toBeGreaterThan(500);
    token = `the-next-token-${suffix}`;
    await expect.poll(() => refused).toBeGreaterThan(0);
    await next(connector, name);
    const run = await node.api.ended(runId);
    expect(run).toMatchObject({ status: "success", records_out: 5000, records_failed: 0 });
    expect([landed.length, new Set(landed).size]).toEqual([5000, 5000]);
  },
);

test("a source's run goes on with the credentials that a PUT brings, without a record lost or twice", async () => {
  token = "the-first-token-source";
  const connector = await node.api.connector("from-put", "http", config(token));
  const id = await node.api.integration({
    name: "from-put",
    source: { connector: "from-put", stream: "numbers" },
    destination: { connector: "hole", stream: "any" },
    delivery: { retry: { max_attempts: 20, initial: "500ms", max: "1s" } },
  });
  const before = server.asked.length;
  refused = 0;
  const runId = await node.api.run(id);
  await expect.poll(() => server.asked.length, { interval: 10 }).toBeGreaterThan(before + 5);
  token = "the-next-token-source";
  await expect.poll(() => refused).toBeGreaterThan(0);
  const body = { name: "from-put", type: "http", config: config(token) };
  await node.api.call("PUT", `/v1/connectors/${connector}`, body);
  const run = await node.api.ended(runId);
  expect(log()).toContain("a connector changed: its run goes on");
  const all = pages * pageSize;
  expect(run).toMatchObject({ status: "success", records_in: all, records_out: all, records_failed: 0 });
});

test("the key rotates beside a running integration, by the command line, and the connectors open still", async () => {
  const before = JSON.parse((await sluice(node, "secrets", "status", "--json")).stdout);
  const rotated = await sluice(node, "secrets", "rotate");
  expect(rotated).toMatchObject({ code: 0, stderr: "" });
  expect(rotated.stdout).toMatch(/^4 rewrapped, 0 unchanged: new key local-[0-9a-f]{16}\n$/);
  const status = await sluice(node, "secrets", "status");
  expect(status.stdout).toMatch(/local-[0-9a-f]{16} +4 +current\n$/);
  expect(status.stdout).not.toContain(before.key_version);
  await node.kill();
  await node.start();
  token = "the-next-token-source";
  const { items } = await node.api.call<{ items: { id: string }[] }>("GET", "/v1/connectors?name=from-put");
  expect(await node.api.call("POST", `/v1/connectors/${items[0]!.id}/test`)).toMatchObject({ status: "ok" });
});

test("while Vault is away a run waits, says for what, and goes on when it is back", async () => {
  token = "the-last-token";
  await node.api.connector("waits", "http", config(`\${vault:secret/sluice/late#token}`));
  const id = await node.api.integration({
    name: "waits",
    source: { connector: "waits", stream: "numbers" },
    destination: { connector: "hole", stream: "any" },
  });
  const port = Number(new URL(vault.url).port);
  await vault.stop();
  const runId = await node.api.run(id);
  const waiting = await node.api.until(runId, (run) => Boolean(run.waiting));
  expect(waiting).toMatchObject({ status: "running", waiting: expect.stringMatching(/Vault at \S+ does not answer/) });
  vault = await startVault(vaultFolder, { port });
  await vault.call("POST", "secret/data/sluice/late", { data: { token } });
  expect(await node.api.ended(runId)).toMatchObject({ status: "success", records_in: pages * pageSize });
  for (const each of ["the-first-token", "the-next-token", "the-last-token"]) expect(log()).not.toContain(each);
});
