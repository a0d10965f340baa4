import fc from "fast-check";
import { afterAll, describe, expect, test, vi } from "vitest";
import { createValidator } from "../adapters/json-schema/index.ts";
import { createWorkerPool } from "../adapters/workers/index.ts";
import type { JsonObject } from "../connectors/sdk/index.ts";
import { type ResolvedIntegration, resolveIntegration } from "../runtime/config/index.ts";
import { type Flow, isPure, Pipeline, type StepFailure, StopError } from "../runtime/pipeline/index.ts";
import { realClock } from "../runtime/ports/clock.ts";
import type { StepsResult, StepsTask, WorkerSteps } from "../runtime/ports/workers.ts";
import { decodeLines } from "../runtime/record/index.ts";
import { Offload, type OffloadContext } from "./offload.ts";

vi.setConfig({ testTimeout: 120_000 });

const runs = 300;
const pool = createWorkerPool({ program: new URL("../cli/steps-worker.ts", import.meta.url), threads: 1 });
afterAll(() => pool.close());
// The thread ends with the last steps.
pool.open("{}");

function integrationOf(steps: readonly JsonObject[], destinations: readonly JsonObject[] = [{}]): ResolvedIntegration {
  return resolveIntegration({
    source: { connector: "c", stream: "s" },
    destinations: destinations.map((each, i) => ({ id: `out-${i}`, connector: "c", stream: "d", ...each })),
    pipeline_spec: { steps: [...steps] },
  });
}

function pipelineOf(integration: ResolvedIntegration): Pipeline {
  const sandbox = { run: () => Promise.reject(new Error("no scripts")), close: async () => {} };
  return new Pipeline(integration, { validator: createValidator(), sandbox, clock: realClock, lookUps: new Map() });
}

/** Steps of an integration, on the pool's thread. */
const open = ({ steps, destinations }: ResolvedIntegration) => pool.open(JSON.stringify({ steps, destinations }));

function batchOf(lines: readonly string[]): { readonly task: StepsTask; readonly flow: Flow } {
  const body = Buffer.from(lines.join("\n"));
  const { values } = decodeLines(body, lines.length);
  const origins = [...values.keys()].filter((i) => values[i] !== undefined);
  const flow = { origins, values: origins.map((i) => values[i] as JsonObject) };
  return { task: { body, count: lines.length, origins }, flow };
}

function inWords({ origin, child, step, rule, code, message, attempts, state }: StepFailure): readonly unknown[] {
  return [origin, child, step, rule, code, message, attempts, JSON.stringify(state)];
}

/** A context that notes all that it hears, as JSON. */
function notes(log: string[], signal = new AbortController().signal): OffloadContext {
  const unasked = () => {
    throw new Error("not asked by pure steps");
  };
  const context: OffloadContext = {
    scope: "test",
    now: 0,
    recordId: unasked,
    meta: unasked,
    absorbed: unasked,
    signal,
    failed: (failure, drop) => void log.push(JSON.stringify({ failure: inWords(failure), drop })),
    deliver: (destination, { origins, values, part }) =>
      context.deliverTexts(
        destination,
        origins,
        values.map((value) => JSON.stringify(value)),
        part,
      ),
    deliverTexts: (destination, origins, texts, part) =>
      void log.push(JSON.stringify({ destination, origins, texts, part })),
  };
  return context;
}

/** What a batch's way through the steps is heard as. */
async function heard(through: (context: OffloadContext) => void | Promise<void>): Promise<readonly string[]> {
  const log: string[] = [];
  try {
    await through(notes(log));
  } catch (error) {
    if (!(error instanceof StopError)) throw error;
    log.push(JSON.stringify({ stopped: error.message, failure: inWords(error.failure) }));
  }
  return log;
}

const name = fc.constantFrom("a", "b", "c", "__proto__", "toString");
const value = fc.oneof(
  fc.constantFrom("1", "-0", "1.50", "12345678901234567890.125", "1e400", "null", "true", "{}", "[]"),
  fc.constantFrom('"2024-05-01"', '"7"', '"é😀"', '"\\ud800"', '"\\n\\u2028"', '["x",{"a":1}]', '{"a":[1,2],"b":"y"}'),
);
const object = fc
  .array(fc.tuple(name, value), { maxLength: 5 })
  .map((members) => `{${members.map(([key, text]) => `"${key}":${text}`).join(",")}}`);
const line = fc.oneof({ weight: 12, arbitrary: object }, { weight: 1, arbitrary: fc.constantFrom("", "{", "[1]") });
const source = fc.constantFrom("$", "$.a", "$.b", "$.a[*]", "$..b", "$.c.a", "$['__proto__']", "$[?@ > 1]");
const where = fc.constantFrom(
  "$.a",
  "$.a == 1 || $.b == '7'",
  "!$.c",
  "match($.b, '.*7') || $.a[?@ == 'x']",
  "$.a > 1.5",
);
const onError = fc.constantFrom("dead_letter", "drop", "stop");
const rule = fc.record(
  {
    source,
    destination: fc.constantFrom("a", "b", "c.d", "e[1]", "*", '["__proto__"]'),
    cast: fc.constantFrom("string", "number", "integer", "boolean", "timestamp", "date", "json"),
    default: fc.constantFrom(0, "none", null),
    when: where,
    on_error: fc.constantFrom("fail", "skip"),
  },
  { requiredKeys: ["source", "destination"] },
);
const template = fc.record({
  template: fc.constantFrom("{{ $.a | json }}", "{{ $.b | upper }} x", "{{ $..a | default('d') }}"),
  destination: fc.constantFrom("a", "t"),
});
const step = fc.oneof(
  fc.record({ type: fc.constant("filter"), where, on_error: onError }),
  fc.record({
    type: fc.constant("map"),
    mapping: fc.array(fc.oneof(rule, template), { minLength: 1, maxLength: 5 }),
    on_error: onError,
  }),
  fc.record({
    type: fc.constant("validate"),
    schema: fc.constantFrom(true, { required: ["a"] }, { properties: { a: { type: "number" } } }),
    on_error: onError,
  }),
);

/** Steps in a chain, or side by side and together again, and a route or not before two destinations. */
const integration = fc
  .record({ steps: fc.array(step, { maxLength: 4 }), diamond: fc.boolean(), route: fc.option(where) })
  .map(({ steps, diamond, route }) => {
    const named = steps.map((one, i) => ({
      ...one,
      id: `s${i}`,
      ...(diamond && i > 0 && { needs: i === 3 ? ["s1", "s2"] : ["s0"] }),
    }));
    const last = named.length === 0 ? ["source"] : diamond && named.length === 3 ? ["s1", "s2"] : [named.at(-1)?.id];
    if (route === null) return { steps: named, destinations: [{ needs: last }, { needs: last }] };
    const routes = [{ to: "out-0", where: route }];
    return {
      steps: [...named, { id: "r", type: "route", needs: last, routes, otherwise: "out-1" }],
      destinations: [{ needs: ["r"] }, { needs: ["r"] }],
    };
  });

describe("steps on a worker thread", () => {
  test(`give what they give on the main thread: ${runs} random integrations and batches`, async () => {
    const seen = { delivered: 0, failed: 0, stopped: 0 };
    await fc.assert(
      fc.asyncProperty(integration, fc.array(line, { minLength: 1, maxLength: 8 }), async (spec, lines) => {
        const { steps, destinations } = JSON.parse(JSON.stringify(spec)) as { [part: string]: JsonObject[] };
        const integration = integrationOf(steps as JsonObject[], destinations);
        fc.pre(isPure(integration));
        const pipeline = pipelineOf(integration);
        const { task, flow } = batchOf(lines);
        const here = await heard((context) => pipeline.process(flow, context));
        let answers = 0;
        const threads = open(integration);
        const counted: WorkerSteps = {
          ...threads,
          run: async (task) => {
            const result = await threads.run(task);
            if (result !== undefined) answers++;
            return result;
          },
        };
        const offload = new Offload(pipeline, counted, always);
        await goAway(offload);
        expect(await heard((context) => offload.process(task, flow, context))).toEqual(here);
        threads.close();
        expect(answers).toBe(1);
        for (const event of here) {
          const { texts, drop } = JSON.parse(event) as { texts?: string[]; drop?: boolean };
          seen[texts !== undefined ? "delivered" : drop !== undefined ? "failed" : "stopped"]++;
        }
      }),
      { numRuns: runs },
    );
    console.log(`worker threads: ${JSON.stringify(seen)}, all as on the main thread`);
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(runs / 20);
  });
});

/** Everything is heavy. */
const always = { batch: 0, record: 0 };
const empty: Flow = { origins: [], values: [] };

/** Batches that make it sure. */
async function goAway(offload: Offload): Promise<void> {
  for (let i = 0; i < 8; i++) {
    await offload.process({ body: new Uint8Array(), count: 0, origins: [] }, empty, notes([]));
  }
}

/** Threads that answer when they are told to. */
class Told implements WorkerSteps {
  readonly tasks: { readonly task: StepsTask; readonly answer: (result: StepsResult | undefined) => void }[] = [];

  run(task: StepsTask): Promise<StepsResult | undefined> {
    return new Promise((answer) => this.tasks.push({ task, answer }));
  }

  close(): void {}

  /** Answers the n-th task with its own lines. */
  answer(n: number, cpuMicros = 0): void {
    const { task, answer } = this.tasks[n] as Told["tasks"][number];
    const { origins, body } = task;
    const text = Buffer.from(body).toString();
    answer({
      events: [{ type: "delivered", destination: "out-0", origins, part: undefined, text }],
      steps: new Map(),
      cpuMicros,
    });
  }
}

const identity = integrationOf([]);
const batch = (n: number) => batchOf([`{"batch":${n}}`]);
const delivered = (n: number) =>
  JSON.stringify({ destination: "out-0", origins: [0], texts: [`{"batch":${n}}`], part: undefined });

describe("batches", () => {
  test("are given in order, whoever is done first, the main thread's among them", async () => {
    const told = new Told();
    const offload = new Offload(pipelineOf(identity), told, always);
    await goAway(offload);
    const log: string[] = [];
    const given = [0, 1, 2, 3].map((n) => offload.process(batch(n).task, batch(n).flow, notes(log)));
    told.answer(3);
    told.tasks[2]?.answer(undefined);
    told.answer(1);
    await new Promise(setImmediate);
    expect(log).toEqual([]);
    told.answer(0);
    await Promise.all(given);
    expect(log).toEqual([0, 1, 2, 3].map(delivered));
  });

  test("wait for no patience of the batch before", async () => {
    const told = new Told();
    const offload = new Offload(pipelineOf(identity), told, always);
    await goAway(offload);
    const taken = Promise.withResolvers<void>();
    const log: string[] = [];
    const patient = { ...notes(log), deliverTexts: () => taken.promise };
    const first = offload.process(batch(0).task, batch(0).flow, patient);
    const second = offload.process(batch(1).task, batch(1).flow, notes(log));
    told.answer(0);
    told.answer(1);
    await second;
    expect(log).toEqual([delivered(1)]);
    taken.resolve();
    await first;
  });

  test("are abandoned when the run stops, those that come after too", async () => {
    const told = new Told();
    const offload = new Offload(pipelineOf(identity), told, always);
    await goAway(offload);
    const log: string[] = [];
    const stop = new AbortController();
    const first = offload.process(batch(0).task, batch(0).flow, notes(log, stop.signal));
    const second = offload.process(batch(1).task, batch(1).flow, notes(log, stop.signal));
    stop.abort(new Error("stopped"));
    await expect(first).rejects.toThrow("stopped");
    await expect(second).rejects.toThrow("stopped");
    told.answer(0);
    told.tasks[1]?.answer(undefined);
    await new Promise(setImmediate);
    expect(log).toEqual([]);
  });

  test("that are cheap stay on the main thread, and come back to it when they have become cheap", async () => {
    const told = new Told();
    const cheap = new Offload(pipelineOf(identity), told);
    for (let n = 0; n < 100; n++) {
      expect(cheap.process(batch(n).task, batch(n).flow, notes([]))).toBeUndefined();
    }
    expect(told.tasks).toEqual([]);

    const offload = new Offload(pipelineOf(identity), told, always);
    await goAway(offload);
    let tasks = 0;
    for (;;) {
      const given = offload.process(batch(0).task, batch(0).flow, notes([]));
      if (given === undefined) break;
      told.answer(tasks++, -1);
      await given;
    }
    expect(tasks).toBe(8);
  });
});

test("a step that stops the run leaves no failure of a destination unheard", async () => {
  const unheard: unknown[] = [];
  const hear = (error: unknown) => void unheard.push(error);
  process.on("unhandledRejection", hear);
  try {
    const busy = { process: () => void Array.from({ length: 300_000 }, String) } as unknown as Pipeline;
    const failure = {
      origin: 0,
      step: "s",
      rule: null,
      code: "VALIDATION_ERROR",
      message: "no",
      errors: [],
      state: "{}",
    } as const;
    const delivered = { type: "delivered", destination: "out", origins: [0], part: undefined, text: "{}" } as const;
    const run = vi.fn(async () => ({
      cpuMicros: 0,
      steps: new Map(),
      events: [delivered, { type: "stopped", failure } as const],
    }));
    const offload = new Offload(busy, { run, close: () => {} });
    const { task, flow } = batchOf(["{}"]);
    const context = { ...notes([]), deliverTexts: () => Promise.reject(new Error("the destination is closed")) };
    for (let n = 0; n < 20 && run.mock.calls.length === 0; n++) {
      await Promise.resolve(offload.process(task, flow, context)).catch((error: unknown) => {
        expect(error).toBeInstanceOf(StopError);
      });
    }
    expect(run).toHaveBeenCalled();
    await new Promise((resolve) => setImmediate(resolve));
    expect(unheard).toEqual([]);
  } finally {
    process.off("unhandledRejection", hear);
  }
});
