import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { noFaults, type TestRecord, World } from "./testing/world.ts";

interface Options {
  readonly mode: "full" | "incremental";
  readonly destinations: number;
}

function specOf({ mode, destinations }: Options): Record<string, Json> {
  return {
    source: { connector: "s", stream: "s", mode, ...(mode === "incremental" && { cursor_field: "n" }) },
    trigger: { type: "manual" },
    pipeline_spec: {
      steps: [
        { id: "slow", type: "filter", where: "$.n > 0", rate_limit: 100 },
        {
          id: "sums",
          type: "aggregate",
          key: ["keep"],
          window: { count: 4, duration: "100ms" },
          measures: { all: { collect: "n" } },
        },
      ],
    },
    destinations: ["a", "b"].slice(0, destinations).map((id) => ({ connector: "d", id, stream: id })),
    delivery: { batch: { records: 6, linger: "5ms" }, retry: { max_attempts: 1000, initial: "1ms", max: "5ms" } },
  };
}

test("after a run that was given up with open windows, each record is in one window of those that came to their end", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        sizes: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
        mode: fc.constantFrom<Options["mode"]>("full", "incremental"),
        destinations: fc.integer({ min: 1, max: 2 }),
        ms: fc.integer({ min: 5, max: 1500 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        loseAck: fc.constantFrom(0, 0.1),
        commit: fc.constantFrom(0, 0.2),
      }),
      async ({ sizes, mode, destinations, ms, seed, ...faults }) => {
        const world = new World(specOf({ mode, destinations }), seed);
        let n = 0;
        const next = (): TestRecord => ({ n: ++n, keep: n % 3 !== 0, bad: false });
        world.batches = sizes.map((size) => Array.from({ length: size }, next));
        world.faults = { ...noFaults, ...faults };
        const windows = new Map<string, Map<string, readonly number[]>>();
        world.beforeWrite = (stream, records) => {
          const landed = windows.get(stream) ?? new Map<string, readonly number[]>();
          windows.set(stream, landed);
          for (const { id, value } of records) landed.set(id, (value as unknown as { all: number[] }).all);
        };
        const first = world.open();
        const node = world.begin();
        await node.advance(ms, () => !world.running);
        node.tell({ type: "cancel", runId: first });
        await node.advance(60_000, () => !world.running);
        const cancelled = world.run(first).status === "cancelled";
        if (mode === "full" && cancelled) windows.clear();
        const second = world.open();
        node.tell({ type: "wake" });
        await node.advance(300_000, () => !world.running);
        node.kill();

        expect(world.run(second)).toMatchObject({ status: "success", counts: { failed: 0 } });
        expect(world.tables.groups.size).toBe(0);
        const all = world.batches.flat().map((record) => record.n);
        if (mode === "full" && !cancelled) return;
        for (const id of ["a", "b"].slice(0, destinations)) {
          const landed = [...(windows.get(id)?.values() ?? [])].flat().sort((x, y) => x - y);
          expect(landed).toEqual(all);
        }
      },
    ),
    { numRuns: 60 },
  );
});
