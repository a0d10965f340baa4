import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { connectNats, joinCluster, type NatsLink } from "../../adapters/jetstream/index.ts";
import type { Json } from "../../connectors/sdk/index.ts";
import type { Cluster } from "../../runtime/ports/cluster.ts";
import { startProxy } from "./proxy.ts";
import { startServer, type TestServer } from "./server.ts";

let server: TestServer;
const nodes: { link: NatsLink; cluster: Cluster }[] = [];

beforeAll(async () => {
  server = await startServer();
}, 900_000);
afterEach(async () => {
  for (const { link, cluster } of nodes.splice(0)) {
    await cluster.close();
    await link.close();
  }
});
afterAll(() => server.remove());

async function join(nodeId: string, url = server.url): Promise<{ link: NatsLink; cluster: Cluster }> {
  const link = await connectNats({ url, name: nodeId });
  const node = { link, cluster: await joinCluster({ link, nodeId }) };
  nodes.push(node);
  return node;
}

/** Every list of members that the node was told of from now on. */
function changesOf(cluster: Cluster): string[] {
  const changes: string[] = [];
  cluster.onChange((members) => changes.push(members.join(" ")));
  return changes;
}

const patient = { interval: 20 };

describe("a cluster", () => {
  it("is known to all its nodes, and to a node that comes later", async () => {
    const { cluster: a } = await join("a");
    expect(a.members()).toEqual(["a"]);
    const { cluster: b } = await join("b");
    expect(b.members()).toEqual(["a", "b"]);
    const { cluster: c } = await join("c");
    expect(c.members()).toEqual(["a", "b", "c"]);
    for (const cluster of [a, b, c]) await expect.poll(() => cluster.members(), patient).toEqual(["a", "b", "c"]);
  });

  // Slow once is the machine; slow each time, that the member runs out instead.
  it("loses a node that leaves at once", { retry: 5 }, async () => {
    const { cluster: a } = await join("a");
    const { cluster: b } = await join("b");
    await expect.poll(() => a.members(), patient).toEqual(["a", "b"]);
    const start = performance.now();
    await b.close();
    await expect.poll(() => a.members(), patient).toEqual(["a"]);
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it("loses a node that dies when its time to live is over, and no other", async () => {
    const { cluster: a } = await join("a");
    const dead = await join("b");
    const { cluster: c } = await join("c");
    await expect.poll(() => a.members(), patient).toEqual(["a", "b", "c"]);
    const changes = changesOf(a);
    // As a process that ends: its connection closes, nobody says goodbye.
    await dead.link.connection.close();
    await expect.poll(() => a.members(), patient).toEqual(["a", "c"]);
    await expect.poll(() => c.members(), patient).toEqual(["a", "c"]);
    expect(changes).toEqual(["a c"]);
  });

  it("keeps its members over a restart of the server, and then still notices who leaves", async () => {
    const { cluster: a } = await join("a");
    const b = await join("b");
    await expect.poll(() => a.members(), patient).toEqual(["a", "b"]);
    const changes = changesOf(a);
    await server.kill();
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect(a.members()).toEqual(["a", "b"]);
    await server.start();
    await expect.poll(() => b.link.connected, patient).toBe(true);
    const { cluster: c } = await join("c");
    await expect.poll(() => a.members(), patient).toEqual(["a", "b", "c"]);
    await b.cluster.close();
    await expect.poll(() => a.members(), patient).toEqual(["a", "c"]);
    expect(changes).toEqual(["a b c", "a c"]);
    await c.close();
  });

  it("has a node that lost its connection while it was about to enter again, and nothing keeps that one waiting", async () => {
    const proxy = await startProxy(server.url);
    const { cluster: a, link } = await join("a", proxy.url);
    for (let times = 0; times < 5; times++) {
      const lost = Promise.withResolvers<void>();
      const off = link.onChange((connected) => {
        if (!connected) return;
        off();
        // What it asks as soon as it is back is not answered.
        void proxy.loseAnswers().then(lost.resolve);
      });
      proxy.cut();
      await lost.promise;
    }
    proxy.cut();
    await expect.poll(() => link.connected, patient).toBe(true);
    await expect.poll(() => link.reason, patient).toBeUndefined();
    const { cluster: b } = await join("b");
    await expect.poll(() => a.members(), patient).toEqual(["a", "b"]);
    await b.close();
    await expect.poll(() => a.members(), patient).toEqual(["a"]);
    await a.close();
    await proxy.close();
  });

  it("loses a node that leaves as a member at once, and can still ask it until it is gone", async () => {
    const { cluster: a } = await join("a");
    const { cluster: b, link } = await join("b");
    await expect.poll(() => a.members(), patient).toEqual(["a", "b"]);
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    const asked: Json[] = [];
    b.answer("in-hand", async (message) => {
      asked.push(message);
      await done;
      return "done";
    });
    await link.connection.flush();
    b.leave();
    expect(b.members()).toEqual(["a"]);
    await expect.poll(() => a.members(), patient).toEqual(["a"]);
    // For longer than it would be alive without its beat.
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect(a.members()).toEqual(["a"]);
    expect(await a.ask("in-hand", 1, 50)).toEqual([undefined]);
    const answers = a.ask("in-hand", 2, 20_000);
    await expect.poll(() => asked, patient).toEqual([1, 2]);
    finish();
    expect(await answers).toEqual(["done"]);
    await b.close();
    await expect.poll(() => a.ask("in-hand", 3, 20_000), patient).toEqual([]);
  });

  it("asks all others, and leaves out who does not know the subject", async () => {
    const { cluster: a } = await join("a");
    const { cluster: b, link } = await join("b");
    const { cluster: c, link: other } = await join("c");
    await join("d");
    await expect.poll(() => a.members(), patient).toEqual(["a", "b", "c", "d"]);
    b.answer("square", async (n) => (n as number) ** 2);
    c.answer("square", async () => {
      throw new Error("c cannot");
    });
    await Promise.all([link.connection.flush(), other.connection.flush()]);
    expect(await a.ask("square", 7, 500)).toEqual([49, undefined]);
    expect(await b.ask("square", 7, 500)).toEqual([undefined]);
  });

  it("keeps its members while the server says nothing for longer than a time to live", async () => {
    const { cluster: a } = await join("a");
    const { cluster: b } = await join("b");
    await expect.poll(() => a.members(), patient).toEqual(["a", "b"]);
    await expect.poll(() => b.members(), patient).toEqual(["a", "b"]);
    const changes = [changesOf(a), changesOf(b)];
    process.kill(server.pid, "SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    process.kill(server.pid, "SIGCONT");
    // It lets the keys run out as soon as it wakes up.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(changes).toEqual([[], []]);
    await b.close();
    await expect.poll(() => a.members(), patient).toEqual(["a"]);
  });

  it("carries small messages to all nodes", async () => {
    const { cluster: a, link } = await join("a");
    const { cluster: b, link: other } = await join("b");
    const heard: [string, Json][] = [];
    const stop = a.subscribe("runs", (message) => heard.push(["a", message]));
    b.subscribe("runs", (message) => heard.push(["b", message]));
    await Promise.all([link.connection.flush(), other.connection.flush()]);
    b.publish("runs", { run: "1" });
    await expect
      .poll(() => heard.sort())
      .toEqual([
        ["a", { run: "1" }],
        ["b", { run: "1" }],
      ]);
    stop();
    await link.connection.flush();
    a.publish("runs", null);
    await expect.poll(() => heard.length).toBe(3);
    expect(heard[2]).toEqual(["b", null]);
  });
});
