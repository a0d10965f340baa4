import { setImmediate as turn } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { createSandbox } from "../../adapters/isolate/index.ts";
import { createValidator } from "../../adapters/json-schema/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../config/index.ts";
import { type Clock, realClock } from "../ports/clock.ts";
import type { Sandbox } from "../ports/sandbox.ts";
import { VirtualClock } from "../ports/virtual-clock.ts";
import { type Flow, Pipeline, type PipelineContext, type StepFailure, StepTally, StopError } from "./index.ts";

type Spec = { readonly steps: readonly JsonObject[]; readonly destinations?: readonly JsonObject[] };

const sandbox = createSandbox();
afterAll(() => sandbox.close());

interface PipelineResult {
  readonly outputs: ReadonlyMap<string, Pick<Flow, "origins" | "values"> & { readonly children: readonly string[] }>;
  readonly failures: readonly StepFailure[];
  readonly dropped: number;
}

/** Runs records through steps as a configuration has them. What each step counted must balance (invariant 8). */
async function run(
  { steps, destinations = [{ id: "out" }] }: Spec,
  records: readonly JsonObject[],
  context: Partial<PipelineContext> = {},
  clock: Clock = realClock,
): Promise<PipelineResult> {
  const integration = resolveIntegration({
    source: { connector: "c", stream: "s" },
    destinations: destinations.map((each) => ({ connector: "c", stream: "d", ...each })),
    pipeline_spec: { steps: [...steps] },
  } as JsonObject);
  const pipeline = new Pipeline(integration, {
    validator: createValidator(),
    sandbox,
    clock,
    lookUps: new Map(),
  });
  const outputs = new Map<string, { origins: number[]; values: JsonObject[]; children: string[] }>();
  const failures: StepFailure[] = [];
  let dropped = 0;
  const counts = context.counts ?? new StepTally();
  await pipeline.process(
    { origins: records.map((_, i) => i), values: records },
    {
      scope: "test",
      now: 0,
      recordId: (origin, child) => `${origin}/${child}`,
      meta: (origin, child) => ({ record_id: `${origin}/${child}` }),
      signal: new AbortController().signal,
      counts,
      absorbed: () => {},
      deliver: (destination, { origins, values, children }) => {
        const output = outputs.get(destination) ?? { origins: [], values: [], children: [] };
        output.origins.push(...origins);
        output.values.push(...values);
        output.children.push(...(children ?? origins.map(() => "")));
        outputs.set(destination, output);
      },
      failed: (failure, drop) => {
        if (drop) dropped++;
        else failures.push(failure);
        counts.of(failure.step)[drop ? "dropped" : "failed"]++;
      },
      ...context,
    },
  );
  if (!context.failed) {
    for (const [step, { in: taken, expanded, out, filtered, absorbed, dropped, failed }] of counts.steps) {
      const became = out + filtered + absorbed + dropped + failed;
      expect({ step, records: became }).toEqual({ step, records: taken + expanded });
    }
  }
  return { outputs, failures, dropped };
}

test("what steps with scripts leave out, make more of and refuse is counted by step", async () => {
  const counts = new StepTally();
  const steps: JsonObject[] = [
    { id: "js", type: "filter", where: { js: "record.n > 1" } },
    {
      id: "many",
      type: "transform",
      script: "(r) => r.n === 2 ? null : r.n === 3 ? [] : r.n === 4 ? [r, r, r] : r.n === 5 ? x : r",
    },
    { id: "way", type: "route", routes: [{ to: "out", where: { js: "record.n === 4" } }] },
  ];
  await run(
    { steps },
    [1, 2, 3, 4, 5, 6].map((n) => ({ n })),
    { counts },
  );
  const none = { in: 0, expanded: 0, out: 0, filtered: 0, absorbed: 0, dropped: 0, failed: 0 };
  expect(Object.fromEntries(counts.steps)).toEqual({
    js: { ...none, in: 6, out: 5, filtered: 1 },
    many: { ...none, in: 5, expanded: 2, out: 4, filtered: 2, failed: 1 },
    way: { ...none, in: 4, out: 3, filtered: 1, to: { out: 3 } },
  });
});

const out = (result: PipelineResult, id = "out") => result.outputs.get(id)?.values ?? [];

describe("the graph", () => {
  test("branches each see what feeds them, and a union holds what comes over both twice", async () => {
    const result = await run(
      {
        steps: [
          { id: "even", type: "filter", where: "$.n == 2 || $.n == 4", needs: ["source"] },
          { id: "big", type: "filter", where: "$.n > 2", needs: ["source"] },
        ],
        destinations: [
          { id: "both", needs: ["even", "big"] },
          { id: "all", needs: ["source"] },
        ],
      },
      [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }],
    );
    expect(out(result, "both")).toEqual([{ n: 2 }, { n: 4 }, { n: 3 }, { n: 4 }]);
    expect(result.outputs.get("both")?.origins).toEqual([1, 3, 2, 3]);
    expect(out(result, "all")).toHaveLength(4);
  });

  test("a record that fails a step goes on over the other branch, and is dead-lettered once, as it entered the step", async () => {
    const mapping = [{ source: "$.n", destination: "n", cast: "integer" }];
    const result = await run(
      {
        steps: [
          { id: "cast", type: "map", mapping, needs: ["source"] },
          { id: "some", type: "filter", where: "$.n", needs: ["source"] },
        ],
        destinations: [
          { id: "a", needs: ["cast"] },
          { id: "b", needs: ["some"] },
        ],
      },
      [{ n: "x" }, { n: "7" }],
    );
    expect(out(result, "a")).toEqual([{ n: 7 }]);
    expect(out(result, "b")).toHaveLength(2);
    expect(result.failures).toMatchObject([
      { origin: 0, step: "cast", rule: 0, code: "VALIDATION_ERROR", state: { n: "x" } },
    ]);
  });

  test("on_error drop leaves the record out without a dead letter; stop throws", async () => {
    const step = { id: "m", type: "map", mapping: [{ source: "$.n", destination: "n", cast: "integer" }] };
    const dropped = await run({ steps: [{ ...step, on_error: "drop" }] }, [{ n: "x" }, { n: 1 }]);
    expect([out(dropped), dropped.failures]).toEqual([[{ n: 1 }], []]);
    await expect(run({ steps: [{ ...step, on_error: "stop" }] }, [{ n: "x" }])).rejects.toThrow(StopError);
  });
});

describe("route", () => {
  const steps = [
    {
      id: "by-kind",
      type: "route",
      routes: [
        { to: "a", where: "$.kind == 'a'" },
        { to: "big", where: "$.n > 10" },
      ],
      otherwise: "rest",
    },
    { id: "big", type: "filter", where: "$.n < 100", needs: ["by-kind"] },
  ];
  const destinations = [
    { id: "a", needs: ["by-kind"] },
    { id: "b", needs: ["big"] },
    { id: "rest", needs: ["by-kind"] },
  ];

  test("the first route that takes a record has it, alone; otherwise has what none takes", async () => {
    const records = [
      { kind: "a", n: 50 },
      { kind: "b", n: 50 },
      { kind: "b", n: 500 },
      { kind: "c", n: 1 },
    ];
    const result = await run({ steps, destinations }, records);
    expect([out(result, "a"), out(result, "b"), out(result, "rest")]).toEqual([
      [records[0]],
      [records[1]],
      [records[3]],
    ]);
  });

  test("without otherwise, what no route takes is filtered", async () => {
    const { otherwise: _, ...route } = steps[0] as JsonObject;
    const result = await run(
      {
        steps: [route],
        destinations: [
          { id: "a", needs: ["by-kind"] },
          { id: "big", needs: ["by-kind"] },
        ],
      },
      [{ kind: "z", n: 1 }],
    );
    expect([out(result, "a"), out(result, "big"), result.failures]).toEqual([[], [], []]);
  });
});

describe("validate", () => {
  test("passes what the schema takes, with formats asserted, and names all errors of what it does not", async () => {
    const schema = {
      type: "object",
      required: ["id"],
      properties: { email: { type: "string", format: "email" }, age: { type: "integer", minimum: 0 } },
    };
    const good = { id: 1, email: "a@b.example", age: 3 };
    const result = await run({ steps: [{ id: "v", type: "validate", schema }] }, [good, { email: "x", age: -1 }]);
    expect(out(result)).toEqual([good]);
    expect(result.failures).toHaveLength(1);
    expect(result.failures[0]).toMatchObject({ origin: 1, step: "v", rule: null, code: "VALIDATION_ERROR" });
    for (const path of ["id", "email", "age"]) expect(result.failures[0]?.message).toContain(path);
  });
});

describe("split", () => {
  const split = (options: JsonObject, record: JsonObject) =>
    run({ steps: [{ id: "s", type: "split", ...options }] }, [record]);

  test("each element is a record, with a place among its siblings", async () => {
    const result = await split({ path: "a.lines" }, { id: 1, a: { lines: [{ n: 1 }, { n: 2 }] } });
    expect(result.outputs.get("out")).toEqual({ origins: [0, 0], values: [{ n: 1 }, { n: 2 }], children: ["0", "1"] });
  });

  test("with as, an element sits in that field; keep_parent keeps the other fields and leaves the parent as it is", async () => {
    const record = { id: 1, a: { x: 2, lines: [10, 20] } };
    expect(out(await split({ path: "a.lines", as: "line.qty", keep_parent: true }, record))).toEqual([
      { id: 1, a: { x: 2 }, line: { qty: 10 } },
      { id: 1, a: { x: 2 }, line: { qty: 20 } },
    ]);
    expect(record).toEqual({ id: 1, a: { x: 2, lines: [10, 20] } });
    expect(out(await split({ path: "a.lines", as: "n" }, record))).toEqual([{ n: 10 }, { n: 20 }]);
    expect(out(await split({ path: "l", keep_parent: true }, { id: 1, l: [{ id: 2 }] }))).toEqual([{ id: 2 }]);
  });

  test("an empty array gives nothing; missing, null and what is no array fail", async () => {
    expect(await split({ path: "l" }, { l: [] })).toMatchObject({ failures: [] });
    for (const record of [{}, { l: null }, { l: "x" }, { l: {} }]) {
      const { failures } = await split({ path: "l" }, record as JsonObject);
      expect(failures).toMatchObject([{ origin: 0, step: "s", code: "VALIDATION_ERROR" }]);
    }
  });

  test("an element that cannot be a record fails alone", async () => {
    const result = await split({ path: "l" }, { l: [{ n: 1 }, 5, { n: 2 }] });
    expect(out(result)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(result.failures).toHaveLength(1);
    expect(result.outputs.get("out")?.children).toEqual(["0", "2"]);
  });

  test("a split of a split numbers its children below their parents; __proto__ is a key as any other", async () => {
    const result = await run(
      {
        steps: [
          { id: "a", type: "split", path: "a" },
          { id: "b", type: "split", path: "b", keep_parent: true },
        ],
      },
      [JSON.parse('{"a":[{"b":[{"__proto__":{"x":1}},{"n":2}]}]}')],
    );
    expect(result.outputs.get("out")?.children).toEqual(["0.0", "0.1"]);
    const [first] = out(result) as JsonObject[];
    expect(Object.hasOwn(first as object, "__proto__")).toBe(true);
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});

describe("a predicate in JavaScript", () => {
  test("counts by truthiness, in filters and routes; a throw fails its record and is never false", async () => {
    const js = "record.n === 1 ? nothing.here : record.n % 2 && meta.record_id";
    const records = [{ n: 1 }, { n: 2 }, { n: 3 }];
    const filtered = await run({ steps: [{ id: "f", type: "filter", where: { js } }] }, records);
    expect(out(filtered)).toEqual([{ n: 3 }]);
    expect(filtered.failures).toMatchObject([{ origin: 0, step: "f", code: "VALIDATION_ERROR", state: { n: 1 } }]);

    const route = {
      id: "r",
      type: "route",
      routes: [
        { to: "odd", where: { js } },
        { to: "two", where: "$.n == 2" },
      ],
      otherwise: "two",
    };
    const routed = await run(
      {
        steps: [route],
        destinations: [
          { id: "odd", needs: ["r"] },
          { id: "two", needs: ["r"] },
        ],
      },
      records,
    );
    expect([out(routed, "odd"), out(routed, "two")]).toEqual([[{ n: 3 }], [{ n: 2 }]]);
    expect(routed.failures).toHaveLength(1);
  });
});

describe("transform", () => {
  const script = (source: string, ...records: JsonObject[]) =>
    run({ steps: [{ id: "t", type: "transform", script: source }] }, records);

  test("a record gives one, several or none, and sees its meta", async () => {
    const source =
      "(record, meta) => record.n === 0 ? null : Array.from({ length: record.n }, (_, i) => ({ i, id: meta.record_id }))";
    const result = await script(source, { n: 0 }, { n: 2 });
    expect(result.outputs.get("out")).toEqual({
      origins: [1, 1],
      values: [
        { i: 0, id: "1/" },
        { i: 1, id: "1/" },
      ],
      children: ["0", "1"],
    });
    expect(out(await script("r => ({ ...r, at: new Date(0) })", { n: 1 }))).toEqual([
      { n: 1, at: "1970-01-01T00:00:00.000Z" },
    ]);
  });

  test("a throw, and a result that is no record, fail their own record", async () => {
    const result = await script(
      "r => { if (r.n === 1) throw new Error('no'); return r.n === 2 ? NaN : r; }",
      { n: 1 },
      { n: 2 },
      { n: 3 },
    );
    expect(out(result)).toEqual([{ n: 3 }]);
    expect(result.failures).toMatchObject([
      { origin: 0, step: "t", code: "VALIDATION_ERROR", state: { n: 1 } },
      { origin: 1, step: "t", code: "VALIDATION_ERROR", state: { n: 2 } },
    ]);
  });

  test("a loop without end fails its own record with TIMEOUT", async () => {
    const result = await script("r => { while (r.n === 2); return r; }", { n: 1 }, { n: 2 }, { n: 3 });
    expect(out(result)).toEqual([{ n: 1 }, { n: 3 }]);
    expect(result.failures).toMatchObject([{ origin: 1, step: "t", code: "TIMEOUT" }]);
  });
});

describe("what is made of a batch goes on in slices", () => {
  const many = { items: Array.from({ length: 10_000 }, (_, n) => ({ n })) };
  const split = { id: "each", type: "split", path: "items" };

  test("a record that becomes 10,000 is made as those that follow take it, 500 at a time", async () => {
    const taken: number[] = [];
    const { promise: room, resolve: give } = Promise.withResolvers<void>();
    const done = run({ steps: [split] }, [many], {
      deliver: (_destination, { values }) => {
        taken.push(values.length);
        // There is room for three, and then not for a while.
        return taken.length < 3 ? undefined : room;
      },
    });
    await turn();
    expect(taken).toEqual([500, 500, 500]);
    give();
    await done;
    expect(taken).toHaveLength(20);
  });

  test("slices of large records are smaller: about a megabyte", async () => {
    const sizes: number[] = [];
    const parent = { text: "x".repeat(100_000), items: many.items.slice(0, 100) };
    await run({ steps: [{ ...split, as: "item", keep_parent: true }] }, [parent], {
      deliver: (_destination, { values }) => {
        sizes.push(values.length);
      },
    });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(12);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(100);
  });

  test("a slice is named the same each time, and no two for one destination have one name", async () => {
    const spec = {
      steps: [
        { ...split, needs: ["source"] },
        { id: "odd", type: "filter", where: "$.n > 4000", needs: ["each"] },
        { id: "again", type: "transform", script: "(record) => [record, record]", needs: ["each"] },
      ],
      destinations: [{ id: "out", needs: ["each", "odd", "again"] }],
    };
    const parts = async () => {
      const names: (string | undefined)[] = [];
      await run(spec, [many], { deliver: (_destination, { part }) => void names.push(part) });
      return names.sort();
    };
    const first = await parts();
    expect(first).toHaveLength(20 + 12 + 40);
    expect(new Set(first).size).toBe(first.length);
    expect(await parts()).toEqual(first);
  });

  test("a step's rate limit counts the records that leave it", async () => {
    const clock = new VirtualClock();
    const times: [number, number][] = [];
    const begun = clock.now();
    const done = run(
      { steps: [{ ...split, rate_limit: 2_000 }] },
      [many],
      {
        deliver: (_destination, { values }) => void times.push([clock.now() - begun, values.length]),
      },
      clock,
    );
    for (let ms = 0; ms < 6_000; ms += 50) await clock.advance(50);
    await done;
    const by = (ms: number) => times.filter(([at]) => at < ms).reduce((sum, [, records]) => sum + records, 0);
    expect([by(1_000), by(2_500), by(10_000)]).toEqual([2_000, 5_000, 10_000]);
  });

  test("a step takes one batch at a time, in the order in which they come, or as many as `concurrency` says", async () => {
    const order = async (concurrency: number) => {
      const integration = resolveIntegration({
        source: { connector: "c", stream: "s" },
        destinations: [{ id: "out", connector: "c", stream: "d" }],
        pipeline_spec: { steps: [{ id: "t", type: "transform", script: "(record) => record", concurrency }] },
      });
      const events: string[] = [];
      const waiting: (() => void)[] = [];
      const slow = {
        run: async (_scope: string, _script: unknown, calls: readonly { record: JsonObject }[]) => {
          events.push(`begins ${calls[0]?.record.n}`);
          await new Promise<void>((resolve) => waiting.push(resolve));
          return calls.map(({ record }) => ({ ok: true as const, value: record }));
        },
        close: async () => {},
      };
      const services = { validator: createValidator(), sandbox: slow as Sandbox, clock: realClock, lookUps: new Map() };
      const pipeline = new Pipeline(integration, services);
      const context = {
        scope: "test",
        now: 0,
        recordId: () => "",
        meta: () => ({}),
        signal: new AbortController().signal,
        absorbed: () => {},
        failed: () => {},
        deliver: (_destination: string, { values }: Flow) => void events.push(`gave ${values[0]?.n}`),
      };
      const done = [1, 2].map((n) => pipeline.process({ origins: [0], values: [{ n }] }, context));
      while (events.filter((event) => event.startsWith("gave")).length < 2) {
        await turn();
        waiting.shift()?.();
      }
      await Promise.all(done);
      return events;
    };
    expect(await order(1)).toEqual(["begins 1", "gave 1", "begins 2", "gave 2"]);
    expect((await order(2)).slice(0, 2)).toEqual(["begins 1", "begins 2"]);
  });
});
