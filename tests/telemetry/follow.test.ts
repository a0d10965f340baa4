import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { sluice } from "../support/cli.ts";
import { serve, type TestServer } from "../support/http-server.ts";
import { TestNode } from "../support/node.ts";
import { tempDir } from "../support/temp-dir.ts";

interface Outcome {
  readonly destination: string;
  readonly status: string;
  readonly in: { readonly count: number; readonly records: readonly { readonly record: object }[] } | null;
  readonly attempts: readonly { readonly code: string }[];
  readonly next_attempt_at: string | null;
  readonly dead_letter_ids: readonly string[];
}

interface Followed {
  readonly record_id: string;
  readonly status: string;
  readonly sequence: number | null;
  readonly logged_at: string;
  readonly run_id: string;
  readonly trace_id: string | null;
  readonly trace_url: string | null;
  readonly record: object | null;
  readonly replay: { readonly dead_letter_id: string } | null;
  readonly steps: readonly { readonly step: string; readonly in: object; readonly out: object }[] | null;
  readonly steps_reason: string | null;
  readonly truncated: boolean;
  readonly destinations: readonly Outcome[];
  readonly dead_letters: readonly { readonly id: string }[];
  readonly events: readonly { readonly type: string; readonly destination: string | null }[];
}

interface Found {
  readonly items: readonly Followed[];
  readonly searched: { readonly by: string; readonly messages: number; readonly complete: boolean };
}

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const asked = { traceparent: `00-${trace}-00f067aa0ba902b7-01` };
const patience = { timeout: 90_000, interval: 100 };

let node: TestNode;
let shop: TestServer;
/** What the shop answers to an order. */
let answers: (order: { n: number }) => number = () => 200;
let id: string;
let runId: string;
/** Another integration, whose only record is put off. */
let later: string;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  const atEnd = (end: () => unknown) => void ends.push(end);
  shop = await serve(({ body }) => ({ status: answers(JSON.parse(body)), body: {} }));
  atEnd(() => shop.close());
  node = await TestNode.start({
    folder: tempDir(atEnd),
    atEnd,
    env: { SLUICE_ALLOW_ADDRESSES: "127.0.0.1/32", SLUICE_TRACE_URL: "http://jaeger.test/trace/{trace_id}" },
  });
  const { api, files } = node;
  const orders = [
    { n: 1, customer: { email: "ada@example.com" }, kind: "order" },
    { n: 2, customer: { email: "grace@example.com" }, kind: "order" },
    { n: "four", customer: { email: "kurt@example.com" }, kind: "order" },
    { n: 5, customer: { email: "ada@example.com" }, kind: "note" },
  ];
  writeFileSync(join(files, "later.ndjson"), '{"n":3,"customer":{"email":"alan@example.com"}}\n');
  writeFileSync(join(files, "in.ndjson"), orders.map((order) => `${JSON.stringify(order)}\n`).join(""));
  await api.connector("files", "file", { path: files });
  await api.connector("shop", "http", { base_url: shop.url });
  id = await api.integration({
    name: "orders",
    source: { connector: "files", stream: "in.ndjson" },
    destinations: [
      { id: "copy", connector: "files", stream: "out.ndjson" },
      { id: "shop", connector: "shop", stream: "orders" },
    ],
    pipeline_spec: {
      steps: [
        { id: "orders", type: "filter", where: "$.kind == 'order'" },
        {
          id: "map",
          type: "map",
          mapping: [
            { source: "$.n", destination: "n", cast: "integer" },
            { source: "$.customer.email", destination: "email" },
          ],
        },
      ],
    },
  });
  later = await api.integration({
    name: "later",
    source: { connector: "files", stream: "later.ndjson" },
    destination: { connector: "shop", stream: "orders" },
    delivery: { retry: { max_attempts: 3, initial: "1h", max: "1h" } },
  });
  answers = ({ n }) => (n === 2 ? 422 : n === 3 ? 503 : 200);
  ({ id: runId } = await api.call<{ id: string }>("POST", `/v1/integrations/${id}/run`, undefined, asked));
  await vi.waitUntil(async () => (await api.runById(runId)).status !== "running", patience);
  await api.run(later);
  const status = async () => (await follow("alan@example.com", "", later)).items[0]?.status;
  await vi.waitUntil(async () => (await status()) === "retrying", patience);
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

const follow = (record: string, query = "", integration = id) =>
  node.api.call<Found>("GET", `/v1/integrations/${integration}/records/${encodeURIComponent(record)}${query}`);
const at = (item: Followed | undefined, destination: string) =>
  item?.destinations.find((each) => each.destination === destination);

test("a record is found by a value that stands in it: where it stood, each step before and after, and where it arrived", async () => {
  const { items, searched } = await follow("ada@example.com");
  expect(searched).toMatchObject({ by: "key", complete: true });
  expect(items.map(({ status }) => status)).toEqual(["filtered", "delivered"]);
  const [, first] = items;
  expect(first).toMatchObject({
    record_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    sequence: expect.any(Number),
    run_id: runId,
    integration_version: 1,
    position: { base: expect.stringContaining("in.ndjson"), ordinal: 1 },
    trace_id: trace,
    trace_url: `http://jaeger.test/trace/${trace}`,
    record: { n: 1, customer: { email: "ada@example.com" }, kind: "order" },
    replay: null,
    repeatable: true,
    destinations: [
      { destination: "copy", status: "delivered", in: { records: [{ record: { n: 1, email: "ada@example.com" } }] } },
      { destination: "shop", status: "delivered", attempts: [] },
    ],
  });
  expect(first!.steps).toMatchObject([
    { step: "orders", out: { count: 1 } },
    {
      step: "map",
      in: { records: [{ record: { n: 1, kind: "order" } }] },
      out: { records: [{ record: { n: 1, email: "ada@example.com" } }] },
    },
  ]);
  expect(first!.events.map(({ type }) => type)).toEqual(["received", "logged", "delivered", "delivered"]);
  const { items: again, searched: byId } = await follow(first!.record_id);
  expect(again.map(({ record_id }) => record_id)).toEqual([first!.record_id]);
  expect(byId.by).toBe("record_id");
});

test("a dead letter leads to its record: its error, which destination had it and which not, and its replay", async () => {
  const letters = await node.api.deadLetters<{ id: string; record_id: string; destination: string | null }>(id);
  const letter = letters.find(({ destination }) => destination === "shop")!;
  const { items, searched } = await follow(letter.id);
  expect(searched.by).toBe("dead_letter");
  expect(items).toMatchObject([
    {
      record_id: letter.record_id,
      status: "dead_lettered",
      record: { n: 2 },
      destinations: [
        { destination: "copy", status: "delivered", dead_letter_ids: [] },
        { destination: "shop", status: "dead_lettered", dead_letter_ids: [letter.id] },
      ],
      dead_letters: [{ id: letter.id, code: "BUSINESS_RULE" }],
    },
  ]);
  expect(items[0]!.events.map(({ type }) => type)).toContain("dead_lettered");

  const atStep = letters.find(({ destination }) => destination === null)!;
  expect((await follow("four")).items).toMatchObject([
    {
      record_id: atStep.record_id,
      status: "dead_lettered",
      steps: [{ step: "orders" }, { step: "map", failures: [{ rule: 0, code: "VALIDATION_ERROR" }] }],
      destinations: [],
    },
  ]);
});

test("a record that is tried again later says how often it was tried, with what, and when the next try is", async () => {
  const [item] = (await follow("alan@example.com", "", later)).items;
  const { attempts, next_attempt_at } = at(item, "shop")!;
  expect(attempts).toMatchObject([{ at: expect.any(String), code: "UNAVAILABLE", message: expect.any(String) }]);
  expect(Date.parse(next_attempt_at!)).toBeGreaterThan(Date.now());
  expect(item!.events.map(({ type }) => type)).toEqual(["received", "logged", "attempt_failed", "next_attempt"]);
});

test("what nobody has is not found, a time narrows the search down, and the answer says how far it went", async () => {
  expect(await follow("nobody@example.com")).toMatchObject({ items: [], searched: { by: "key", complete: true } });
  expect((await follow("f".repeat(32))).items).toEqual([]);
  const later = new Date(Date.now() + 60_000).toISOString();
  expect(await follow("ada@example.com", `?since=${later}`)).toMatchObject({ items: [], searched: { messages: 0 } });
  const before = new Date(Date.now() - 3_600_000).toISOString();
  expect(await follow("ada@example.com", `?until=${before}`)).toMatchObject({ items: [], searched: { messages: 0 } });
  expect((await follow("ada@example.com", `?since=${before}&limit=1`)).items).toHaveLength(1);
  const { api } = node;
  const path = `/v1/integrations/${id}/records/x`;
  expect((await api.request("GET", `${path}?by=name`)).status).toBe(400);
  expect((await api.request("GET", `${path}?since=yesterday`)).status).toBe(400);
  expect((await api.request("GET", `${path}?by=dead_letter`)).status).toBe(404);
  expect((await api.request("GET", `/v1/integrations/${runId}/records/x`)).status).toBe(404);
});

test("another team's records are not there", async () => {
  const { api } = node;
  const { key } = await api.call<{ key: string }>("POST", "/v1/api-keys", {
    name: "others",
    role: "admin",
    owner: "others",
  });
  const headers = { authorization: `Bearer ${key}` };
  const answer = await api.request("GET", `/v1/integrations/${id}/records/ada@example.com`, undefined, headers);
  expect(answer.status).toBe(404);
});

test("sluice trace prints the way of a record, and as JSON what the API says", async () => {
  const told = await sluice(node, "trace", "grace@example.com");
  expect(told).toMatchObject({ code: 0, stderr: "" });
  expect(told.stdout).toMatch(/^record [0-9a-f]{32} {2}dead_lettered\n {2}orders version 1, run /);
  expect(told.stdout).toContain(`trace http://jaeger.test/trace/${trace}`);
  expect(told.stdout).toMatch(/dead lettered → shop {2}BUSINESS_RULE/);
  expect(told.stdout).toMatch(/map +\{"n":2,"email":"grace@example.com"\}/);
  expect(told.stdout).toContain("copy: delivered");
  const json = await sluice(node, "trace", "alan@example.com", "--integration", "later", "--since", "1h", "--json");
  expect(JSON.parse(json.stdout)).toMatchObject({
    items: [{ integration: "later", status: "retrying" }],
    searched: [{ integration: "later", complete: true }],
  });
  const missing = await sluice(node, "trace", "nobody@example.com");
  expect(missing).toMatchObject({ code: 1, stdout: "" });
  expect(missing.stderr).toContain("nothing was found of nobody@example.com");
});

test("a record that was replayed is found as it came first and as it came again", async () => {
  const { api } = node;
  answers = () => 200;
  const [letter] = (await api.deadLetters<{ id: string; record_id: string; destination: string | null }>(id)).filter(
    ({ destination }) => destination === "shop",
  );
  await api.call("POST", `/v1/dead-letter/${letter!.id}/replay`);
  await expect
    .poll(async () => (await follow(letter!.record_id)).items.map(({ status }) => status), patience)
    .toEqual(["delivered", "replayed"]);
  const { items } = await follow(letter!.record_id);
  expect(items).toMatchObject([{ replay: { dead_letter_id: letter!.id } }, { replay: null }]);
  expect(items[1]!.events.at(-1)).toMatchObject({ type: "replayed", destination: "shop" });
});

test("a record that two runs read has the dead letter of the one that it failed in", async () => {
  const { api, files } = node;
  writeFileSync(join(files, "twice.ndjson"), '{"n":77,"customer":{"email":"twice@example.com"}}\n');
  const twice = await api.integration({
    name: "twice",
    source: { connector: "files", stream: "twice.ndjson" },
    destination: { id: "shop", connector: "shop", stream: "orders" },
  });
  const before = answers;
  for (const status of [200, 422]) {
    answers = ({ n }) => (n === 77 ? status : before({ n }));
    const run = await api.run(twice);
    await expect.poll(async () => (await api.runById(run)).status, patience).not.toBe("running");
  }
  answers = before;
  const { items } = await follow("twice@example.com", "", twice);
  expect(items.map(({ status, dead_letters: letters }) => [status, letters.length])).toEqual([
    ["dead_lettered", 1],
    ["delivered", 0],
  ]);
});

test("of a record that is too large to be shown at each step it is said so", async () => {
  const { api, files } = node;
  writeFileSync(join(files, "large.ndjson"), `{"mail":"large@example.com","text":"${"x".repeat(5_000_000)}"}\n`);
  const large = await api.integration({
    name: "large",
    source: { connector: "files", stream: "large.ndjson" },
    destination: { id: "copy", connector: "files", stream: "large-out.ndjson" },
    pipeline_spec: { steps: [{ id: "all", type: "filter", where: "$.mail" }] },
  });
  const run = await api.run(large);
  await expect.poll(async () => (await api.runById(run)).status, patience).toBe("success");
  const { items } = await follow("large@example.com", "", large);
  expect(items).toMatchObject([
    { status: "delivered", truncated: true, steps: [{ in: { count: 1 }, out: { count: 1, records: [] } }] },
  ]);
});
