import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import type { JetStreamLogs } from "../../adapters/jetstream/index.ts";
import { StaleOwnerError } from "../../runtime/ports/log.ts";
import { batchOf, connectTo, largeSize, MemoryClaims, numberOf, serverUrl, take } from "./support.ts";

const open: JetStreamLogs[] = [];

async function node(options: Parameters<typeof connectTo>[1] = {}): Promise<JetStreamLogs> {
  const logs = await connectTo(serverUrl(), options);
  open.push(logs);
  return logs;
}

afterEach(async () => {
  for (const logs of open.splice(0)) await logs.close();
});

describe("a log", () => {
  it("is made when it is first opened, and removed with its integration", async () => {
    const logs = await node();
    const id = randomUUID();
    expect(await logs.exists(id, "ingest")).toBe(false);
    await logs.open(id, "ingest");
    expect(await logs.exists(id, "ingest")).toBe(true);
    await logs.open(id, "deliver");
    await logs.remove(id);
    expect(await logs.exists(id, "ingest")).toBe(false);
    expect(await logs.exists(id, "deliver")).toBe(false);
  });

  it("gives back what was appended, in order, and its last header", async () => {
    const log = await (await node()).open(randomUUID(), "ingest");
    expect(await log.last("r.0")).toBeNull();
    await log.own();
    const batch = {
      ...batchOf(0),
      failures: [{ index: 0, code: "VALIDATION_ERROR" as const, message: "no", raw: new Uint8Array([0, 255]) }],
    };
    const { sequence } = await log.append("r.0", batch, { id: "0" });
    await Promise.all([1, 2, 3].map((n) => log.append("r.0", batchOf(n), { id: String(n) })));
    expect(await log.last("r.0")).toEqual(batchOf(3).header);
    expect(await log.last("r.1")).toBeNull();
    const read = await log.get(sequence);
    expect({ ...read, body: new Uint8Array(read!.body) }).toEqual(batch);
    expect(await log.get(999)).toBeNull();

    const seen: number[] = [];
    const consumer = await log.consumer("steps", ["r.0"]);
    await take(consumer, 4, async (message) => {
      seen.push(numberOf(message));
      await message.ack();
    });
    expect(seen).toEqual([0, 1, 2, 3]);
    const stats = await log.stats();
    expect(stats.messages).toBe(5);
    expect(stats.consumers.steps).toEqual({ pending: 0, unacknowledged: 0, ackFloor: sequence + 3 });
  });

  it("keeps subjects apart: the same id on another subject is another batch", async () => {
    const log = await (await node()).open(randomUUID(), "deliver");
    await log.own();
    const [a, b] = await Promise.all([
      log.append("orders", batchOf(1), { id: "x" }),
      log.append("own", batchOf(2), { id: "x" }),
    ]);
    expect([a.duplicate, b.duplicate]).toEqual([false, false]);
    expect(await log.last("orders")).toEqual(batchOf(1).header);
    expect(await log.last("own")).toEqual(batchOf(2).header);
    await expect(log.append("a b", batchOf(3), { id: "y" })).rejects.toThrow('"a b" is no subject');
    expect((await log.append("orders", batchOf(3), { id: "z" })).duplicate).toBe(false);
  });

  it("stores a batch once that is appended twice, and goes on behind it", async () => {
    const log = await (await node()).open(randomUUID(), "ingest");
    await log.own();
    const first = await log.append("r.0", batchOf(0), { id: "a" });
    const more = await Promise.all([
      log.append("r.0", batchOf(1), { id: "b" }),
      log.append("r.0", batchOf(0), { id: "a" }),
      log.append("r.0", batchOf(2), { id: "c" }),
      log.append("r.0", batchOf(3), { id: "d" }),
    ]);
    expect(more.map((one) => one.duplicate)).toEqual([false, true, false, false]);
    expect(more[1]!.sequence).toBe(first.sequence);
    expect((await log.stats()).messages).toBe(5);
    expect(await log.last("r.0")).toEqual(batchOf(3).header);
  });

  it("must be owned before it is appended to", async () => {
    const log = await (await node()).open(randomUUID(), "ingest");
    await expect(log.append("r.0", batchOf(0), { id: "0" })).rejects.toThrow("must be owned");
  });

  it("refuses an owner that has a successor, in the middle of its appends (invariant 5)", async () => {
    const [first, second] = [await node(), await node()];
    const id = randomUUID();
    const old = await first.open(id, "ingest");
    const next = await second.open(id, "ingest");
    const epoch = await old.own();
    let n = 0;
    let refused = 0;
    const errors = new Set<unknown>();
    const flood = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (refused === 0) {
          const mine = n++;
          await old.append("r.0", batchOf(mine), { id: String(mine) }).catch((error: unknown) => {
            refused++;
            errors.add((error as Error).constructor);
          });
        }
      }),
    );
    await old.append("r.0", batchOf(-1), { id: "first" });
    const later = await next.own();
    expect(later).toBeGreaterThan(epoch);
    const last = await next.last("r.0");
    await flood;
    expect([...errors]).toEqual([StaleOwnerError]);
    await expect(old.append("r.0", batchOf(n), { id: "late" })).rejects.toThrow(StaleOwnerError);
    expect(await next.last("r.0")).toEqual(last);
    await next.append("r.0", batchOf(1000), { id: "1000" });
    expect(await next.last("r.0")).toEqual(batchOf(1000).header);
  });

  it("goes on, in order, when others write to the stream in between", async () => {
    const logs = await node();
    const id = randomUUID();
    const log = await logs.open(id, "ingest");
    await log.own();
    let over = false;
    const hooks = (async () => {
      for (let n = 0; !over; n++) {
        await logs.link.js.publish(`sluice.in.${id}.hook`, "{}", { msgID: `hook ${n}` });
      }
    })();
    await Promise.all(Array.from({ length: 300 }, (_, n) => log.append("r.0", batchOf(n), { id: String(n) })));
    over = true;
    await hooks;
    const seen: number[] = [];
    await take(await log.consumer("steps", ["r.0"]), 300, (message) => seen.push(numberOf(message)));
    expect(seen).toEqual(Array.from({ length: 300 }, (_, n) => n));
  });

  it("gives up what is aborted and all behind it, and then wants to be owned again", async () => {
    const log = await (await node()).open(randomUUID(), "ingest");
    await log.own();
    const abort = new AbortController();
    const appends = [0, 1, 2, 3].map((n) =>
      log.append("r.0", batchOf(n), { id: String(n) }, n === 1 ? abort.signal : undefined),
    );
    abort.abort(new Error("stop"));
    const results = await Promise.allSettled(appends);
    expect(results.map((one) => one.status)).toEqual(["fulfilled", "rejected", "rejected", "rejected"]);
    await expect(log.append("r.0", batchOf(4), { id: "4" })).rejects.toThrow("owned again");
    await log.own();
    await log.append("r.0", batchOf(5), { id: "5" });
    expect(await log.last("r.0")).toEqual(batchOf(5).header);
  });

  it("purges up to a sequence, never a subject's last message (invariant 1)", async () => {
    const log = await (await node()).open(randomUUID(), "ingest");
    await log.own();
    const appended = await Promise.all([0, 1, 2].map((n) => log.append("r.0", batchOf(n), { id: String(n) })));
    await log.append("r.1", batchOf(9), { id: "9" });
    await log.purge("r.2", appended[2]!.sequence);
    await log.purge("r.0", appended[0]!.sequence);
    expect(await log.get(appended[0]!.sequence)).toBeNull();
    expect(await log.get(appended[1]!.sequence)).not.toBeNull();
    await log.purge("r.0", appended[2]!.sequence + 1_000);
    expect(await log.get(appended[1]!.sequence)).toBeNull();
    expect(await log.last("r.0")).toEqual(batchOf(2).header);
    expect(await log.last("r.1")).toEqual(batchOf(9).header);
    await log.append("r.0", batchOf(3), { id: "3" });
  });

  it("is read from its newest batch on, small ones and large ones, each once", async () => {
    const logs = await node();
    const id = randomUUID();
    const log = await logs.open(id, "ingest");
    await log.own();
    const large = new Set([80, 81, 82, 83, 84, 85, 100]);
    for (let n = 0; n <= 130; n++)
      await log.append("r.0", batchOf(n, large.has(n) ? 4_000_000 : 200), { id: String(n) });
    const seen: number[] = [];
    for await (const batch of logs.history.newestFirst(id, {})) seen.push(numberOf(batch));
    expect(seen).toEqual(Array.from({ length: 131 }, (_, n) => 130 - n));
  });

  it("says what is beyond a history of so many bytes or so long, claims included", async () => {
    const claims = new MemoryClaims();
    const log = await (await node({ claims })).open(randomUUID(), "ingest");
    const epoch = await log.own();
    const appended = await Promise.all(
      Array.from({ length: 100 }, (_, n) => log.append("r.0", batchOf(n, 10_000), { id: String(n) })),
    );
    const at = (n: number) => appended[n]!.sequence;
    const years = 1e12;
    expect(await log.beyond({ bytes: 10_000_000, ageMs: years })).toBeLessThan(epoch);
    const half = await log.beyond({ bytes: 500_000, ageMs: years });
    expect(half).toBeGreaterThan(at(40));
    expect(half).toBeLessThan(at(60));
    expect(await log.beyond({ bytes: 10_000_000, ageMs: -60_000 })).toBe(at(99));
    await log.append("r.0", batchOf(100, largeSize), { id: "100" });
    expect(await log.beyond({ bytes: 1_000_000, ageMs: years })).toBeGreaterThan(at(80));
    await log.purge("r.0", half);
    expect((await log.next("r.0", 0))?.header.cursor).toEqual({ n: half - at(0) + 1 });
    expect(await log.next("r.0", at(99) + 1)).toBeNull();
    const from = Date.now() - 10;
    expect(await log.beyond({ bytes: 10_000_000, ageMs: Date.now() - from })).toBeLessThanOrEqual(at(99) + 1);
  });

  it("keeps to its history while much passes through it, although the last message of another subject stays", async () => {
    const log = await (await node()).open(randomUUID(), "ingest");
    await log.own();
    await log.append("t", batchOf(0), { id: "t" });
    const history = { bytes: 3_000_000, ageMs: 1e12 };
    for (let round = 0; round < 30; round++) {
      const numbers = Array.from({ length: 20 }, (_, n) => round * 20 + n);
      await Promise.all(numbers.map((n) => log.append("r.0", batchOf(n, 100_000), { id: String(n) })));
      await log.purge("r.0", await log.beyond(history));
    }
    const { bytes } = await log.stats();
    expect(bytes).toBeGreaterThan(2_500_000);
    expect(bytes).toBeLessThan(5_000_000);
  });

  it("never gives a sequence again that it gave before it was lost", async () => {
    const logs = await node();
    const id = randomUUID();
    const first = await logs.open(id, "ingest");
    await first.own();
    const { sequence } = await first.append("r.0", batchOf(0), { id: "0" });
    await logs.remove(id);
    expect(await (await logs.open(id, "ingest")).own()).toBeGreaterThan(sequence);
  });

  it("puts a batch over the server's message size into the claim store, in order with the others", async () => {
    const claims = new MemoryClaims();
    const log = await (await node({ claims })).open(randomUUID(), "ingest");
    await log.own();
    const sizes = [200, largeSize + 1, 200, largeSize, 200];
    const batches = sizes.map((size, n) => batchOf(n, size));
    const appended = await Promise.all(batches.map((batch, n) => log.append("r.0", batch, { id: String(n) })));
    expect(claims.kept.size).toBe(2);
    const seen: number[] = [];
    const consumer = await log.consumer("steps", ["r.0"]);
    await take(consumer, 5, async (message) => {
      seen.push(message.body.length);
      await message.ack();
    });
    expect(seen).toEqual(batches.map((batch) => batch.body.length));
    expect((await log.get(appended[1]!.sequence))!.body.length).toBe(batches[1]!.body.length);

    const again = await log.append("r.0", batches[1]!, { id: "1" });
    expect(again).toEqual({ sequence: appended[1]!.sequence, duplicate: true });
    await expect.poll(() => claims.kept.size).toBe(2);

    await log.purge("r.0", appended[1]!.sequence);
    expect(claims.kept.size).toBe(1);
    expect(await log.last("r.0")).toEqual(batches[4]!.header);
  });

  it("has large batches forgotten that no append came of, and no others", async () => {
    const claims = new MemoryClaims();
    const logs = await node({ claims });
    const id = randomUUID();
    for (const kind of ["ingest", "deliver"] as const) {
      const log = await logs.open(id, kind);
      await log.own();
      await log.append("r.0", batchOf(0, largeSize), { id: "0" });
      await log.append("r.0", batchOf(1), { id: "1" });
    }
    const used = await claims.ids();
    expect(used).toHaveLength(2);
    const forget = async () => (await logs.spareClaims(id))();
    await forget();
    expect(await claims.ids()).toEqual(used);
    await claims.put(id, new Uint8Array(1));
    await forget();
    expect(await claims.ids()).toEqual(used);
    // An owner that was stopped in between: what came of another meanwhile is on its way to the log.
    const woken = await logs.spareClaims(id);
    await claims.put(id, new Uint8Array(1));
    await woken();
    expect(await claims.ids()).toHaveLength(used.length + 1);
  });

  it("keeps the claim of a last message, and removes every claim with the integration", async () => {
    const claims = new MemoryClaims();
    const logs = await node({ claims });
    const id = randomUUID();
    const log = await logs.open(id, "ingest");
    await log.own();
    await log.append("r.0", batchOf(0, largeSize), { id: "0" });
    const { sequence } = await log.append("r.0", batchOf(1, largeSize), { id: "1" });
    await log.purge("r.0", sequence);
    expect(claims.kept.size).toBe(1);
    expect(await log.last("r.0")).toEqual(batchOf(1).header);
    expect((await log.get(sequence))!.body.length).toBe(largeSize);
    await logs.remove(id);
    expect(claims.kept.size).toBe(0);
  });
});
