import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { createValidator } from "../../adapters/json-schema/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../config/index.ts";
import { VirtualClock } from "../ports/virtual-clock.ts";
import { type Flow, Pipeline, type PipelineContext, StopError } from "./index.ts";

interface Taken {
  readonly destination: string;
  readonly part: string;
  readonly records: number;
  readonly at: number;
}

/** Steps without scripts; notes what each destination takes. */
function open(steps: readonly JsonObject[], destinations: readonly JsonObject[] = [{ id: "out" }]) {
  const integration = resolveIntegration({
    source: { connector: "c", stream: "s" },
    destinations: destinations.map((each) => ({ connector: "c", stream: "d", ...each })),
    pipeline_spec: { steps: [...steps] },
  } as JsonObject);
  const clock = new VirtualClock();
  const taken: Taken[] = [];
  const absorbed: number[] = [];
  const sandbox = { run: () => Promise.reject(new Error("the sandbox is gone")), close: async () => {} };
  const pipeline = new Pipeline(integration, { validator: createValidator(), sandbox, clock, lookUps: new Map() });
  const context: PipelineContext = {
    scope: "test",
    now: 0,
    recordId: (origin, child) => `${origin}/${child}`,
    meta: () => ({}),
    signal: new AbortController().signal,
    absorbed: (origins) => void absorbed.push(...origins),
    failed: () => {},
    deliver: (destination, { part = "", values }) =>
      void taken.push({ destination, part, records: values.length, at: clock.now() }),
  };
  const finished = async (done: void | Promise<void>) => {
    let over = false;
    void Promise.resolve(done).finally(() => {
      over = true;
    });
    for (let steps = 0; !over && steps < 1000; steps++) await clock.advance(100);
    await done;
  };
  return {
    taken,
    absorbed,
    process: async (values: readonly JsonObject[]) =>
      finished(pipeline.process({ origins: values.map((_, i) => i), values } satisfies Flow, context)),
    close: () => finished(pipeline.close(true, context)),
  };
}

/** A destination knows what came before by its part: two pieces of one name would be taken for one. */
function expectParts(taken: readonly Taken[], records: number): void {
  expect(taken.reduce((sum, piece) => sum + piece.records, 0)).toBe(records);
  const names = taken.map(({ destination, part }) => JSON.stringify([destination, part]));
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
}

const items = (count: number) => Array.from({ length: count }, (_, n) => ({ n, of: `group ${n}`, kind: "item" }));

test("pieces of a route with a rate limit are told apart, also behind a split", async () => {
  const { process, taken } = open(
    [
      { id: "each", type: "split", path: "items" },
      { id: "by-n", type: "route", rate_limit: 3000, routes: [{ to: "out", where: "$.n >= 0" }], otherwise: "rest" },
    ],
    [
      { id: "out", needs: ["by-n"] },
      { id: "rest", needs: ["by-n"] },
    ],
  );
  await process([{ items: items(1500) }]);
  expectParts(taken, 1500);
});

test("what comes over several branches is told apart, wherever they meet", async () => {
  const all = "$.n >= 0";
  const { process, taken } = open(
    [
      { id: "y", type: "filter", where: all, needs: ["source"] },
      { id: "x", type: "filter", where: all, needs: ["y", "source"] },
    ],
    [{ id: "out", needs: ["x", "y"] }],
  );
  await process(items(1));
  expectParts(taken, 3);
});

test("windows that windows close are told apart from those of the run's end", async () => {
  const { process, close, taken } = open([
    { id: "inner", type: "aggregate", key: ["of"], window: {}, measures: { kind: { first: "kind" } } },
    { id: "outer", type: "aggregate", key: ["kind"], window: { count: 3 }, measures: { n: { count: true } } },
  ]);
  await process(items(10));
  await close();
  expectParts(taken, 4);
});

test("windows leave in slices, as fast as the step's rate limit lets them", async () => {
  const step = { id: "sums", type: "aggregate", key: ["of"], window: {}, measures: { n: { count: true } } };
  const free = open([step]);
  await free.process(items(1200));
  await free.close();
  expect(free.taken.map(({ records }) => records)).toEqual([500, 500, 200]);
  expectParts(free.taken, 1200);

  for (const emit of [undefined, [{ source: "$.measures.n", destination: "n" }]]) {
    const { process, close, taken } = open([{ ...step, rate_limit: 10, ...(emit && { emit }) }]);
    await process(items(20));
    await close();
    const begun = taken[0]?.at as number;
    expect(taken.filter(({ at }) => at < begun + 1000).reduce((sum, { records }) => sum + records, 0)).toBe(10);
    expectParts(taken, 20);
  }
});

test("a record that an aggregate drops is in no window", async () => {
  const { process, absorbed } = open([
    { id: "sums", type: "aggregate", key: ["kind"], window: {}, measures: { n: { sum: "n" } }, on_error: "drop" },
  ]);
  await process([{ n: 1 }, { n: "x" }, { n: 3 }]);
  expect(absorbed).toEqual([0, 2]);
});

test("a step that stops the run leaves no failure of another branch unheard", async () => {
  const unheard: unknown[] = [];
  const hear = (error: unknown) => void unheard.push(error);
  process.on("unhandledRejection", hear);
  try {
    const { process: push } = open(
      [
        { id: "script", type: "transform", script: "(record) => record", needs: ["source"] },
        {
          id: "cast",
          type: "map",
          mapping: [{ source: "$.n", destination: "n", cast: "integer" }],
          on_error: "stop",
          needs: ["source"],
        },
      ],
      [{ id: "out", needs: ["script", "cast"] }],
    );
    await expect(push([{ n: "x" }])).rejects.toThrow(StopError);
    await turn();
    await turn();
    expect(unheard).toEqual([]);
  } finally {
    process.off("unhandledRejection", hear);
  }
});
