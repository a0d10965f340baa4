import { expect, onTestFinished, test } from "vitest";
import { CountingServer } from "../support/counting-server.ts";
import { TestNode } from "../support/node.ts";

/** A message, and a write, is as many: one request for each. */
const records = 500;
const atOnce = 4;

async function slowServer(answerMs: number): Promise<CountingServer> {
  const server = await CountingServer.start();
  onTestFinished(() => server.close());
  server.answerMs = answerMs;
  return server;
}

test("a stop in the middle of a write of 500 requests loses none, and repeats what was under way: its requests, or in order its message", async () => {
  const node = await TestNode.start({ env: { SLUICE_ALLOW_ADDRESSES: "127.0.0.0/8" } });
  const { api } = node;
  // Either write takes longer than a stop waits for what is in hand.
  const servers = { none: await slowServer(60), strict: await slowServer(15) };
  await api.connector("numbers", "generator", { count: records, template: { id: "{{ index }}" } });
  const runs = await Promise.all(
    (["none", "strict"] as const).map(async (ordering) => {
      const config = { base_url: servers[ordering].url, concurrency: atOnce, streams: { landed: {} } };
      await api.connector(`far-${ordering}`, "http", config);
      const id = await api.integration({
        name: `stopped-${ordering}`,
        source: { connector: "numbers", stream: "numbers" },
        destination: { connector: `far-${ordering}`, stream: "landed", mode: "append" },
        delivery: { ordering },
      });
      return await api.run(id);
    }),
  );
  const begun = () => Math.min(servers.none.requests, servers.strict.requests);
  await expect.poll(begun, { interval: 10 }).toBeGreaterThan(10);
  expect(await node.stop()).toBe(0);
  expect(servers.none.requests).toBeLessThan(records);
  expect(servers.strict.requests).toBeLessThan(records);

  for (const server of Object.values(servers)) server.answerMs = 1;
  await node.start();
  for (const run of runs) expect(await api.ended(run)).toMatchObject({ status: "success", records_out: records });
  for (const { taken } of Object.values(servers)) expect(taken.size).toBe(records);
  expect(servers.none.order.length - records).toBeLessThanOrEqual(atOnce);
  const { order } = servers.strict;
  expect(order.length - records).toBeLessThan(records);
  // What is repeated is repeated in order, from an older record on, and none is left out.
  const begins = order.filter((id, at) => at > 0 && id !== (order[at - 1] as number) + 1);
  expect(begins).toEqual([0]);
});
