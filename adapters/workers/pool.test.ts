import { afterEach, expect, test, vi } from "vitest";
import type { StepsResult, StepsTask, WorkerPool } from "../../runtime/ports/workers.ts";
import { createWorkerPool } from "./index.ts";

vi.setConfig({ testTimeout: 60_000 });

const program = new URL("../../cli/steps-worker.ts", import.meta.url);
const steps = JSON.stringify({
  steps: [
    {
      id: "map",
      type: "map",
      needs: ["source"],
      onError: "dead_letter",
      rateLimit: null,
      concurrency: 1,
      mapping: [{ source: "$.n", destination: "m" }],
    },
  ],
  destinations: [{ id: "out", needs: ["map"] }],
});

const pools: WorkerPool[] = [];
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

function poolOf(threads: number, from = program): { readonly pool: WorkerPool; readonly deaths: string[] } {
  const deaths: string[] = [];
  const pool = createWorkerPool({ program: from, threads, onDeath: ({ message }) => void deaths.push(message) });
  pools.push(pool);
  return { pool, deaths };
}

/** A program of one line, which sees the port as `port`. */
const scripted = (text: string) =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`import { parentPort as port } from "node:worker_threads"; ${text}`)}`,
  );

const task = (n: number): StepsTask => ({ body: Buffer.from(`{"n":${n}}`), count: 1, origins: [0] });
const textOf = (result: StepsResult | undefined) =>
  result?.events.map((event) => (event.type === "delivered" ? event.text : event.type));

test("a batch goes through its own integration's steps", async () => {
  const { pool } = poolOf(1);
  const one = pool.open(steps);
  const other = pool.open(steps.replace('"m"', '"other"'));
  expect(textOf(await one.run(task(1)))).toEqual(['{"m":1}']);
  expect(textOf(await other.run(task(2)))).toEqual(['{"other":2}']);
  other.close();
  expect(textOf(await one.run(task(3)))).toEqual(['{"m":3}']);
  const again = pool.open(steps);
  one.close();
  expect(textOf(await again.run(task(4)))).toEqual(['{"m":4}']);
});

test("a batch's bytes are still there afterwards, and those beside them", async () => {
  const { pool } = poolOf(1);
  const memory = Buffer.from('before{"n":1}after');
  const body = memory.subarray(6, 13);
  expect(textOf(await pool.open(steps).run({ ...task(1), body }))).toEqual(['{"m":1}']);
  expect(memory.toString()).toBe('before{"n":1}after');
});

test("what the threads have no room for comes back, oldest first; with no threads everything does", async () => {
  // Never answers.
  const { pool } = poolOf(1, scripted("port.on('message', () => {})"));
  const all = pool.open(steps);
  const back: number[] = [];
  const last = Promise.withResolvers<void>();
  for (let n = 0; n < 5; n++) {
    void all.run(task(n)).then((result) => {
      expect(result).toBeUndefined();
      back.push(n);
      if (n === 4) last.resolve();
    });
  }
  await last.promise;
  expect(back).toEqual([2, 3, 4]);
  await pool.close();
  expect(back).toEqual([2, 3, 4, 0, 1]);
  expect(await all.run(task(5))).toBeUndefined();
  expect(await poolOf(0).pool.open(steps).run(task(1))).toBeUndefined();
});

test("what waits for a thread comes back when its steps are closed, and nothing else does", async () => {
  const { pool } = poolOf(1, scripted("port.on('message', () => {})"));
  const one = pool.open(steps);
  const other = pool.open(steps);
  const back: string[] = [];
  const run = (name: string, { run }: typeof one) => run(task(1)).then(() => void back.push(name));
  const all = [run("in hand", one), run("in hand", other), run("other", other), run("one", one)];
  one.close();
  await all[3];
  expect(back).toEqual(["one"]);
  await all[2];
  expect(back).toEqual(["one", "other"]);
});

test.each<[string, URL, RegExp]>([
  ["does not start", scripted("throw new Error('broken')"), /broken/],
  [
    "ends with its second task",
    scripted("let n = 0; port.on('message', ({ type }) => type === 'run' && ++n === 2 && process.exit(3))"),
    /code 3/,
  ],
  [
    "runs out of memory",
    scripted("port.on('message', () => { const all = []; for (;;) all.push(new Array(100_000).fill(1.5)); })"),
    /memory/,
  ],
])("a thread that %s gives its batches back, and is said to have died once", async (_how, from, why) => {
  const { pool, deaths } = poolOf(1, from);
  const all = pool.open(steps);
  expect(await Promise.all([all.run(task(1)), all.run(task(2))])).toEqual([undefined, undefined]);
  expect(deaths).toEqual([expect.stringMatching(why)]);
  // Not started again at once.
  expect(await all.run(task(3))).toBeUndefined();
  expect(deaths.length).toBe(1);
});

test("a batch that cannot be taken through the steps comes back, and the thread goes on", async () => {
  const { pool, deaths } = poolOf(1);
  const all = pool.open(steps);
  expect(await all.run({ ...task(1), count: 2 })).toBeUndefined();
  expect(textOf(await all.run(task(2)))).toEqual(['{"m":2}']);
  expect(deaths).toEqual([]);
});
