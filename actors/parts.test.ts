import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { noFaults, type TestRecord, World } from "./testing/world.ts";

/** Each order becomes items, which leave by twenty at a time, over two branches that meet again. */
const spec: Record<string, Json> = {
  source: { connector: "s", stream: "s" },
  trigger: { type: "manual" },
  pipeline_spec: {
    steps: [
      { id: "each", type: "split", path: "items", rate_limit: 200 },
      { id: "odd", type: "filter", where: "$.odd == true", needs: ["each"] },
      {
        id: "by-size",
        type: "route",
        rate_limit: 500,
        routes: [{ to: "a", where: "$.n >= 0" }],
        otherwise: "b",
        needs: ["each"],
      },
    ],
  },
  destinations: [
    { connector: "d", id: "a", stream: "a", needs: ["by-size"] },
    { connector: "d", id: "b", stream: "b", needs: ["each", "odd", "by-size"] },
  ],
  delivery: {
    batch: { records: 30, linger: "5ms" },
    retry: { max_attempts: 1000, initial: "1ms", max: "5ms" },
  },
};

interface Item {
  readonly n: number;
  readonly odd: boolean;
}

function ordersOf(sizes: readonly (readonly number[])[]): { readonly items: readonly Item[] }[][] {
  let n = 0;
  const items = (size: number) => Array.from({ length: size }, () => ({ n: ++n, odd: n % 2 === 1 }));
  return sizes.map((batch) => batch.map((size) => ({ items: items(size) })));
}

/** What a destination knows of messages that were cut up, once all of them are settled. */
const partsKept = (world: World) =>
  [...world.tables.checkpoints.values()].flatMap(({ progress }) => (progress as { parts?: Json[] }).parts ?? []);

/** A record is, where the kills met the very one twice that was tried alone (docs/decisions/0017-poison-records.md). */
const isBlamed = (world: World) =>
  [...world.tables.deadLetters.values()].some(({ message }) => message.startsWith("the process died"));

const life = fc.record({ ms: fc.integer({ min: 5, max: 1500 }), gently: fc.boolean() });

test("whatever crashes in the middle of a message that is cut up, none of its pieces is lost or counted twice", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        sizes: fc.array(fc.array(fc.integer({ min: 0, max: 90 }), { minLength: 1, maxLength: 3 }), { maxLength: 5 }),
        lives: fc.array(life, { maxLength: 5 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        redeliver: fc.constantFrom(0, 0.05),
        loseAck: fc.constantFrom(0, 0.1, 0.4),
        commit: fc.constantFrom(0, 0.2),
        write: fc.constantFrom(0, 0.2),
        forgets: fc.boolean(),
      }),
      async ({ sizes, lives, seed, forgets, ...faults }) => {
        const world = new World(spec, seed);
        const orders = ordersOf(sizes);
        world.batches = orders as unknown as TestRecord[][];
        world.faults = { ...noFaults, ...faults };
        if (!forgets) world.forget = () => {};
        const run = world.open();
        for (const { ms, gently } of lives) {
          const node = world.begin();
          await node.advance(ms);
          if (gently) expect(await node.stop()).toBeLessThan(10_000);
          else node.kill();
        }
        const node = world.begin();
        await node.advance(300_000, () => !world.running);
        node.kill();

        const items = orders.flat().flatMap((order) => order.items);
        const odd = items.filter((item) => item.odd);
        fc.pre(!isBlamed(world));
        const { status, counts } = world.run(run);
        expect({ status, counts }).toMatchObject({
          status: "success",
          counts: {
            in: orders.flat().length,
            out: items.length * 2 + odd.length,
            filtered: orders.flat().filter((order) => order.items.length === 0).length,
            failed: 0,
          },
        });
        const held = (stream: string) => [...(world.landed.get(stream)?.keys() ?? [])].sort((x, y) => x - y);
        for (const stream of ["a", "b"]) expect(held(stream)).toEqual(items.map(({ n }) => n));
        for (const { n } of odd) expect(world.landed.get("b")?.get(n)).toBeGreaterThanOrEqual(2);
        expect(partsKept(world)).toEqual([]);
      },
    ),
    { numRuns: 60 },
  );
});

test("whatever crashes, a destination that undoes what stands behind its last state holds each piece of a message that is cut up once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        sizes: fc.array(fc.array(fc.integer({ min: 0, max: 90 }), { minLength: 1, maxLength: 3 }), { maxLength: 5 }),
        lives: fc.array(life, { maxLength: 5 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        commit: fc.constantFrom(0, 0.2),
        write: fc.constantFrom(0, 0.2),
        skip: fc.constantFrom(0, 0.1),
        redeliver: fc.constantFrom(0, 0.05),
        loseAck: fc.constantFrom(0, 0.1, 0.4),
        // At once, and put off where that may be.
        initial: fc.constantFrom("1ms", "600ms"),
      }),
      async ({ sizes, lives, seed, initial, ...faults }) => {
        const retry = { max_attempts: 1000, initial, max: initial };
        // What comes by the slow branch of a message comes behind what the next ones gave by the fast one.
        const steps = [
          { id: "each", type: "split", path: "items" },
          { id: "all", type: "filter", where: "$.n > 0", needs: ["each"] },
          { id: "odd", type: "filter", where: "$.odd == true", rate_limit: 200, needs: ["each"] },
        ];
        const world = new World(
          {
            ...spec,
            pipeline_spec: { steps },
            destinations: [{ connector: "d", id: "a", stream: "a", mode: "replace", needs: ["each", "all", "odd"] }],
            delivery: { batch: { records: 30, linger: "5ms" }, retry },
          },
          seed,
        );
        const orders = ordersOf(sizes);
        world.batches = orders as unknown as TestRecord[][];
        world.faults = { ...noFaults, ...faults };
        const run = world.open();
        for (const { ms, gently } of lives) {
          const node = world.begin();
          await node.advance(ms);
          if (gently) await node.stop();
          else node.kill();
        }
        const node = world.begin();
        await node.advance(600_000, () => !world.running);
        node.kill();

        const items = orders.flat().flatMap((order) => order.items);
        const wanted = [items, items, items.filter(({ odd }) => odd)].flat().map(({ n }) => n);
        fc.pre(!isBlamed(world));
        expect(world.run(run)).toMatchObject({ status: "success", counts: { out: wanted.length, failed: 0 } });
        const held = (world.files.get("a") ?? []).map((line) => (line as unknown as Item).n);
        expect(held.sort((x, y) => x - y)).toEqual(wanted.sort((x, y) => x - y));
      },
    ),
    { numRuns: 40 },
  );
});
