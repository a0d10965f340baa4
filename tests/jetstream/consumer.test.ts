import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { ConsumerMissingError, type JetStreamLogs } from "../../adapters/jetstream/index.ts";
import { SluiceError } from "../../runtime/errors/index.ts";
import type { Log, LogMessage } from "../../runtime/ports/log.ts";
import { startProxy } from "./proxy.ts";
import { batchOf, connectTo, largeSize, MemoryClaims, numberOf, serverUrl, take } from "./support.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function node(url = serverUrl(), options: Parameters<typeof connectTo>[1] = {}): Promise<JetStreamLogs> {
  const logs = await connectTo(url, { ackWaitMs: 1_000, ...options });
  closing.push(() => logs.close());
  return logs;
}

async function logWith(logs: JetStreamLogs, count: number): Promise<{ id: string; log: Log }> {
  const id = randomUUID();
  const log = await logs.open(id, "ingest");
  await log.own();
  for (let n = 0; n < count; n++) await log.append("r.0", batchOf(n), { id: String(n) });
  return { id, log };
}

const never = new AbortController().signal;

describe("a consumer", () => {
  it("delivers again what was neither acknowledged nor worked on within ack_wait", async () => {
    const { log } = await logWith(await node(), 2);
    const consumer = await log.consumer("steps", ["r.0"]);
    const seen: [number, number][] = [];
    await take(consumer, 3, async (message) => {
      seen.push([numberOf(message), message.deliveries]);
      if (numberOf(message) === 1 || message.deliveries === 2) await message.ack();
    });
    expect(seen).toEqual([
      [0, 1],
      [1, 1],
      [0, 2],
    ]);
  });

  it.each([false, true])("waits for the store that has a large batch, in its turn (again: %s)", async (again) => {
    const claims = new (class extends MemoryClaims {
      away = 3;
      override async get(id: string): Promise<Uint8Array | null> {
        if (this.away-- > 0) throw new SluiceError("UNAVAILABLE", "the database is away");
        return super.get(id);
      }
    })();
    const log = await (await node(serverUrl(), { claims })).open(randomUUID(), "ingest");
    await log.own();
    for (const [n, size] of [200, largeSize, 200].entries()) await log.append("r.0", batchOf(n, size), { id: `${n}` });
    const consumer = await log.consumer("steps", ["r.0"], { again });
    const seen: [number, number][] = [];
    await take(consumer, 3, async (message) => {
      seen.push([numberOf(message), message.body.length]);
      await message.ack();
    });
    expect(seen).toEqual([
      [0, 200],
      [1, largeSize],
      [2, 200],
    ]);
    const { sequence } = await log.append("r.0", batchOf(3, largeSize), { id: "3" });
    claims.away = 2;
    expect((await log.get(sequence))?.body.length).toBe(largeSize);
    claims.away = Number.POSITIVE_INFINITY;
    const stop = new AbortController();
    claims.get = () => Promise.reject(stop.abort());
    for await (const message of consumer.pull(1, stop.signal)) expect(message).toBeUndefined();
    // It was given back.
    claims.get = MemoryClaims.prototype.get;
    await take(consumer, 1, (message) => expect(numberOf(message)).toBe(3)).catch((error) => {
      // In order, another consumer is made then: its numbers begin anew.
      if (!again) throw error;
    });
  });

  it("does not deliver again what is being worked on, however long", async () => {
    const { log } = await logWith(await node(), 2);
    const consumer = await log.consumer("steps", ["r.0"]);
    let inHand: LogMessage | undefined;
    await take(consumer, 1, (message) => {
      inHand = message;
    });
    const beat = setInterval(() => inHand!.working(), 300);
    const seen: number[] = [];
    // Message 1 is left alone: its third delivery shows that ack_wait has passed twice.
    await take(consumer, 3, (message) => seen.push(numberOf(message)));
    clearInterval(beat);
    expect(seen).toEqual([1, 1, 1]);
    await inHand!.ack();
    const ackFloor = inHand!.sequence;
    expect((await log.stats()).consumers.steps).toMatchObject({ pending: 0, unacknowledged: 1, ackFloor });
  });

  it("pulls nothing but what was asked for", async () => {
    const { log } = await logWith(await node(), 5);
    const consumer = await log.consumer("steps", ["r.0"]);
    const seen: number[] = [];
    for await (const message of consumer.pull(2, never)) seen.push(numberOf(message));
    expect(seen).toEqual([0, 1]);
    expect((await log.stats()).consumers.steps).toMatchObject({ pending: 3, unacknowledged: 2 });
  });

  it("gives back at once what came and was not taken", async () => {
    const { log } = await logWith(await node(serverUrl(), { ackWaitMs: 600_000 }), 5);
    const consumer = await log.consumer("steps", ["r.0"]);
    for await (const message of consumer.pull(5, never)) {
      await message.ack();
      break;
    }
    const seen: number[] = [];
    await take(consumer, 4, (message) => seen.push(numberOf(message)));
    expect(seen.sort()).toEqual([1, 2, 3, 4]);
  });

  // Slow once is the machine.
  it("ends promptly when its signal aborts, and after a few seconds when nothing comes", { retry: 5 }, async () => {
    const { log } = await logWith(await node(), 0);
    const consumer = await log.consumer("steps", ["r.0"]);
    const abort = new AbortController();
    const ended = (async () => {
      for await (const _message of consumer.pull(10, abort.signal)) expect.unreachable();
    })();
    await expect.poll(async () => (await log.stats()).consumers.steps?.pending).toBe(0);
    const start = performance.now();
    abort.abort();
    await ended;
    expect(performance.now() - start).toBeLessThan(500);
    for await (const _message of consumer.pull(10, never)) expect.unreachable();
  });

  it("keeps each consumer's own position, over a restart of the node", async () => {
    const first = await node();
    const { id, log } = await logWith(first, 3);
    await log.append("r.1", batchOf(9), { id: "9" });
    await take(await log.consumer("a", ["r.0"]), 2, (message) => message.ack());
    await first.close();
    const again = await (await node()).open(id, "ingest");
    const seen: number[] = [];
    await take(await again.consumer("a", ["r.0"]), 1, (message) => seen.push(numberOf(message)));
    await take(await again.consumer("b", ["r.0"]), 3, (message) => seen.push(numberOf(message)));
    await take(await again.consumer("c", ["r.1"]), 1, (message) => seen.push(numberOf(message)));
    expect(seen).toEqual([2, 0, 1, 2, 9]);
  });

  it("goes on, and acknowledges what it had in hand, over a connection that broke", async () => {
    const proxy = await startProxy(serverUrl());
    closing.push(() => proxy.close());
    const logs = await node(proxy.url, { ackWaitMs: 30_000, ...credentials() });
    const { log } = await logWith(logs, 3);
    const consumer = await log.consumer("steps", ["r.0"]);
    const seen: number[] = [];
    await take(consumer, 1, async (message) => {
      seen.push(numberOf(message));
      const lost = proxy.loseAnswers();
      const acked = message.ack();
      await lost;
      proxy.cut();
      message.working();
      await acked;
    });
    await take(consumer, 2, async (message) => {
      seen.push(numberOf(message));
      await message.ack();
    });
    expect(seen).toEqual([0, 1, 2]);
    expect((await log.stats()).consumers.steps).toMatchObject({ pending: 0, unacknowledged: 0 });
  });

  it("fails when the server has lost it, and is made anew from the start when asked for again", async () => {
    const logs = await node();
    const { id, log } = await logWith(logs, 1);
    const consumer = await log.consumer("steps", ["r.0"]);
    await take(consumer, 1, (message) => message.ack());
    await logs.link.jsm.consumers.delete(`SLUICE_IN_${id.replaceAll("-", "")}`, "steps");
    await expect(take(consumer, 1, () => {})).rejects.toThrow(ConsumerMissingError);
    await take(await log.consumer("steps", ["r.0"]), 1, (message) => expect(numberOf(message)).toBe(0));
  });
});

function credentials(): { user: string; password: string } {
  const { username, password } = new URL(serverUrl());
  return { user: username, password };
}

describe("a consumer", () => {
  it("that begins again has what was not acknowledged first, in order, and then the rest", async () => {
    const { log } = await logWith(await node(), 6);
    await take(await log.consumer("steps", ["r.0"], { again: true }), 4, async (message) => {
      if (numberOf(message) === 0 || numberOf(message) === 2) await message.ack();
    });
    const seen: number[] = [];
    await take(await log.consumer("steps", ["r.0"], { again: true }), 5, async (message) => {
      seen.push(numberOf(message));
      if (numberOf(message) === 1) await message.ack();
    });
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    // One that does not ask for it takes its place.
    const rest: number[] = [];
    await take(await log.consumer("steps", ["r.0"]), 4, (message) => rest.push(numberOf(message)));
    expect(rest).toEqual([2, 3, 4, 5]);
  });

  it("that begins again fails where a message was lost on the way, and has it first when it is made again", async () => {
    const { id, log } = await logWith(await node(), 6);
    const consumer = await log.consumer("steps", ["r.0"], { again: true });
    await take(consumer, 2, (message) => message.ack());
    // What the server sent to somebody who is gone.
    const gone = await (await node()).open(id, "ingest");
    await take(await gone.consumer("steps", ["r.0"]), 1, () => {});
    await expect(take(consumer, 1, () => {})).rejects.toThrow("lost on the way");
    const seen: number[] = [];
    await take(await log.consumer("steps", ["r.0"], { again: true }), 4, (message) => seen.push(numberOf(message)));
    expect(seen).toEqual([2, 3, 4, 5]);
  });

  it("of two subjects has their messages in the order of the log", async () => {
    const { log } = await logWith(await node(), 0);
    for (let n = 0; n < 6; n++) await log.append(n % 3 === 0 ? "t" : "r.0", batchOf(n), { id: String(n) });
    const seen: number[] = [];
    await take(await log.consumer("steps", ["r.0", "t"]), 6, (message) => seen.push(numberOf(message)));
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
