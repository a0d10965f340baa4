import { setTimeout as delay } from "node:timers/promises";
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

test("whichever node dies while hooks come in on both, each 202 is delivered once, and what comes again is known", async () => {
  const [first, second] = nodes;
  await first.api.connector("table", "postgres", { url: database, schema: "public", create_table: true });
  await first.api.integration({
    name: "hooks",
    destination: { connector: "table", stream: "received" },
    trigger: { type: "webhook", auth: { scheme: "github", secrets: ["s3cret"] } },
    // What a node that died had written and not committed is not there twice: two of an id would be two records.
    delivery: { idempotency: { window: "1h" } },
  });
  const post = (node: TestNode, id: string) => {
    const body = JSON.stringify({ id });
    return sendOnce(node, "hooks", body, { ...githubSignature("s3cret", body), "x-github-delivery": id });
  };
  /** As senders do: again until it is taken. A connection that broke may have been a 202. */
  const untilTaken = async (node: TestNode, id: string, wanted = () => true): Promise<number | undefined> => {
    while (wanted()) {
      const { status, headers } = await post(node, id).catch(() => ({ status: 0, headers: new Headers() }));
      if (status === 202 || status === 200) return status;
      expect([0, 503]).toContain(status);
      if (status === 503) expect(headers.get("retry-after")).toMatch(/^\d+$/);
      await delay(20);
    }
    return undefined;
  };
  expect(await untilTaken(first, "again")).toBe(202);
  // To whichever node it comes.
  for (const node of nodes) expect(await untilTaken(node, "again")).toBe(200);
  const accepted = new Set(["again"]);
  const sent = new Set(["again"]);
  let stop = false;
  const senders = nodes.flatMap((node, at) =>
    Array.from({ length: 4 }, async (_, sender) => {
      for (let n = 0; !stop; n++) {
        const id = `${at}-${sender}-${n}`;
        sent.add(id);
        if ((await untilTaken(node, id, () => !stop)) !== undefined) accepted.add(id);
      }
    }),
  );
  const more = async (count: number) => {
    const before = accepted.size;
    await expect.poll(() => accepted.size - before, patience).toBeGreaterThan(count);
  };
  try {
    await more(20);
    await first.kill();
    // The owner before may have been the one that died: the next one finds its id in the log.
    expect(await untilTaken(second, "again")).toBe(200);
    await more(10);
    await first.start();
    await second.kill();
    expect(await untilTaken(first, "again")).toBe(200);
    await more(10);
  } finally {
    stop = true;
    await Promise.all(senders);
  }
  const landed = async () => (await query(database, "select id from received")).rows.map(({ id }) => id as string);
  await expect.poll(async () => accepted.difference(new Set(await landed())).size, patience).toBe(0);
  const all = await landed();
  expect(all.toSorted()).toEqual([...new Set(all)].toSorted());
  // Whose answer was lost may be there, and nothing else.
  expect(new Set(all).difference(sent).size).toBe(0);
});
