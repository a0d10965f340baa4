import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startServer } from "../jetstream/server.ts";
import type { Run } from "../support/api.ts";
import { serve } from "../support/http-server.ts";
import { TestNode } from "../support/node.ts";
import { tempDir } from "../support/temp-dir.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
const patience = { timeout: 120_000, interval: 50 };

const ends: (() => unknown)[] = [];
const atEnd = (end: () => unknown) => void ends.push(end);
let node: TestNode;

beforeAll(async () => {
  const env = { SLUICE_ALLOW_ADDRESSES: "127.0.0.0/8", SLUICE_SECRETS_REFRESH: "1s" };
  node = await TestNode.start({ folder: tempDir(atEnd), atEnd, env });
  mkdirSync(join(node.dataDir, "secrets"));
  await node.api.connector("files", "file", { path: node.files });
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

const secret = (name: string, value: string) => writeFileSync(join(node.dataDir, "secrets", name), `${value}\n`);
const put = (id: string, body: object) => node.api.call("PUT", `/v1/connectors/${id}`, body);

test("what is read all the time goes over to new credentials, by a PUT and by a secret file, in the same run, and misses nothing", async () => {
  const folder = tempDir(atEnd);
  const users = (password: string) =>
    writeFileSync(
      join(folder, "users.conf"),
      `authorization { users: [{ user: admin, password: admin }, { user: etl, password: "${password}" }] }`,
    );
  users("the-first-password");
  const server = await startServer({ folder, more: 'include "users.conf"' });
  atEnd(() => server.remove());
  const admin = await connect({ servers: server.url.slice("nats://".length), user: "admin", pass: "admin" });
  atEnd(() => admin.close());
  await (await jetstreamManager(admin)).streams.add({ name: "orders", subjects: ["orders"] });
  const js = jetstream(admin);
  let published = 0;
  const publish = async (count: number) => {
    for (let n = 0; n < count; n++) await js.publish("orders", JSON.stringify({ n: published++ }));
  };

  const { api, pid } = node;
  const config = (password: string) => ({ servers: [server.url], user: "etl", password });
  secret("bus", "the-first-password");
  const byPut = await api.connector("by-put", "nats", config("the-first-password"));
  await api.connector("by-file", "nats", config(`\${file:bus}`));
  const ids = await Promise.all(
    ["by-put", "by-file"].map((name) =>
      api.integration({
        name,
        source: { connector: name, stream: "orders" },
        destination: { connector: "files", stream: `${name}.ndjson` },
        trigger: { type: "event" },
        delivery: { retry: { initial: "100ms", max: "1s" } },
      }),
    ),
  );
  const landed = () =>
    ["by-put", "by-file"].map((name) => {
      const path = join(node.files, `${name}.ndjson`);
      const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
      return new Set(lines.map((line) => (JSON.parse(line) as { n: number }).n)).size;
    });
  const runs = () =>
    Promise.all(ids.map(async (id) => (await api.call<{ items: Run[] }>("GET", `/v1/integrations/${id}/runs`)).items));
  await publish(100);
  await expect.poll(landed, patience).toEqual([100, 100]);
  const before = await runs();

  users("the-next-password");
  process.kill(server.pid, "SIGHUP");
  await publish(100);
  // Both are turned away, and say so.
  const waiting = async () =>
    (await Promise.all((await runs()).map(([run]) => api.runById(run!.id)))).map(({ waiting }) =>
      /authori|credential|user/i.test(waiting ?? ""),
    );
  await expect.poll(waiting, patience).toEqual([true, true]);

  await put(byPut, { name: "by-put", type: "nats", config: config("the-next-password") });
  secret("bus", "the-next-password");
  await expect.poll(landed, patience).toEqual([200, 200]);
  await publish(50);
  await expect.poll(landed, patience).toEqual([250, 250]);
  const after = await runs();
  expect(after.map((each) => each.map(({ id }) => id))).toEqual(before.map((each) => each.map(({ id }) => id)));
  expect(after.flat().map(({ status }) => status)).toEqual(["running", "running"]);
  expect(node.pid).toBe(pid);
  await Promise.all(ids.map((id) => api.call("PUT", `/v1/integrations/${id}/disable`)));
});

test("look-ups go over to new credentials, by a PUT of their connector and by a secret file that their request names, and no record fails", async () => {
  const { api } = node;
  let key = "the-first-key";
  const refused = { connector: 0, request: 0 };
  const server = await serve(({ path, headers }) => {
    const way = path.startsWith("/connector/") ? "connector" : "request";
    const given = way === "connector" ? headers.authorization : `Bearer ${headers["x-key"]}`;
    if (given === `Bearer ${key}`) return { body: { path } };
    refused[way]++;
    return { status: 401, body: "" };
  });
  atEnd(() => server.close());
  secret("geo", key);
  const config = (token?: string) => ({ base_url: server.url, ...(token && { auth: { type: "bearer", token } }) });
  const byConnector = await api.connector("geo-connector", "http", config(key));
  await api.connector("geo-request", "http", config());
  await api.connector("numbers", "generator", { rate: 500, count: 1_500, template: { n: "{{ index }}" } });
  await api.connector("hole", "blackhole", {});
  const runIds = await Promise.all(
    ["connector", "request"].map(async (way) => {
      const headers = way === "request" ? { headers: { "X-Key": `\${file:geo}` } } : {};
      const request = { path: `/${way}/{{ $.n }}`, ...headers };
      const id = await api.integration({
        name: `geo-${way}`,
        source: { connector: "numbers", stream: "n" },
        destination: { connector: "hole", stream: way },
        pipeline_spec: { steps: [{ id: "ask", type: "enrich", connector: `geo-${way}`, request, merge_at: "found" }] },
      });
      return api.run(id);
    }),
  );
  for (const runId of runIds) await api.until(runId, ({ records_out }) => records_out > 200);
  key = "the-next-key";
  await expect.poll(() => refused.connector > 0 && refused.request > 0, patience).toBe(true);
  await put(byConnector, { name: "geo-connector", type: "http", config: config(key) });
  secret("geo", key);
  for (const runId of runIds) {
    expect(await api.ended(runId)).toMatchObject({ status: "success", records_out: 1_500, records_failed: 0 });
  }
});
