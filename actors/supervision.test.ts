import { expect, test } from "vitest";
import { ConnectorError, type Json } from "../connectors/sdk/index.ts";
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

test("a source whose first batch takes long does not hang, nor when it has to be read again", async () => {
  const world = worldOf(spec({ timeout: { total: "2s" } }));
  const asked: (() => void)[] = [];
  let broken = false;
  world.beforeRead = (at) => {
    // Of each reading the first: the second begins where the first broke off.
    if (at === 2 && !broken) {
      broken = true;
      throw new ConnectorError("UNAVAILABLE", "away", { fault: "transient" });
    }
    return at === 0 || at === 2 ? new Promise<void>((resolve) => asked.push(resolve)) : undefined;
  };
  const run = world.open();
  const node = world.begin();
  for (const reading of [1, 2]) {
    await node.advance(30_000);
    expect(asked).toHaveLength(reading);
    asked.at(-1)?.();
  }
  await ended(world, node);
  expect(world.run(run)).toMatchObject({ status: "success", counts: { in: 20, out: 20 } });
});

test("a source that hangs before its first batch is read anew after ten minutes", async () => {
  const world = worldOf(spec({ timeout: { total: "2s" } }));
  let hangs = 1;
  world.beforeRead = () => (hangs-- > 0 ? new Promise<void>(() => {}) : undefined);
  const run = world.open();
  const node = world.begin();
  await node.advance(590_000, () => !world.running);
  expect(world.run(run).status).toBe("running");
  await ended(world, node);
  expect(world.run(run)).toMatchObject({ status: "success", counts: { in: 20, out: 20 } });
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

test("a plugin whose source hangs is named by the run", async () => {
  const world = worldOf(spec({ timeout: { total: "2s" } }));
  world.plugin = "crm";
  world.beforeRead = () => new Promise<void>(() => {});
  const run = world.open();
  const node = world.begin();
  await node.advance(3_000_000, () => world.run(run).waiting !== null);
  const message = /^source: the source in plugin crm gave nothing for \d+ s \(delivery\.timeout\.total\)$/;
  expect(world.run(run)).toMatchObject({ status: "running", waiting: expect.stringMatching(message) });
  node.kill();
});

const poisonous = spec({}, true);
const poison = (n: number) => (value: unknown) => {
  if ((value as TestRecord).n === n) throw new RangeError("Maximum call stack size exceeded");
  return [];
};

test("a record that crashes a step becomes a dead letter of that step, and nothing is started again for it", async () => {
  const world = worldOf(poisonous);
  world.validator = { compile: () => poison(7) };
  const run = world.open();
  const node = world.begin();
  await ended(world, node);
  expect(world.run(run)).toMatchObject({ status: "partial", counts: { in: 20, out: 19, failed: 1 } });
  expect(world.imbalance).toBeNull();
  expect([...world.tables.deadLetters.values()]).toMatchObject([
    { step: "check", code: "INTERNAL_ERROR", message: "the step crashed: Maximum call stack size exceeded" },
  ]);
});

/** Ends the node where a step meets the record `n`. */
function killedBy(world: World, n: number, begun: { node: Incarnation | undefined; deaths: number }) {
  world.validator = {
    compile: () => (value) => {
      if ((value as unknown as TestRecord).n === n && begun.node) {
        begun.deaths++;
        begun.node.kill();
        begun.node = undefined;
        // The process is gone: nothing after it happens.
        throw new Error("never heard of");
      }
      return [];
    },
  };
}

test("a record that ends the process each time becomes a dead letter after five deaths, and the others are delivered", async () => {
  const world = worldOf(poisonous);
  const begun: { node: Incarnation | undefined; deaths: number } = { node: undefined, deaths: 0 };
  killedBy(world, 7, begun);
  const run = world.open();
  for (let lives = 0; lives < 10 && world.running; lives++) {
    const node = world.begin();
    begun.node = node;
    await node.advance(120_000, () => !world.running || begun.node === undefined);
    if (!world.running) node.kill();
  }
  expect(begun.deaths).toBe(5);
  expect(world.run(run)).toMatchObject({ status: "partial", counts: { in: 20, out: 19, failed: 1 } });
  expect(world.imbalance).toBeNull();
  expect(landed(world)).toEqual(records.map(({ n }) => n).filter((n) => n !== 7));
  const message = "the process died each time that this record went through the steps";
  expect([...world.tables.deadLetters.values()]).toMatchObject([{ step: null, code: "INTERNAL_ERROR", message }]);
  expect(world.tables.suspects.size).toBe(0);
});

test("of all that may be why a process died, one record at a time is noted to be in hand", async () => {
  const world = worldOf(poisonous);
  world.batches = [0, 1, 2, 3].map((at) => world.batches.flat().slice(at * 5, at * 5 + 5));
  const begun: { node: Incarnation | undefined; deaths: number } = { node: undefined, deaths: 0 };
  killedBy(world, 7, begun);
  let most = 0;
  world.beforeNote = () => {
    const ofRecords = [...world.tables.suspects.keys()].filter((mark) => /^[0-9a-f]{32}$/.test(mark));
    most = Math.max(most, ofRecords.length);
  };
  const run = world.open();
  for (let lives = 0; lives < 10 && world.running; lives++) {
    const node = world.begin();
    begun.node = node;
    await node.advance(120_000, () => !world.running || begun.node === undefined);
    if (!world.running) node.kill();
  }
  expect(world.run(run)).toMatchObject({ status: "partial", counts: { in: 20, out: 19, failed: 1 } });
  // What the process died of the time before stays noted.
  expect(most).toBeLessThanOrEqual(2);
});

test("deaths that have nothing to do with the records make no dead letters, however many, while a destination is stuck", async () => {
  const world = worldOf();
  world.beforeWrite = () => new Promise(() => {});
  const run = world.open();
  for (let lives = 0; lives < 8; lives++) {
    const node = world.begin();
    await node.advance(3_000);
    node.kill();
  }
  world.beforeWrite = () => {};
  await ended(world, world.begin());
  expect(world.run(run)).toMatchObject({ status: "success", counts: { in: 20, out: 20, failed: 0 } });
  expect(world.tables.suspects.size).toBe(0);
});

test("a run that the store cannot write fails with the reason, once, and the next one settles what it left", async () => {
  const world = worldOf({ ...spec(), source: { connector: "s", stream: "s", mode: "incremental", cursor_field: "n" } });
  let refused = 0;
  world.refuses = ({ run }) => (run && run.counts.out > 5 && ++refused > 0 ? "no such value (22000)" : undefined);
  const first = world.open();
  const node = world.begin();
  await node.advance(60_000, () => !world.running);
  expect(world.run(first)).toMatchObject({
    status: "failed",
    error: { code: "INTERNAL_ERROR", message: "what the run has to store cannot be written: no such value (22000)" },
  });
  expect(refused).toBeLessThan(4);
  world.refuses = () => undefined;
  const second = world.open();
  node.tell({ type: "wake" });
  await ended(world, node);
  expect(world.run(second)).toMatchObject({ status: "success" });
  expect(landed(world)).toEqual(records.map(({ n }) => n));
});
