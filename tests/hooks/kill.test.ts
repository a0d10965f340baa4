import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Group, ownNats } from "../chaos/suite/group.ts";
import type { TestNode } from "../support/node.ts";
import { query } from "../support/records.ts";
import { githubSignature, sendOnce } from "./support.ts";

vi.setConfig({ testTimeout: 300_000 });
const patience = { timeout: 120_000, interval: 100 };
const ends: (() => unknown)[] = [];
let nodes: readonly [TestNode, TestNode];
let database: string;

beforeAll(async () => {
  const atEnd = (end: () => unknown) => void ends.push(end);
  const group = await Group.start(2, atEnd, (await ownNats(atEnd)).url);
  nodes = group.nodes as unknown as [TestNode, TestNode];
  database = group.database;
}, 240_000);
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

test("whichever node dies while hooks come in on both, every 202 is delivered", async () => {
  const [{ api }] = nodes;
  await api.connector("table", "postgres", { url: database, schema: "public", create_table: true });
  await api.integration({
    name: "hooks",
    destination: { connector: "table", stream: "received", mode: "upsert", key: ["id"] },
    trigger: { type: "webhook", auth: { scheme: "github", secrets: ["s3cret"] } },
  });
  const post = (node: TestNode, id: string) => {
    const body = JSON.stringify({ id });
    return sendOnce(node, "hooks", body, { ...githubSignature("s3cret", body), "x-github-delivery": id });
  };
  for (const node of nodes) {
    await expect.poll(async () => (await post(node, `ready ${node.id}`)).status, patience).toBeLessThan(300);
  }
  const accepted = new Set<string>();
  const statuses = new Map<number | string, number>();
  let stop = false;
  const senders = nodes.flatMap((node, at) =>
    Array.from({ length: 4 }, async (_, sender) => {
      for (let n = 0; !stop; n++) {
        const id = `${at}-${sender}-${n}`;
        // As senders do: again until it is taken. A connection that broke may have been a 202.
        const { status } = await post(node, id).catch(() => ({ status: "broken" }));
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (status === 202 || status === 200) accepted.add(id);
        else await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }),
  );
  const more = async (count: number) => {
    const before = accepted.size;
    await expect.poll(() => accepted.size - before, patience).toBeGreaterThan(count);
  };
  try {
    await more(100);
    for (const node of nodes) {
      await node.kill();
      await more(50);
      await node.start();
      await more(50);
    }
  } finally {
    stop = true;
    await Promise.all(senders);
  }
  for (const status of statuses.keys()) expect([202, 200, 503, "broken"]).toContain(status);
  const landed = async () => new Set((await query(database, "select id from received")).rows.map(({ id }) => id));
  await expect.poll(async () => accepted.difference(await landed()).size, patience).toBe(0);
});
