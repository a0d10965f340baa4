import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { serve, type TestServer } from "../support/http-server.ts";
import { TestNode } from "../support/node.ts";
import { writeRecords } from "../support/records.ts";
import { tempDir } from "../support/temp-dir.ts";

// Limits for what hangs, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
const patience = { timeout: 120_000, interval: 50 };

const ends: (() => unknown)[] = [];
let node: TestNode;
let server: TestServer;
const perDay = 25;
const records = 60;

beforeAll(async () => {
  const atEnd = (end: () => unknown) => void ends.push(end);
  const tried = new Set<string>();
  server = await serve(({ method, path, body }) => {
    if (method === "GET") return { body: { path } };
    const { id } = JSON.parse(body) as { id: number };
    // Each third record is taken at its second try.
    if (id % 3 > 0 || tried.has(path + id)) return { status: 201 };
    tried.add(path + id);
    return { status: 503 };
  });
  ends.push(() => server.close());
  node = await TestNode.start({ folder: tempDir(atEnd), atEnd, env: { SLUICE_ALLOW_ADDRESSES: "127.0.0.0/8" } });
  writeRecords(join(node.files, "in.ndjson"), records);
  await node.api.connector("files", "file", { path: node.files });
  await node.api.connector("hole", "blackhole", {});
  await node.api.connector("crm", "http", { base_url: server.url, concurrency: 4 });
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

const source = { connector: "files", stream: "in.ndjson" };
const asked = (path: string) => server.asked.filter((each) => each.path.startsWith(path)).length;
/** A limit of the day is there anew at midnight, UTC. */
const today = () => Math.floor(Date.now() / 86_400_000);
const reached = (what: string) =>
  new RegExp(`^${what}: rate limit of ${perDay} calls a day reached \\(until \\S+T00:00:00Z\\)$`);
const waiting = async (runId: string) => (await node.api.runById(runId)).waiting ?? null;

test("a rate limit counts requests: those of a batch, of what is tried again, and of a node before and after kill -9", async () => {
  const { api } = node;
  const [day, begun] = [today(), performance.now()];
  const id = await api.integration({
    name: "requests",
    source,
    destination: { connector: "crm", stream: "contacts" },
    delivery: { rate_limit: { burst: 10, per_day: perDay }, retry: { initial: "50ms", max: "100ms" } },
  });
  const runId = await api.run(id);
  await expect.poll(() => asked("/contacts"), { ...patience, interval: 5 }).toBeGreaterThan(4);
  await node.kill();
  await node.start();
  await expect.poll(() => waiting(runId), patience).toMatch(reached("crm"));
  const most = perDay * (1 + today() - day);
  // What was granted when it was killed counts as used.
  expect(asked("/contacts")).toBeLessThanOrEqual(most);
  expect(asked("/contacts")).toBeGreaterThanOrEqual(5);
  expect(performance.now() - begun).toBeGreaterThan((asked("/contacts") / 10 - 1) * 1_000);
  expect((await api.runById(runId)).status).toBe("running");
  await api.call("POST", `/v1/runs/${runId}/cancel`);
  await api.ended(runId);
});

test("no more look-ups are asked than may be, and the run says which step waits", async () => {
  const { api } = node;
  const day = today();
  const request = { path: "/lookup/{{ $.id }}" };
  const id = await api.integration({
    name: "look-ups",
    source,
    destination: { connector: "hole", stream: "any" },
    pipeline_spec: { steps: [{ id: "ask", type: "enrich", connector: "crm", request, merge_at: "found" }] },
    delivery: { rate_limit: { per_day: perDay } },
  });
  const runId = await api.run(id);
  await expect.poll(() => waiting(runId), patience).toMatch(reached("step ask"));
  expect(asked("/lookup/")).toBeLessThanOrEqual(perDay * (1 + today() - day));
  expect(asked("/lookup/")).toBeGreaterThanOrEqual(perDay - 5);
  await api.call("POST", `/v1/runs/${runId}/cancel`);
  await api.ended(runId);
});
