import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import type { Json, JsonObject } from "../connectors/sdk/index.ts";
import { resolveIntegration } from "../runtime/config/index.ts";
import { type Ledger, noDestinationLedger, noLedger, noStepCounts } from "../runtime/ports/ledger.ts";
import { noLogger } from "../runtime/ports/logger.ts";
import { Account } from "./account.ts";
import { BalanceWatch, differences, sentenceOf } from "./balance.ts";
import type { Progress } from "./ledger.ts";
import { noFaults, type TestRecord, World } from "./testing/world.ts";

afterEach(() => vi.restoreAllMocks());

const delivery = {
  batch: { records: 6, linger: "5ms" },
  retry: { max_attempts: 1000, initial: "1ms", max: "5ms" },
};
/** What fails for a passing reason waits outside the log. */
const later = { ...delivery, retry: { ...delivery.retry, initial: "600ms", max: "600ms" } };

const filter = { id: "keep", type: "filter", needs: ["source"], where: "$.keep == true" };
const split = { id: "each", type: "split", needs: ["keep"], path: "items", as: "item", keep_parent: true };
const sums = { id: "sums", type: "aggregate", needs: ["keep"], key: ["bad"], window: { count: 4 } };
const routes = [
  { to: "left", where: "$.keep == true" },
  { to: "right", where: "$.n > 20" },
];
const steps = {
  filter: [filter],
  split: [filter, split],
  drop: [
    { ...filter, where: "$.n > 3" },
    { ...split, on_error: "drop" },
    { id: "valid", type: "validate", needs: ["each"], schema: {} },
  ],
  windows: [filter, { ...sums, measures: { total: { sum: "m" } } }],
  route: [
    { id: "way", type: "route", needs: ["source"], routes },
    { id: "left", type: "validate", needs: ["way"], schema: {} },
    { ...split, id: "right", needs: ["way"] },
    { id: "both", type: "map", needs: ["left", "right"], mapping: [{ source: "$", destination: "*" }] },
  ],
} satisfies Record<string, JsonObject[]>;

function specOf(kind: keyof typeof steps, destinations: number, putsOff: boolean): Record<string, Json> {
  const last = steps[kind].at(-1)?.id as string;
  // What comes over two branches is there twice.
  const needs = [[last], kind === "route" ? ["left", "right"] : [last, "source"], [last]];
  return {
    source: { connector: "s", stream: "s" },
    trigger: { type: "manual" },
    pipeline_spec: { steps: steps[kind] },
    destinations: ["a", "b", "c"]
      .slice(0, destinations)
      .map((id, i) => ({ connector: "d", id, stream: id, needs: needs[i] as string[] })),
    delivery: putsOff ? later : delivery,
  };
}

const recordOf = (n: number): TestRecord & { items: Json; m: Json } => ({
  n,
  keep: n % 5 !== 0,
  bad: n % 11 === 3,
  items: n % 7 === 0 ? "none" : Array.from({ length: n % 4 }, (_, i) => i),
  m: n % 13 === 0 ? "no number" : n,
});

const life = fc.record({ ms: fc.integer({ min: 5, max: 400 }), gently: fc.boolean() });

test("each step's and each destination's ledger balances at each checkpoint, whatever crashes or fails", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        kind: fc.constantFrom(...(Object.keys(steps) as (keyof typeof steps)[])),
        sizes: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 30 }),
        destinations: fc.integer({ min: 1, max: 3 }),
        putsOff: fc.boolean(),
        lives: fc.array(life, { maxLength: 4 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        redeliver: fc.constantFrom(0, 0.05),
        loseAck: fc.constantFrom(0, 0.2),
        commit: fc.constantFrom(0, 0.2),
        write: fc.constantFrom(0, 0.2),
        skip: fc.constantFrom(0, 0.2),
        read: fc.constantFrom(0, 0.05),
      }),
      async ({ kind, sizes, destinations, putsOff, lives, seed, ...faults }) => {
        const spec = specOf(kind, destinations, putsOff);
        const plan = { ...resolveIntegration(spec as JsonObject), replay: false, logged: destinations > 1 };
        const world = new World(spec, seed);
        let n = 0;
        world.batches = sizes.map((size) => Array.from({ length: size }, () => recordOf(++n)));
        world.faults = { ...noFaults, ...faults };
        world.validator = {
          compile: () => (value) => ((value as { n: number }).n % 4 === 2 ? [{ path: "n", message: "no" }] : []),
        };
        let checkpoints = 0;
        world.committing = (settlements) => {
          for (const { run } of settlements) {
            if (!run?.counts.ledger) continue;
            checkpoints++;
            expect(differences(run.counts.ledger, plan)).toEqual([]);
          }
        };
        const id = world.open();
        for (const { ms, gently } of lives) {
          const node = world.begin();
          await node.advance(ms);
          if (gently) await node.stop();
          else node.kill();
        }
        const node = world.begin();
        await node.advance(300_000, () => !world.running);
        node.kill();

        const { status, counts } = world.run(id);
        expect(["success", "partial"]).toContain(status);
        expect(checkpoints).toBeGreaterThan(0);
        const ledger = counts.ledger as Ledger;
        expect(differences(ledger, plan)).toEqual([]);
        expect(ledger.steps.source?.in).toBe(n);
        const letters = [...world.tables.deadLetters.values()];
        for (const step of plan.steps) {
          expect(ledger.steps[step.id]?.failed ?? 0).toBe(letters.filter(({ step: of }) => of === step.id).length);
        }
        for (const [destination, { confirmed, failed, pending, deferred }] of Object.entries(ledger.destinations)) {
          expect({ pending, deferred }).toEqual({ pending: 0, deferred: 0 });
          expect({ out: confirmed, failed }).toEqual(counts.byDestination[destination]);
        }
        expect(world.imbalance).toBeNull();
      },
    ),
    { numRuns: 80 },
  );
}, 180_000);

test.each([1, 2])(
  "a miscount is told at the next checkpoint, with its range in the log: %i destinations",
  async (destinations) => {
    const world = new World(specOf("filter", destinations, false));
    world.batches = Array.from({ length: 200 }, (_, i) => [recordOf(i + 1)]);
    const lines: object[] = [];
    world.logger = { ...noLogger, error: (fields, message) => lines.push({ ...fields, message }) };
    const send = Account.prototype.send;
    let sent = 0;
    vi.spyOn(Account.prototype, "send").mockImplementation(function (this: Account, destination, origins) {
      // One record is forgotten, in the midst.
      send.call(this, destination, destination === "a" && ++sent === 80 ? [] : origins);
    });
    const id = world.open();
    const node = world.begin();
    await node.advance(60_000, () => world.imbalance !== null);
    // While the run goes on.
    expect(world.running).toBe(true);
    expect(world.vitals.imbalances).toContainEqual(expect.objectContaining({ at: { destination: "a" } }));
    expect(world.imbalance).toMatch(/^the ledger does not balance: .* messages \d+ to \d+ of the log$/);
    await node.advance(60_000, () => !world.running);
    node.kill();
    const told = lines.filter((line) => "between" in line) as { between: string; sequences: [number, number] }[];
    const edge = told.filter(({ between }) => between === "keep and destination a");
    expect(edge).toHaveLength(1);
    const [first, last] = edge[0]?.sequences ?? [0, 0];
    // Each record is a message, and every fifth is left out.
    expect([first > 1 && first <= 104, last >= 99 && last < 200]).toEqual([true, true]);
    expect(world.run(id).counts.ledger?.destinations.a?.published).toBe(159);
  },
);

test("what a run that was given up leaves in the logs balances in the run that settles it", async () => {
  let inherited = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        kind: fc.constantFrom(...(Object.keys(steps) as (keyof typeof steps)[])),
        sizes: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 10, maxLength: 30 }),
        mode: fc.constantFrom("full", "incremental"),
        destinations: fc.integer({ min: 1, max: 3 }),
        putsOff: fc.boolean(),
        ms: fc.integer({ min: 50, max: 900 }),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
        skip: fc.constantFrom(0, 0.2),
      }),
      async ({ kind, sizes, mode, destinations, putsOff, ms, seed, skip }) => {
        const spec = specOf(kind, destinations, putsOff);
        const source = { connector: "s", stream: "s", mode, ...(mode === "incremental" && { cursor_field: "n" }) };
        const world = new World({ ...spec, source }, seed);
        const plan = { ...resolveIntegration(spec as JsonObject), replay: false, logged: destinations > 1 };
        let n = 0;
        world.batches = sizes.map((size) => Array.from({ length: size }, () => recordOf(++n)));
        world.faults = { ...noFaults, skip };
        world.committing = (settlements) => {
          for (const { run } of settlements) {
            if (run?.counts.ledger) expect(differences(run.counts.ledger, plan)).toEqual([]);
          }
        };
        const first = world.open();
        const node = world.begin();
        await node.advance(ms, () => !world.running);
        node.tell({ type: "cancel", runId: first });
        await node.advance(60_000, () => !world.running);
        const second = world.open();
        node.tell({ type: "wake" });
        await node.advance(300_000, () => !world.running);
        node.kill();
        const { ledger } = world.run(second).counts;
        expect(["success", "partial"]).toContain(world.run(second).status);
        for (const { pending, deferred, ...counts } of Object.values(ledger?.destinations ?? {})) {
          expect({ pending, deferred }).toEqual({ pending: 0, deferred: 0 });
          inherited += counts.inherited;
        }
        expect(world.imbalance).toBeNull();
      },
    ),
    { numRuns: 40 },
  );
  expect(inherited).toBeGreaterThan(0);
}, 180_000);

const plan = { ...resolveIntegration(specOf("filter", 2, false) as JsonObject), replay: false, logged: true };

test("what is lost between a step and what follows it is told apart from what a step loses", () => {
  const ledger = noLedger();
  ledger.steps.source = { ...noStepCounts(), in: 10, out: 10 };
  ledger.steps.keep = { ...noStepCounts(), in: 9, out: 7, filtered: 1 };
  ledger.destinations.a = { ...noDestinationLedger(), published: 7, confirmed: 5, pending: 2 };
  ledger.destinations.b = { ...noDestinationLedger(), published: 17, inherited: 3, confirmed: 19, failed: 2 };
  expect(differences(ledger, plan)).toEqual([
    {
      at: { step: "keep" },
      between: "step keep and what became of its records",
      expected: 9,
      counted: 8,
      consumer: "steps",
    },
    {
      at: { destination: "b" },
      between: "destination b and what became of its records",
      expected: 20,
      counted: 21,
      consumer: "sink-b",
    },
    { at: { step: "keep" }, between: "source and step keep", expected: 10, counted: 9, consumer: "steps" },
  ]);
});

const progress = (records: number, more: Partial<Progress> = {}): Progress => ({
  runId: "r",
  batches: 1,
  records,
  accounted: records,
  sent: {},
  sequences: [3, 9],
  done: true,
  ...more,
});

test("a difference is told once, and again when it grows; at the end what was read and handed on counts too", () => {
  const consumers: Record<string, Progress> = {
    steps: progress(99, { accounted: 98, sent: { a: 90, b: 40 } }),
    "sink-a": progress(91, { sequences: [4, 12] }),
    "sink-b": progress(40),
  };
  const ledger = noLedger();
  const settled: Record<string, readonly [number, number] | null> = { steps: [5, 6], "sink-a": null, "sink-b": null };
  const watch = new BalanceWatch(
    {
      counts: { in: 0, out: 0, filtered: 0, failed: 0, byDestination: {}, ledger },
      consumer: (name) => ({ progress: consumers[name] ?? progress(0) }),
      sinceChecked: (name) => settled[name] ?? null,
    },
    { ...plan, replay: true },
  );
  expect(watch.look()).toEqual([]);
  ledger.steps.source = { ...noStepCounts(), in: 2 };
  const between = "source and what became of its records";
  const told = {
    at: { step: "source" },
    between,
    expected: 2,
    counted: 0,
    consumer: "steps",
    sequences: [5, 6],
  } as const;
  expect(watch.look()).toEqual([told]);
  expect(watch.look()).toEqual([]);
  ledger.steps.source = { ...noStepCounts(), in: 3 };
  settled.steps = [7, 7];
  expect(watch.look()).toEqual([{ ...told, expected: 3, sequences: [7, 7] }]);
  expect(sentenceOf(told)).toBe(
    `the ledger does not balance: ${between}: 2 expected, 0 counted, in messages 5 to 6 of the log`,
  );
  expect(watch.lookAtEnd(100, plan.destinations).map(({ between, sequences }) => [between, sequences])).toEqual([
    ["source and steps", [3, 9]],
    ["steps and what became of their records", [3, 9]],
    ["steps and destination a", [4, 12]],
  ]);
  expect(watch.imbalances).toHaveLength(4);
  expect(ledger.imbalances).toEqual(watch.imbalances);
});
