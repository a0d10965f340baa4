import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Group, ownedBy, ownNats } from "../chaos/suite/group.ts";
import { serve, type TestServer } from "../support/http-server.ts";
import type { TestNode } from "../support/node.ts";

vi.setConfig({ testTimeout: 300_000 });
const patience = { timeout: 120_000, interval: 50 };
const ends: (() => unknown)[] = [];
let nodes: readonly [TestNode, TestNode];
let destination: TestServer;
/** What is not answered before it is let go, as `path body`. */
const held = new Map<string, PromiseWithResolvers<void>>();

beforeAll(async () => {
  const atEnd = (end: () => unknown) => void ends.push(end);
  destination = await serve(async ({ path, body }) => {
    await held.get(`${path} ${body}`)?.promise;
    return { status: 200, body: "" };
  });
  atEnd(() => destination.close());
  const env = { SLUICE_ALLOW_ADDRESSES: "127.0.0.0/8" };
  const group = await Group.start(2, atEnd, (await ownNats(atEnd)).url, env);
  nodes = group.nodes as unknown as [TestNode, TestNode];
  const [{ api }] = nodes;
  await api.connector("shop", "http", { base_url: destination.url });
  await api.connector("numbers", "generator", { count: 1 });
}, 240_000);
afterAll(async () => {
  for (const { resolve } of held.values()) resolve();
  for (const end of ends.reverse()) await end();
});

const source = { connector: "numbers", stream: "none" };
const trigger = { type: "manual" };
/** How often the destination was sent it. */
const sent = (path: string, record: object) =>
  destination.asked.filter((asked) => asked.path === path && asked.body === JSON.stringify(record)).length;
const hold = (path: string, record: object) =>
  held.set(`${path} ${JSON.stringify(record)}`, Promise.withResolvers<void>());
const letGo = (path: string, record: object) => held.get(`${path} ${JSON.stringify(record)}`)?.resolve();

interface Answer {
  readonly status: string | number;
  readonly kept?: boolean | null;
  readonly detail?: string;
  readonly by_destination?: Readonly<Record<string, { readonly status: string }>>;
}

async function invoke(node: TestNode, id: string, record: object, query = "?timeout=60s", headers: object = {}) {
  const { status, body } = await node.api.request<Answer>(
    "POST",
    `/v1/integrations/${id}/invoke${query}`,
    record,
    headers,
  );
  return { http: status, ...body };
}

test("a caller that goes away withdraws what is to be dropped, at whichever node it called", async () => {
  const [{ api }] = nodes;
  const destinations = ["sees", "waits"].map((stream) => ({ id: stream, connector: "shop", stream }));
  const delivery = { ordering: "strict" };
  const id = await api.integration({ name: "leaves", source, trigger, destinations, delivery });
  const isOwned = () => Promise.all(nodes.map(async (each) => (await ownedBy(each)).has("leaves")));
  await expect.poll(async () => (await isOwned()).filter(Boolean).length, patience).toBe(1);
  const node = nodes[(await isOwned()).indexOf(false)] as TestNode;
  expect((await invoke(node, id, { n: 0 })).http).toBe(200);
  hold("/waits", { n: 1 });
  hold("/sees", { n: 2 });
  const first = invoke(node, id, { n: 1 });
  await expect.poll(() => sent("/waits", { n: 1 }), patience).toBe(1);
  const query = "?timeout=60s&on_timeout=drop";
  const key = { "idempotency-key": "leaves" };
  const leaving = new AbortController();
  const left = fetch(`${node.url}/v1/integrations/${id}/invoke${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${node.token}`, "content-type": "application/json", ...key },
    body: JSON.stringify({ n: 2 }),
    signal: leaving.signal,
  }).catch(({ name }) => name);
  // One destination has been sent it; at the other it waits for its turn.
  await expect.poll(() => sent("/sees", { n: 2 }), patience).toBe(1);
  leaving.abort();
  expect(await left).toBe("AbortError");
  // What it was answered is kept under its key, and says what became of it.
  let answer = await invoke(node, id, { n: 2 }, query, key);
  await expect
    .poll(async () => {
      answer = await invoke(node, id, { n: 2 }, query, key);
      return answer.http;
    }, patience)
    .toBe(503);
  expect(answer).toMatchObject({
    kept: null,
    by_destination: { sees: { status: "unknown" }, waits: { status: "dropped" } },
  });
  letGo("/waits", { n: 1 });
  letGo("/sees", { n: 2 });
  expect((await first).http).toBe(200);
  expect((await invoke(node, id, { n: 3 })).http).toBe(200);
  expect([sent("/waits", { n: 2 }), sent("/waits", { n: 3 })]).toEqual([0, 1]);
});

test("an owner that dies in the middle of a call: what is kept is delivered, what is dropped is not sent again", async () => {
  const [{ api }] = nodes;
  // Once each node has two, of these three two are on the same one, and none is handed over any more.
  const names = ["a", "b", "c"];
  const made = names.map((name) =>
    api.integration({ name, source, trigger, destination: { connector: "shop", stream: name } }),
  );
  const ids = Object.fromEntries((await Promise.all(made)).map((id, at) => [names[at], id]));
  let owned: string[][] = [];
  const look = async () => {
    owned = (await Promise.all(nodes.map(ownedBy))).map((each) => [...each]);
    return [owned.flat().toSorted(), ...owned.map(({ length }) => length)];
  };
  await expect.poll(look, patience).toEqual([[...names, "leaves"], 2, 2]);
  const at = owned.findIndex((each) => !each.includes("leaves"));
  const [owner, other] = [nodes[at]!, nodes[1 - at]!];
  const [keep, drop] = owned[at] as [string, string];
  for (const name of [keep, drop]) {
    const answer = await invoke(other, ids[name]!, { n: 0 });
    expect(answer, JSON.stringify(answer)).toMatchObject({ http: 200, status: "delivered" });
    hold(`/${name}`, { n: 1 });
  }
  const answers = [
    invoke(other, ids[keep]!, { n: 1 }, "?timeout=12s"),
    invoke(other, ids[drop]!, { n: 1 }, "?timeout=12s&on_timeout=drop"),
  ];
  await expect.poll(() => [sent(`/${keep}`, { n: 1 }), sent(`/${drop}`, { n: 1 })], patience).toEqual([1, 1]);
  await owner.kill();
  for (const name of [keep, drop]) letGo(`/${name}`, { n: 1 });
  for (const answer of await Promise.all(answers)) {
    expect(answer, JSON.stringify(answer)).toMatchObject({ http: 504, code: "TIMEOUT", kept: null });
  }
  // Until the other node has taken them over, nothing is done and the answer says so.
  for (const name of [keep, drop]) {
    await expect.poll(async () => (await invoke(other, ids[name]!, { n: 2 })).http, patience).toBe(200);
  }
  await expect.poll(() => sent(`/${keep}`, { n: 1 }), patience).toBe(2);
  expect(sent(`/${drop}`, { n: 1 })).toBe(1);
});
