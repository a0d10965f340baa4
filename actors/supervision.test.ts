import { expect, test } from "vitest";
import type { Json } from "../connectors/sdk/index.ts";
import { type Incarnation, type TestRecord, World } from "./testing/world.ts";

const spec = (delivery: Record<string, Json> = {}, validate = false) => ({
  source: { connector: "s", stream: "s", mode: "full" },
  destination: { connector: "a", stream: "a", mode: "append" },
  trigger: { type: "manual" },
  pipeline_spec: {
    steps: validate
      ? [{ id: "check", type: "validate", schema: {} }]
      : [{ id: "keep", type: "filter", where: "$.keep == true" }],
  },
  delivery: { batch: { linger: "5ms" }, retry: { max_attempts: 4, initial: "1s", max: "10s" }, ...delivery },
});

const records = Array.from({ length: 20 }, (_, n): TestRecord => ({ n, keep: true, bad: false }));
const batches = [0, 5, 10, 15].map((from) => records.slice(from, from + 5));

function worldOf(given: Record<string, Json> = spec()): World {
  const world = new World(given);
  world.batches = batches;
  return world;
}

async function ended(world: World, node: Incarnation): Promise<void> {
  await node.advance(3_600_000, () => !world.running);
  node.kill();
}

const landed = (world: World) => [...(world.landed.get("a")?.keys() ?? [])].sort((a, b) => a - b);

test("a source that hangs is read anew from its cursor, whether it heeds its signal or not", async () => {
  const world = worldOf();
  let hangs = 1;
  world.beforeRead = (at) => (at === 2 && hangs-- > 0 ? new Promise<void>(() => {}) : undefined);
  const run = world.open();
  const node = world.begin();
  await node.advance(50_000);
  expect(world.run(run).status).toBe("running");
  await ended(world, node);
  expect(world.run(run)).toMatchObject({ status: "success", counts: { in: 20, out: 20 } });
  expect(landed(world)).toEqual(records.map(({ n }) => n));
});

test("a source that hangs again and again fails the run with TIMEOUT, after as many tries as are configured", async () => {
  const world = worldOf(spec({ timeout: { total: "2s" } }));
  let reads = 0;
  world.beforeRead = (at) => {
    if (at < 2) return;
    reads++;
    return new Promise<void>(() => {});
  };
  const run = world.open();
  const node = world.begin();
  await ended(world, node);
  expect(world.run(run)).toMatchObject({
    status: "failed",
    error: { code: "TIMEOUT", message: "the source gave nothing for 2 s (delivery.timeout.total)" },
    // What it gave before was delivered.
    counts: { in: 10, out: 10 },
  });
  expect(reads).toBe(4);
});
