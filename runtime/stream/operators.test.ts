import fc from "fast-check";
import { from, lastValueFrom, Subject, throwError, toArray } from "rxjs";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../ports/virtual-clock.ts";
import { consume } from "./consume.ts";
import { linger } from "./linger.ts";
import { settleInOrder } from "./settle-in-order.ts";
import { settleOnce } from "./settle-once.ts";

describe("settleOnce", () => {
  it("passes on the first settle and throws at the second, also when the first threw", () => {
    const seen: string[] = [];
    const settle = settleOnce((value: string) => void seen.push(value));
    settle("ack");
    expect(() => settle("nak")).toThrow("settled twice");
    expect(seen).toEqual(["ack"]);
    const failing = settleOnce(() => {
      throw new Error("lost");
    });
    expect(failing).toThrow("lost");
    expect(failing).toThrow("settled twice");
  });
});

describe("settleInOrder", () => {
  it("keeps the order of the items, with as many at work as allowed and no more", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(5), { maxLength: 30 }), fc.integer({ min: 1, max: 6 }), async (delays, n) => {
        let working = 0;
        let most = 0;
        const work = async (item: { delay: number; index: number }) => {
          most = Math.max(most, ++working);
          for (let i = 0; i <= item.delay; i++) await new Promise((resolve) => setImmediate(resolve));
          working--;
          return item.index;
        };
        const items = delays.map((delay, index) => ({ delay, index }));
        const results = await lastValueFrom(from(items).pipe(settleInOrder(n, work), toArray()));
        expect(results).toEqual(items.map(({ index }) => index));
        expect(most).toBe(Math.min(n, items.length));
      }),
    );
  });

  it("fails with the first item that fails, having passed on what came before it", async () => {
    const seen: number[] = [];
    const failed = Promise.withResolvers<unknown>();
    from([1, 2, 3])
      .pipe(
        settleInOrder(3, async (n) => {
          if (n === 2) throw new Error("two");
          return n;
        }),
      )
      .subscribe({ next: (n) => seen.push(n), error: failed.resolve });
    expect(await failed.promise).toMatchObject({ message: "two" });
    expect(seen).toEqual([1]);
  });
});

describe("linger", () => {
  const aim = { records: 10, bytes: 100, lingerMs: 50 };
  const amounts = fc.record({ records: fc.integer({ min: 1, max: 12 }), bytes: fc.integer({ min: 1, max: 120 }) });

  it("hands on every item once, in order, in batches that only a single item exceeds, none later than the linger", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(amounts, fc.nat(30)), { maxLength: 30 }), async (arrivals) => {
        const clock = new VirtualClock();
        const source = new Subject<{ records: number; bytes: number; at: number }>();
        const batches: { records: number; bytes: number; at: number }[][] = [];
        source.pipe(linger(aim, (item) => item, clock)).subscribe((batch) => {
          batches.push(batch);
          expect(clock.now() - (batch[0]?.at as number)).toBeLessThanOrEqual(aim.lingerMs);
        });
        const items: { records: number; bytes: number; at: number }[] = [];
        for (const [amount, gapMs] of arrivals) {
          await clock.advance(gapMs);
          const item = { ...amount, at: clock.now() };
          items.push(item);
          source.next(item);
        }
        source.complete();
        expect(batches.flat()).toEqual(items);
        for (const batch of batches) {
          const records = batch.reduce((sum, item) => sum + item.records, 0);
          const bytes = batch.reduce((sum, item) => sum + item.bytes, 0);
          if (batch.length > 1) expect(records <= aim.records && bytes <= aim.bytes).toBe(true);
        }
        expect(clock.nextAt).toBeNull();
      }),
      { numRuns: 50 },
    );
  });

  it("waits for a batch to fill or for the linger, whichever comes first", async () => {
    const clock = new VirtualClock();
    const source = new Subject<number>();
    const batches: string[] = [];
    source
      .pipe(linger(aim, () => ({ records: 5, bytes: 1 }), clock))
      .subscribe((batch) => batches.push(`${clock.now()}: ${batch.join(",")}`));
    for (const n of [1, 2, 3]) source.next(n);
    expect(batches).toEqual(["0: 1,2"]);
    await clock.advance(100);
    expect(batches).toEqual(["0: 1,2", "50: 3"]);
  });

  it("drops what has gathered when the source fails or nobody listens any more, and leaves no timer", async () => {
    const clock = new VirtualClock();
    const one = () => ({ records: 1, bytes: 1 });
    const source = new Subject<number>();
    const seen: number[][] = [];
    const failed = Promise.withResolvers<unknown>();
    source.pipe(linger(aim, one, clock)).subscribe({ next: (batch) => seen.push(batch), error: failed.resolve });
    const left = source.pipe(linger(aim, one, clock)).subscribe((batch) => seen.push(batch));
    source.next(1);
    left.unsubscribe();
    source.error(new Error("lost"));
    expect(await failed.promise).toMatchObject({ message: "lost" });
    expect(seen).toEqual([]);
    expect(clock.nextAt).toBeNull();
    await expect(lastValueFrom(throwError(() => new Error("early")).pipe(linger(aim, one, clock)))).rejects.toThrow(
      "early",
    );
  });
});

describe("consume", () => {
  it("resolves at the stream's end and rejects with its error", async () => {
    const { signal } = new AbortController();
    expect(await consume(from([1, 2]), signal)).toBeUndefined();
    await expect(
      consume(
        throwError(() => new Error("lost")),
        signal,
      ),
    ).rejects.toThrow("lost");
  });

  it("leaves the stream when the signal aborts, also before the start", async () => {
    const controller = new AbortController();
    const source = new Subject<number>();
    const consumed = consume(source, controller.signal);
    expect(source.observed).toBe(true);
    controller.abort(new Error("enough"));
    expect(source.observed).toBe(false);
    await expect(consumed).rejects.toThrow("enough");
    await expect(consume(source, controller.signal)).rejects.toThrow("enough");
    expect(source.observed).toBe(false);
  });
});
