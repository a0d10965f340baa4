import fc from "fast-check";
import { finalize, lastValueFrom, mergeMap, Subject, take, toArray } from "rxjs";
import { describe, expect, it } from "vitest";
import type { Amount } from "./amount.ts";
import { Credit } from "./credit.ts";
import { fromPull, type Granted } from "./from-pull.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const free = { records: 0, bytes: 0 };

interface Item extends Amount {
  readonly id: number;
}

const items = fc
  .array(fc.record({ records: fc.integer({ min: 1, max: 12 }), bytes: fc.integer({ min: 1, max: 1200 }) }), {
    maxLength: 40,
  })
  .map((all) => all.map((amount, id): Item => ({ ...amount, id })));

function pullOf(all: readonly Item[], pulls: { count: number } = { count: 0 }) {
  return async (): Promise<Item | null> => {
    if (pulls.count % 3 === 0) await null;
    return all[pulls.count++] ?? null;
  };
}

const cost = ({ records, bytes }: Item): Amount => ({ records, bytes });

describe("fromPull", () => {
  it("passes on every item in order, with no more in flight than was granted, and each released once", async () => {
    await fc.assert(
      fc.asyncProperty(
        items,
        fc.record({ records: fc.integer({ min: 1, max: 12 }), bytes: fc.integer({ min: 1, max: 1200 }) }),
        fc.array(fc.nat(3), { minLength: 1, maxLength: 10 }),
        async (all, reserve, delays) => {
          const credit = new Credit({ records: 10, bytes: 1000 });
          const inFlight = new Set<Item>();
          const seen: number[] = [];
          const work = async ({ value, release }: Granted<Item>) => {
            inFlight.add(value);
            seen.push(value.id);
            const records = [...inFlight].reduce((sum, item) => sum + item.records, 0);
            const bytes = [...inFlight].reduce((sum, item) => sum + item.bytes, 0);
            if (inFlight.size > 1) expect(records <= 10 && bytes <= 1000).toBe(true);
            for (let i = 0; i < (delays[value.id % delays.length] as number); i++) await turn();
            inFlight.delete(value);
            release();
            expect(release).toThrow("settled twice");
          };
          await lastValueFrom(fromPull(pullOf(all), credit, cost, reserve).pipe(mergeMap(work, 5)), {
            defaultValue: null,
          });
          expect(seen).toEqual(all.map(({ id }) => id));
          expect(credit.held).toEqual(free);
        },
      ),
    );
  });

  it("pulls only while there is credit, and goes on when it comes back", async () => {
    const credit = new Credit({ records: 2, bytes: 100 });
    const pulls = { count: 0 };
    const granted: Granted<Item>[] = [];
    const all = Array.from({ length: 5 }, (_, id) => ({ id, records: 1, bytes: 10 }));
    const subscription = fromPull(pullOf(all, pulls), credit, cost).subscribe((item) => granted.push(item));
    await turn();
    expect([pulls.count, granted.length]).toEqual([2, 2]);
    granted[1]?.release();
    await turn();
    expect([pulls.count, granted.length]).toEqual([3, 3]);
    subscription.unsubscribe();
  });

  it("lets an item larger than all credit pass alone", async () => {
    const credit = new Credit({ records: 10, bytes: 1000 });
    const all = [5, 5_000_000, 5].map((bytes, id) => ({ id, records: 1, bytes }));
    const granted: Granted<Item>[] = [];
    fromPull(pullOf(all), credit, cost).subscribe((item) => granted.push(item));
    await turn();
    expect(granted.map(({ value }) => value.id)).toEqual([0]);
    granted[0]?.release();
    await turn();
    expect(granted.map(({ value }) => value.id)).toEqual([0, 1]);
    expect(credit.available.bytes).toBe(0);
    granted[1]?.release();
    await turn();
    expect(granted.map(({ value }) => value.id)).toEqual([0, 1, 2]);
  });

  it("shares one credit fairly: who waited longest is served first", async () => {
    const credit = new Credit({ records: 1, bytes: 10 });
    const order: string[] = [];
    const drink = (name: string) => {
      const all = Array.from({ length: 10 }, (_, id) => ({ id, records: 1, bytes: 10 }));
      return lastValueFrom(
        fromPull(pullOf(all), credit, cost).pipe(
          mergeMap(async ({ release }) => {
            order.push(name);
            await turn();
            release();
          }),
        ),
      );
    };
    await Promise.all([drink("a"), drink("b")]);
    expect(order.join("")).toBe("ab".repeat(10));
  });

  it("gives back all credit at an unsubscribe, at whatever moment; what is released later changes nothing", async () => {
    await fc.assert(
      fc.asyncProperty(items, fc.nat(20), fc.nat(3), async (all, turns, limit) => {
        const credit = new Credit({ records: 10, bytes: 1000 });
        const granted: Granted<Item>[] = [];
        const subscription = fromPull(pullOf(all), credit, cost).subscribe((item) => {
          granted.push(item);
          if (granted.length % 4 < limit) item.release();
        });
        for (let i = 0; i < turns; i++) await null;
        subscription.unsubscribe();
        await turn();
        expect(credit.held).toEqual(free);
        const pulled = granted.length;
        for (const [index, { release }] of granted.entries()) if ((index + 1) % 4 >= limit) release();
        await turn();
        expect(credit.held).toEqual(free);
        expect(granted.length).toBe(pulled);
      }),
    );
  });

  it("gives back what it holds while a pull hangs, and passes the signal on", async () => {
    const credit = new Credit({ records: 10, bytes: 1000 });
    let signal: AbortSignal | undefined;
    const subscription = fromPull<Item>(
      (given) => {
        signal = given;
        return new Promise(() => {});
      },
      credit,
      cost,
      { records: 5, bytes: 500 },
    ).subscribe();
    await turn();
    expect(credit.held).toEqual({ records: 5, bytes: 500 });
    subscription.unsubscribe();
    expect(credit.held).toEqual(free);
    expect(signal?.aborted).toBe(true);
  });

  it("gives back what it is granted in the very turn in which it is given up", async () => {
    const credit = new Credit({ records: 2, bytes: 20 });
    const other = { records: 1, bytes: 10 };
    credit.tryTake(other);
    const pulls = { count: 0 };
    const large = { id: 0, records: 2, bytes: 20 };
    const subscription = fromPull(pullOf([large], pulls), credit, cost).subscribe();
    await turn();
    expect([pulls.count, credit.held]).toEqual([1, other]);
    credit.give(other);
    expect(credit.held).toEqual(cost(large));
    subscription.unsubscribe();
    await turn();
    expect(credit.held).toEqual(free);
  });

  it.each(["pull", "cost", "downstream"])("gives back all credit when the %s fails", async (where) => {
    const credit = new Credit({ records: 10, bytes: 1000 });
    const fail = (here: string, n: number) => {
      if (here === where && n === 3) throw new Error(`${here} failed`);
    };
    let n = 0;
    const stream = fromPull(
      async () => {
        fail("pull", ++n);
        return n;
      },
      credit,
      () => {
        fail("cost", n);
        return { records: 1, bytes: 1 };
      },
    ).pipe(
      mergeMap(async ({ value }) => {
        fail("downstream", value);
        await new Promise(() => {});
      }),
    );
    await expect(lastValueFrom(stream)).rejects.toThrow(`${where} failed`);
    expect(credit.held).toEqual(free);
  });

  it("ends when all that was pulled has been released, and not before", async () => {
    const credit = new Credit({ records: 10, bytes: 1000 });
    const all = [1, 2, 3].map((id) => ({ id, records: 1, bytes: 10 }));
    const granted: Granted<Item>[] = [];
    let ended = false;
    fromPull(pullOf(all), credit, cost).subscribe({
      next: (item) => granted.push(item),
      complete: () => {
        ended = true;
      },
    });
    await turn();
    for (const { release } of granted) {
      expect(ended).toBe(false);
      release();
    }
    expect(ended).toBe(true);
    expect(credit.held).toEqual(free);
  });

  it("gives back the credit of what is in flight when its work fails after the last pull", async () => {
    const credit = new Credit({ records: 10, bytes: 1000 });
    const all = [1, 2, 3].map((id) => ({ id, records: 1, bytes: 10 }));
    const stream = fromPull(pullOf(all), credit, cost).pipe(
      mergeMap(async () => {
        await turn();
        throw new Error("late");
      }),
    );
    await expect(lastValueFrom(stream)).rejects.toThrow("late");
    expect(credit.held).toEqual(free);
  });

  it("lets finalize release what an operator drops", async () => {
    const credit = new Credit({ records: 10, bytes: 1000 });
    const never = new Subject<never>();
    const all = [1, 2, 3].map((id) => ({ id, records: 1, bytes: 10 }));
    const subscription = fromPull(pullOf(all), credit, cost)
      .pipe(mergeMap(({ release }) => never.pipe(finalize(release))))
      .subscribe();
    await turn();
    expect(credit.held).toEqual({ records: 3, bytes: 30 });
    subscription.unsubscribe();
    expect(credit.held).toEqual(free);
  });

  it("reads an async iterable, and ends it when the stream is given up", async () => {
    const credit = new Credit({ records: 10, bytes: 1000 });
    let ended = false;
    async function* source() {
      try {
        for (let id = 0; ; id++) yield { id, records: 1, bytes: 10 };
      } finally {
        ended = true;
      }
    }
    const granted = await lastValueFrom(fromPull(source(), credit, cost).pipe(take(3), toArray()));
    expect(granted.map(({ value }) => value.id)).toEqual([0, 1, 2]);
    expect(credit.held).toEqual(free);
    await turn();
    expect(ended).toBe(true);
  });
});
