import { randomUUID } from "node:crypto";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { nanos } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type JetStreamLogs, LogBehindError, LogMissingError } from "../../adapters/jetstream/index.ts";
import type { Log } from "../../runtime/ports/log.ts";
import { startProxy, type TestProxy } from "./proxy.ts";
import { startServer, type TestServer } from "./server.ts";
import { batchOf, connectTo, numberOf, take } from "./support.ts";

let server: TestServer;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await startServer();
}, 900_000);
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(() => server.remove());

async function through(proxy?: TestProxy, options: Parameters<typeof connectTo>[1] = {}): Promise<JetStreamLogs> {
  const logs = await connectTo(proxy?.url ?? server.url, options);
  closing.push(() => logs.close());
  return logs;
}

async function proxied(): Promise<TestProxy> {
  const proxy = await startProxy(server.url);
  closing.push(() => proxy.close());
  return proxy;
}

/** Appends `count` batches, at most 16 at a time. */
async function flood(log: Log, count: number, size: number, onAppended: (n: number) => void = () => {}): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < count) {
      const n = next++;
      await log.append("r.0", batchOf(n, size), { id: String(n) });
      onAppended(n);
    }
  };
  await Promise.all(Array.from({ length: 16 }, one));
}

async function numbersIn(log: Log, count: number): Promise<number[]> {
  const numbers: number[] = [];
  const stats = await log.stats();
  await take(await log.consumer("check", ["r.0"]), count, async (message) => {
    numbers.push(numberOf(message));
    await message.ack();
  });
  expect(stats.messages).toBe(count + 1);
  return numbers;
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

describe("a log whose server goes away", () => {
  it("holds every batch exactly once and in order after three kill -9 with 16 appends in flight", async () => {
    const log = await (await through()).open(randomUUID(), "ingest");
    await log.own();
    const count = 2_000;
    let restarts: Promise<void> = Promise.resolve();
    await flood(log, count, 20_000, (n) => {
      if (n % 500 !== 250) return;
      restarts = restarts.then(async () => {
        await server.kill();
        await server.start();
      });
    });
    await restarts;
    expect(await numbersIn(log, count)).toEqual(upTo(count));
    expect((await log.last("r.0"))!.cursor).toEqual({ n: count - 1 });
  });

  it("stores nothing twice when answers are lost, even after the server forgot the ids", async () => {
    const proxy = await proxied();
    const logs = await through(proxy);
    const id = randomUUID();
    const log = await logs.open(id, "ingest");
    await logs.link.jsm.streams.update(`SLUICE_IN_${id.replaceAll("-", "")}`, { duplicate_window: nanos(100) });
    const epoch = await log.own();
    await log.append("r.0", batchOf(0), { id: "0" });
    const lost = proxy.loseAnswers();
    const appends = Promise.all(upTo(39).map((n) => log.append("r.0", batchOf(n + 1), { id: String(n + 1) })));
    await lost;
    proxy.refuse(true);
    proxy.cut();
    await expect.poll(() => logs.status.connected).toBe(false);
    expect(logs.status.reason).toMatch(/^nats-server at 127.0.0.1:\d+ is away$/);
    await new Promise((resolve) => setTimeout(resolve, 500));
    proxy.refuse(false);
    const results = await appends;
    expect(results.map((one) => one.sequence)).toEqual(upTo(39).map((n) => epoch + n + 2));
    expect(logs.status).toEqual({ connected: true, reason: undefined });
    expect(await numbersIn(log, 40)).toEqual(upTo(40));
  });

  it("keeps order and loses nothing over connections that break again and again", async () => {
    const proxy = await proxied();
    const log = await (await through(proxy)).open(randomUUID(), "ingest");
    await log.own();
    let cuts = 0;
    await flood(log, 1_500, 5_000, (n) => {
      if (n % 150 !== 75) return;
      cuts++;
      proxy.cut();
    });
    expect(cuts).toBe(10);
    expect(await numbersIn(log, 1_500)).toEqual(upTo(1_500));
  });

  it("takes an append that is asked for while the server is away, once it is back", async () => {
    const logs = await through();
    const log = await logs.open(randomUUID(), "ingest");
    await log.own();
    await server.kill();
    await expect.poll(() => logs.status.connected).toBe(false);
    const appends = Promise.all(upTo(3).map((n) => log.append("r.0", batchOf(n), { id: String(n) })));
    const abort = new AbortController();
    const given = log.append("r.0", batchOf(3), { id: "3" }, abort.signal);
    abort.abort(new Error("stop"));
    await expect(given).rejects.toThrow("stop");
    await server.start();
    await appends;
    expect(await numbersIn(log, 3)).toEqual(upTo(3));
  });

  it("tells that the server confirms nothing though it is connected", async () => {
    const proxy = await proxied();
    let told = 0;
    const logs = await through(proxy, { onUnconfirmed: () => told++ });
    const log = await logs.open(randomUUID(), "ingest");
    await log.own();
    const lost = proxy.loseAnswers();
    const appended = log.append("r.0", batchOf(0), { id: "0" });
    await lost;
    await expect.poll(() => told).toBe(1);
    expect(logs.status.reason).toMatch(/^nats-server does not confirm appends/);
    proxy.cut();
    await appended;
    expect(logs.status.reason).toBeUndefined();
  });

  it("says that its log is missing when the server no longer has it", async () => {
    const logs = await through();
    const id = randomUUID();
    const log = await logs.open(id, "ingest");
    await log.own();
    await log.append("r.0", batchOf(0), { id: "0" });
    await logs.link.jsm.streams.delete(`SLUICE_IN_${id.replaceAll("-", "")}`);
    await expect(log.append("r.0", batchOf(1), { id: "1" })).rejects.toThrow(LogMissingError);
    await expect(log.own()).rejects.toThrow(LogMissingError);
    await expect(log.last("r.0")).rejects.toThrow(LogMissingError);
    await logs.open(id, "ingest");
    await expect(log.append("r.0", batchOf(1), { id: "1" })).rejects.toThrow(LogMissingError);
  });

  it.each(["idle", "in the middle of appends"])(
    "appends nothing to a log that comes back without its end (%s)",
    async (when) => {
      const logs = await through();
      const id = randomUUID();
      const log = await logs.open(id, "ingest");
      const other = await logs.open(id, "deliver");
      await Promise.all([log.own(), other.own()]);
      await flood(log, 20, 200);
      await flood(other, 20, 200);
      const data = join(server.folder, "jetstream");
      const then = join(server.folder, "then");
      await server.kill();
      await cp(data, then, { recursive: true, preserveTimestamps: true });
      await server.start();
      const more = upTo(3).map((n) => log.append("r.0", batchOf(20 + n), { id: String(20 + n) }));
      const { sequence } = (await Promise.all(more)).at(-1) as { sequence: number };
      await server.kill();
      await rm(data, { recursive: true });
      await cp(then, data, { recursive: true, preserveTimestamps: true });
      await rm(then, { recursive: true });
      const late = when === "idle" ? [] : upTo(16).map((n) => log.append("r.0", batchOf(n), { id: `late ${n}` }));
      const refused = Promise.allSettled(late);
      await server.start();
      await expect.poll(() => log.lost).toBeInstanceOf(LogBehindError);
      for (const one of await refused) expect(one).toMatchObject({ reason: expect.any(LogBehindError) });
      await expect(log.append("r.0", batchOf(0), { id: "later" })).rejects.toThrow(LogBehindError);
      await expect(log.own()).rejects.toThrow(/ends at sequence \d+, and had confirmed \d+/);
      // Three are missing, and none is in their place.
      expect(log.confirmed).toBe(sequence);
      expect((await log.stats()).last).toBe(sequence - 3);
      expect(other.lost).toBeUndefined();
      expect((await other.append("r.0", batchOf(20), { id: "20" })).sequence).toBe(other.confirmed);
    },
    60_000,
  );

  it("waits, says why, and keeps order while the log is full", async () => {
    const logs = await through();
    const id = randomUUID();
    const log = await logs.open(id, "ingest");
    const stream = `SLUICE_IN_${id.replaceAll("-", "")}`;
    await logs.link.jsm.streams.update(stream, { max_bytes: 50_000 });
    await log.own();
    // The small ones would fit where the large one before them does not.
    const sizes = [20_000, 40_000, 100, 100];
    const appends = Promise.all(sizes.map((size, n) => log.append("r.0", batchOf(n, size), { id: String(n) })));
    await expect.poll(() => logs.status.reason).toMatch(/^the log is full \(/);
    expect(logs.status.connected).toBe(true);
    await logs.link.jsm.streams.update(stream, { max_bytes: -1 });
    await appends;
    expect(logs.status.reason).toBeUndefined();
    expect(await numbersIn(log, 4)).toEqual(upTo(4));
  });

  it("is well again when whoever wanted a log that cannot be made gives up", async () => {
    const logs = await through();
    const id = randomUUID();
    const taken = { name: `TAKEN_${id.replaceAll("-", "")}`, subjects: [`sluice.in.${id}.>`] };
    await logs.link.jsm.streams.add(taken);
    const abort = new AbortController();
    const opened = logs.open(id, "ingest", 0, abort.signal);
    await expect.poll(() => logs.status.reason).toMatch(/overlap/);
    abort.abort(new Error("stop"));
    await expect(opened).rejects.toThrow();
    expect(logs.status.reason).toBeUndefined();
    await logs.link.jsm.streams.delete(taken.name);
  });

  it("keeps a log that nats-server was killed over while it was made", async () => {
    const id = randomUUID();
    const made = await (await through()).open(id, "deliver");
    await made.close();
    await server.kill();
    // What such a kill leaves.
    const folder = join(server.folder, "jetstream", "$G", "streams", `SLUICE_OUT_${id.replaceAll("-", "")}`);
    await rm(join(folder, "meta.sum"));
    await server.start();
    const log = await (await through()).open(id, "deliver");
    await log.own();
    await log.append("r.0", batchOf(0), { id: "0" });
    await server.kill();
    await server.start();
    expect(await numbersIn(log, 1)).toEqual([0]);
  });

  it("is well again when the appends that waited are given up", async () => {
    const logs = await through();
    const id = randomUUID();
    const log = await logs.open(id, "ingest");
    await logs.link.jsm.streams.update(`SLUICE_IN_${id.replaceAll("-", "")}`, { max_bytes: 10_000 });
    await log.own();
    const abort = new AbortController();
    const appended = log.append("r.0", batchOf(0, 20_000), { id: "0" }, abort.signal);
    await expect.poll(() => logs.status.reason).toMatch(/^the log is full \(/);
    abort.abort(new Error("stop"));
    await expect(appended).rejects.toThrow("stop");
    await expect.poll(() => logs.status.reason).toBeUndefined();
  });
});
