import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { connectNats, joinCluster } from "../../adapters/jetstream/index.ts";
import { NatsCluster } from "../support/nats-cluster.ts";
import { tempDir } from "../support/temp-dir.ts";
import { batchOf, connectTo, numberOf, take } from "./support.ts";

let nats: NatsCluster;
const ends: (() => unknown)[] = [];
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  const atEnd = (end: () => unknown) => void ends.push(end);
  nats = await NatsCluster.start(tempDir(atEnd), atEnd);
}, 900_000);
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

async function logsOf(options: Parameters<typeof connectTo>[1] = {}) {
  const logs = await connectTo(nats.url, options);
  closing.push(() => logs.close());
  return logs;
}

const streamOf = (id: string) => `SLUICE_IN_${id.replaceAll("-", "")}`;

test("a log has three copies in a cluster unless asked otherwise, and is given those that it lacks when it is opened", async () => {
  const id = randomUUID();
  const one = await logsOf({ replicas: 1 });
  const log = await one.open(id, "ingest");
  await log.own();
  await log.append("r.0", batchOf(0), { id: "0" });
  const copies = async () => (await one.link.jsm.streams.info(streamOf(id))).config.num_replicas;
  expect(await copies()).toBe(1);
  await log.close();

  const three = await logsOf();
  expect(three.replicas).toBe(3);
  const again = await three.open(id, "ingest");
  expect(await copies()).toBe(3);
  await again.own();
  await again.append("r.0", batchOf(1), { id: "1" });
  expect((await again.last("r.0"))?.cursor).toEqual({ n: 1 });

  await (await one.open(id, "ingest")).own();
  expect(await copies(), "opened by who asks for fewer").toBe(3);
});

test("a log holds every batch exactly once and in order when the server that leads it is killed twice", {
  timeout: 240_000,
}, async () => {
  const id = randomUUID();
  const log = await (await logsOf()).open(id, "ingest");
  await log.own();
  const count = 1_000;
  let next = 0;
  let blows = Promise.resolve();
  const strike = async () => {
    const leader = await nats.leaderOf(streamOf(id));
    await leader.kill();
    leader.launch();
    await nats.whole();
  };
  const one = async () => {
    while (next < count) {
      const n = next++;
      if (n === 300 || n === 600) blows = blows.then(strike);
      await log.append("r.0", batchOf(n, 5_000), { id: String(n) });
    }
  };
  await Promise.all(Array.from({ length: 16 }, one));
  await blows;
  const numbers: number[] = [];
  await take(await log.consumer("check", ["r.0"]), count, async (message) => {
    numbers.push(numberOf(message));
    await message.ack();
  });
  expect(numbers).toEqual(Array.from({ length: count }, (_, n) => n));
  expect((await log.stats()).messages).toBe(count + 1);
});

test("nobody is taken for gone while the bucket of the nodes has no leader, and who leaves then is noticed afterwards", {
  timeout: 240_000,
}, async () => {
  const nodes = [];
  for (const nodeId of ["a", "b", "c"]) {
    const link = await connectNats({ url: nats.url, name: nodeId });
    closing.push(() => link.close());
    const cluster = await joinCluster({ link, nodeId, replicas: 3 });
    closing.push(() => cluster.close());
    nodes.push({ link, cluster });
  }
  const [a, , c] = nodes as [(typeof nodes)[number], (typeof nodes)[number], (typeof nodes)[number]];
  const patient = { timeout: 60_000, interval: 20 };
  for (const { cluster } of nodes) await expect.poll(() => cluster.members(), patient).toEqual(["a", "b", "c"]);
  const changes: string[] = [];
  a.cluster.onChange((members) => changes.push(members.join(" ")));
  const leader = await nats.leaderOf("KV_sluice-nodes");
  await leader.kill();
  await nats.leaderOf("KV_sluice-nodes");
  leader.launch();
  await nats.whole();
  // As a process that ends.
  await c.link.connection.close();
  await expect.poll(() => a.cluster.members(), patient).toEqual(["a", "b"]);
  expect(changes).toEqual(["a b"]);
});
