import { expect, test } from "vitest";
import { type TestRecord, World } from "./testing/world.ts";

const record = (n: number, bad = false): TestRecord => ({ n, keep: !bad, bad });

test("behind a record that stops the run, nothing goes into windows: they would close with others in the next", async () => {
  const world = new World({
    source: { connector: "s", stream: "s", mode: "incremental", cursor_field: "n" },
    trigger: { type: "manual" },
    pipeline_spec: {
      steps: [
        {
          id: "check",
          type: "validate",
          on_error: "stop",
          rate_limit: 10,
          schema: { properties: { keep: { const: true } } },
        },
        { id: "pairs", type: "aggregate", key: ["bad"], window: { count: 2 }, measures: { all: { collect: "n" } } },
      ],
    },
    destination: { connector: "d", stream: "a" },
    delivery: { batch: { records: 1 } },
  });
  world.validator = {
    compile: () => (value) => ((value as unknown as TestRecord).keep ? [] : [{ path: "keep", message: "is false" }]),
  };
  const windows: unknown[] = [];
  world.beforeWrite = (_stream, records) => {
    windows.push(...records.map(({ value }) => (value as { all: unknown }).all));
  };
  world.batches = [[record(1), record(2), record(3)], [record(4, true)], [record(5), record(6)]];
  const run = world.open();
  const node = world.begin();
  await node.advance(60_000, () => !world.running);
  node.kill();
  expect(world.run(run)).toMatchObject({ status: "failed", error: { code: "VALIDATION_ERROR" } });
  expect(windows).toEqual([[1, 2]]);
});

test("while the steps are behind, one message says that time has passed, not one for each window", async () => {
  const world = new World({
    source: { connector: "s", stream: "s" },
    trigger: { type: "manual" },
    pipeline_spec: {
      steps: [
        { id: "slow", type: "filter", where: "$.keep == true", rate_limit: 10 },
        {
          id: "each",
          type: "aggregate",
          key: ["n"],
          window: { duration: "20ms" },
          measures: { total: { sum: "n" } },
        },
      ],
    },
    destination: { connector: "d", stream: "a" },
    delivery: { batch: { records: 1 } },
  });
  world.batches = Array.from({ length: 40 }, (_, n) => [record(n)]);
  const run = world.open();
  const node = world.begin();
  await node.advance(60_000, () => !world.running);
  node.kill();
  expect(world.run(run)).toMatchObject({ status: "success", counts: { in: 40, out: 40 } });
  const ticks = world.streams.ingest.entries.filter(({ batch }) => batch.header.kind === "tick");
  expect(ticks.length).toBeGreaterThan(0);
  expect(ticks.length).toBeLessThan(5);
});

test("what a record becomes does not wait for a linger that only more of it would end", async () => {
  const world = new World({
    source: { connector: "s", stream: "s" },
    trigger: { type: "manual" },
    pipeline_spec: { steps: [{ id: "each", type: "split", path: "items" }] },
    destination: { connector: "d", stream: "a" },
    delivery: { batch: { records: 50_000, bytes: 50_000_000, linger: "10s" } },
  });
  const items = Array.from({ length: 20_000 }, (_, n) => record(n));
  world.batches = [[{ items } as unknown as TestRecord]];
  const run = world.open();
  const node = world.begin();
  await node.advance(5_000, () => !world.running);
  node.kill();
  expect(world.run(run)).toMatchObject({ status: "success", counts: { in: 1, out: 20_000 } });
});

test("a commit holds a destination's state after the records that it settles, and after no others", async () => {
  const world = new World({
    source: { connector: "s", stream: "s", mode: "incremental", cursor_field: "n" },
    trigger: { type: "manual" },
    destination: { connector: "d", stream: "a", mode: "append" },
    mapping_spec: [{ source: "$", destination: "*" }],
    delivery: { ordering: "strict", batch: { records: 10, linger: "50ms" } },
  });
  world.concurrency = 1;
  // Each batch has a field that is new: its schema is kept before it is settled.
  world.batches = Array.from({ length: 60 }, (_, n) => [{ ...record(n), [`field${n}`]: n }]);
  const commits: unknown[][] = [];
  world.committing = (settlements) => {
    for (const { run, checkpoints } of settlements) {
      for (const { state } of checkpoints) commits.push([state ?? 0, run?.counts.out]);
    }
  };
  const run = world.open();
  const node = world.begin();
  await node.advance(60_000, () => !world.running);
  node.kill();
  expect(world.run(run)).toMatchObject({ status: "success", counts: { in: 60, out: 60 } });
  expect(commits.length).toBeGreaterThan(3);
  for (const [state, settled] of commits) expect(state).toBe(settled);
});
