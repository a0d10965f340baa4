import { afterEach, expect, test } from "vitest";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { ConnectorError, type Json, type JsonObject, type LookupResult } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../config/index.ts";
import { Circuit, Gate } from "../delivery/index.ts";
import { noStepCounts } from "../ports/ledger.ts";
import { VirtualClock } from "../ports/virtual-clock.ts";
import { compileEnrich } from "./enrich.ts";
import type { Flow } from "./flow.ts";
import { openLookUps } from "./look-ups.ts";
import type { StepContext, StepRefusal } from "./step.ts";

type Lookup = (requests: readonly Json[]) => LookupResult | Promise<LookupResult>;

const stop = new AbortController();
const context: StepContext = {
  scope: "test",
  now: 0,
  recordId: () => "",
  meta: () => ({}),
  absorbed: () => {},
  signal: stop.signal,
};
let close = async () => {};
afterEach(() => close());

/** A step as configured, over a far side that is given. */
async function enrich(lookup: Lookup, options: JsonObject = {}, gated = false) {
  const clock = new VirtualClock();
  const calls: Json[][] = [];
  const waits: (string | null)[] = [];
  const outcomes: string[] = [];
  const integration = resolveIntegration({
    source: { connector: "c", stream: "s" },
    destination: { connector: "c", stream: "d" },
    pipeline_spec: {
      steps: [
        {
          id: "e",
          type: "enrich",
          connector: "crm",
          request: { by: { id: "{{ $.id }}" } },
          merge_at: "found",
          ...options,
        },
      ],
    },
  } as JsonObject);
  const step = integration.steps[0];
  if (step?.type !== "enrich") throw new Error("no step");
  const lookUps = await openLookUps(integration, {
    lookups: {
      open: async () => ({
        connectorType: "fake",
        resolve: async (text) => text,
        lookup: async (requests) => {
          calls.push([...requests]);
          return lookup(requests);
        },
        close: async () => {},
      }),
    },
    retry: integration.delivery.retry,
    clock,
    signal: stop.signal,
    ...(gated && {
      gate: (_step, waiting) =>
        new Gate({ circuit: new Circuit(integration.delivery.circuitBreaker), clock, waiting, openTooLong: () => {} }),
    }),
    waiting: (_step, reason) => waits.push(reason),
    called: (_step, _type, outcome) => outcomes.push(outcome),
  });
  close = lookUps.close;
  const run = compileEnrich(step, {
    validator: createValidator(),
    sandbox: { run: () => Promise.reject(new Error("no script runs here")), close: async () => {} },
    clock,
    lookUps: lookUps.byStep,
  });
  const records = (values: readonly JsonObject[]) => {
    const failed: [number, StepRefusal][] = [];
    const fail = (index: number, error: unknown) => failed.push([index, error as StepRefusal]);
    const output = run({ origins: values.map((_, i) => i), values }, fail, context, noStepCounts()) as
      | Flow
      | Promise<Flow>;
    return { output, failed };
  };
  const ids = (...numbers: number[]) => records(numbers.map((id) => ({ id })));
  return { clock, calls, waits, outcomes, records, ids };
}

const idOf = (request: Json) => ((request as JsonObject).by as JsonObject).id as number;
/** Finds every id below 100. */
const byId: Lookup = (requests) => ({ answers: requests.map((r) => (idOf(r) < 100 ? { name: `n${idOf(r)}` } : null)) });

test("the answer is written into a copy of the record, which stays as it is", async () => {
  const { records } = await enrich(byId, { merge_at: "a.found[1]" });
  const record: JsonObject = { id: 1, a: { x: 1, found: [0] } };
  const { output, failed } = records([record, { id: 2 }, { id: 3, a: "text" }, { id: 4, a: { found: null } }]);
  expect((await output).values).toEqual([
    { id: 1, a: { x: 1, found: [0, { name: "n1" }] } },
    { id: 2, a: { found: [null, { name: "n2" }] } },
    { id: 4, a: { found: [null, { name: "n4" }] } },
  ]);
  expect(record).toEqual({ id: 1, a: { x: 1, found: [0] } });
  expect(failed).toMatchObject([[2, { code: "VALIDATION_ERROR", message: expect.stringContaining("a.found[1]") }]]);
});

test("equal look-ups of a batch are asked once, and what is cached is given without a promise", async () => {
  const { calls, ids } = await enrich(byId);
  expect((await ids(1, 2, 1, 1).output).values.map(({ found }) => found)).toEqual(
    [1, 2, 1, 1].map((id) => ({ name: `n${id}` })),
  );
  expect(calls.map((requests) => requests.map(idOf))).toEqual([[1, 2]]);
  const again = ids(2, 1).output;
  expect(again).not.toBeInstanceOf(Promise);
  expect((again as Flow).values.map(({ found }) => found)).toEqual([{ name: "n2" }, { name: "n1" }]);
  await ids(2, 3).output;
  expect(calls.map((requests) => requests.map(idOf))).toEqual([[1, 2], [3]]);
});

test("equal look-ups of batches that are under way are asked once, and share what becomes of them", async () => {
  const gates: (() => void)[] = [];
  const { calls, ids } = await enrich(async (requests) => {
    await new Promise<void>((resolve) => gates.push(resolve));
    const failed = requests.flatMap((r, index) =>
      idOf(r) === 2 ? [{ index, code: "BUSINESS_RULE" as const, message: "no" }] : [],
    );
    return { answers: requests.map((r) => idOf(r)), failed };
  });
  const first = ids(1, 2);
  const second = ids(2, 3, 1);
  expect(calls.map((requests) => requests.map(idOf))).toEqual([[1, 2], [3]]);
  for (const open of gates) open();
  expect((await first.output).values).toEqual([{ id: 1, found: 1 }]);
  expect((await second.output).values).toEqual([
    { id: 3, found: 3 },
    { id: 1, found: 1 },
  ]);
  expect(first.failed).toMatchObject([[1, { code: "BUSINESS_RULE" }]]);
  expect(second.failed).toMatchObject([[0, { code: "BUSINESS_RULE" }]]);
  // A failure is no answer: the next who asks asks anew.
  const third = ids(2);
  expect(calls.at(-1)?.map(idOf)).toEqual([2]);
  gates.at(-1)?.();
  await third.output;
});

test("an answer is asked for anew after its time, also that nothing was found", async () => {
  const { clock, calls, ids } = await enrich(byId, { cache: { ttl: "1m" }, on_missing: "null" });
  await ids(1, 100).output;
  await clock.advance(59_999);
  await ids(1, 100).output;
  expect(calls).toHaveLength(1);
  await clock.advance(1);
  await ids(100, 1).output;
  expect(calls.map((requests) => requests.map(idOf))).toEqual([
    [1, 100],
    [100, 1],
  ]);
});

test("by default 10,000 answers are kept for five minutes", async () => {
  const { clock, calls, ids } = await enrich(byId, { on_missing: "skip" });
  await ids(...Array.from({ length: 10_001 }, (_, id) => id)).output;
  await clock.advance(299_999);
  await ids(...Array.from({ length: 10_000 }, (_, i) => i + 1)).output;
  expect(calls).toHaveLength(1);
  await ids(0).output;
  expect(calls).toHaveLength(2);
});

test.each([
  ["fail", [{ id: 1, found: { name: "n1" } }], 1],
  ["skip", [{ id: 1, found: { name: "n1" } }, { id: 100 }], 0],
  [
    "null",
    [
      { id: 1, found: { name: "n1" } },
      { id: 100, found: null },
    ],
    0,
  ],
  [
    null,
    [
      { id: 1, found: { name: "n1" } },
      { id: 100, found: null },
    ],
    0,
  ],
] as const)("on_missing %s", async (on_missing, values, failures) => {
  const { ids } = await enrich(byId, { on_missing });
  for (let time = 0; time < 2; time++) {
    const { output, failed } = ids(1, 100);
    expect((await output).values).toEqual(values);
    expect(failed).toHaveLength(failures);
    if (failures > 0)
      expect(failed).toMatchObject([[1, { code: "NOT_FOUND", message: expect.stringContaining("crm") }]]);
  }
});

test("an empty answer and NOT_FOUND as a record's fault say that nothing was found", async () => {
  const empty: Json[] = [[], {}, "", null];
  const { ids } = await enrich(
    (requests) => {
      if (requests.length === 1 && idOf(requests[0] as Json) === 4) {
        throw new ConnectorError("NOT_FOUND", "404.", { fault: "record" });
      }
      if (requests.some((r) => idOf(r) === 4))
        throw new ConnectorError("NOT_FOUND", "One of them.", { fault: "record" });
      const failed = requests.flatMap((r, index) =>
        idOf(r) === 5 ? [{ index, code: "NOT_FOUND" as const, message: "404." }] : [],
      );
      return { answers: requests.map((r) => empty[idOf(r)] ?? (idOf(r) === 6 ? 0 : null)), failed };
    },
    { on_missing: "null" },
  );
  const { output, failed } = ids(0, 1, 2, 3, 4, 5, 6);
  expect((await output).values.map(({ found }) => found)).toEqual([null, null, null, null, null, null, 0]);
  expect(failed).toEqual([]);
});

test("a record's fault fails those who asked, found by halving where the whole call is refused", async () => {
  const { clock, calls, ids } = await enrich((requests) => {
    if (requests.some((r) => idOf(r) === 5))
      throw new ConnectorError("VALIDATION_ERROR", "No such id.", { fault: "record" });
    return byId(requests);
  });
  const { output, failed } = ids(1, 2, 5, 3, 4, 5, 6, 7);
  expect((await output).values.map(({ id }) => id)).toEqual([1, 2, 3, 4, 6, 7]);
  expect(failed.map(([index, { code }]) => [index, code])).toEqual([
    [2, "VALIDATION_ERROR"],
    [5, "VALIDATION_ERROR"],
  ]);
  expect(failed[0]?.[1].attempts).toEqual([
    { at: "1970-01-01T00:00:00.000Z", code: "VALIDATION_ERROR", message: "No such id." },
  ]);
  expect(calls.length).toBeLessThan(8);
  expect(clock.now()).toBe(0);
});

test("a far side at fault is waited for, however long, and says why: a revoked key dead-letters nothing", async () => {
  let away = true;
  const { clock, waits, outcomes, ids } = await enrich((requests) => {
    if (away) throw new ConnectorError("UNAUTHORIZED", "The key was revoked.", { fault: "destination" });
    return byId(requests);
  });
  const { output, failed } = ids(1);
  await clock.advance(24 * 3600_000);
  expect(waits).toEqual(["The key was revoked."]);
  expect(outcomes.length).toBeGreaterThan(1000);
  away = false;
  await clock.advance(60_000);
  expect((await output).values).toEqual([{ id: 1, found: { name: "n1" } }]);
  expect(failed).toEqual([]);
  expect(waits.at(-1)).toBeNull();
  expect(outcomes.at(-1)).toBe("ok");
});

test("an outage opens the step's circuit: one call tries every 30 s, and no attempt counts", async () => {
  let away = true;
  const lookup: Lookup = (requests) => {
    if (away) throw new ConnectorError("UNAVAILABLE", "503.", { fault: "transient" });
    return byId(requests);
  };
  const { clock, calls, waits, ids } = await enrich(lookup, {}, true);
  const batches = Array.from({ length: 20 }, (_, i) => ids(i));
  await clock.advance(3_600_000);
  // Each batch's first, and what tries it afterwards.
  expect(calls.length).toBeGreaterThan(130);
  expect(calls.length).toBeLessThanOrEqual(20 + 120);
  expect(waits.at(-1)).toMatch(/^503\. \(circuit open until \S+Z\)$/);
  away = false;
  await clock.advance(60_000);
  for (const [id, { output, failed }] of batches.entries()) {
    expect((await output).values).toEqual([{ id, found: { name: `n${id}` } }]);
    expect(failed).toEqual([]);
  }
  expect(waits.at(-1)).toBeNull();
});

test("the step waits as long as one of its batches does", async () => {
  const up = new Set([1]);
  const { clock, waits, ids } = await enrich((requests) => {
    if (requests.some((r) => !up.has(idOf(r))))
      throw new ConnectorError("UNAVAILABLE", "Away.", { fault: "destination" });
    return byId(requests);
  });
  const [first, second] = [ids(2), ids(3)];
  await clock.advance(10_000);
  up.add(2);
  await clock.advance(60_000);
  await first.output;
  expect(waits.at(-1)).toBe("Away.");
  up.add(3);
  await clock.advance(60_000);
  await second.output;
  expect(waits.at(-1)).toBeNull();
});

test("a passing failure is tried again by delivery.retry, and ends as a dead letter with its attempts", async () => {
  const { clock, calls, ids } = await enrich(() => {
    throw new ConnectorError("UNAVAILABLE", "503.", { fault: "transient" });
  });
  const { output, failed } = ids(1, 2);
  await clock.advance(3600_000);
  expect((await output).values).toEqual([]);
  expect(calls).toHaveLength(12);
  expect(failed).toMatchObject([
    [0, { code: "UNAVAILABLE" }],
    [1, { code: "UNAVAILABLE" }],
  ]);
  expect(failed[0]?.[1].attempts).toHaveLength(12);
});

test("Retry-After overrides the backoff, of a whole call and of one request", async () => {
  let n = 0;
  const { clock, calls, ids } = await enrich((requests) => {
    n++;
    if (n === 1) throw new ConnectorError("RATE_LIMITED", "429.", { fault: "transient", retryAfterMs: 90_000 });
    const failed = n === 2 ? [{ index: 1, code: "RATE_LIMITED" as const, message: "429.", retryAfterMs: 45_000 }] : [];
    return { ...byId(requests), failed };
  });
  const { output, failed } = ids(1, 2);
  await clock.advance(89_999);
  expect(calls).toHaveLength(1);
  await clock.advance(1);
  expect(calls).toHaveLength(2);
  await clock.advance(44_999);
  expect(calls).toHaveLength(2);
  await clock.advance(1);
  expect((await output).values.map(({ found }) => found)).toEqual([{ name: "n1" }, { name: "n2" }]);
  expect(calls.map((requests) => requests.map(idOf))).toEqual([[1, 2], [1, 2], [2]]);
  expect(failed).toEqual([]);
});

test("answers that do not fit the requests are the connector's defect, and are asked for again", async () => {
  let n = 0;
  const { clock, ids } = await enrich((requests) => (n++ === 0 ? { answers: [] } : byId(requests)));
  const { output } = ids(1);
  await clock.advance(2000);
  expect((await output).values).toEqual([{ id: 1, found: { name: "n1" } }]);
});

test("what is being asked ends with the run", async () => {
  const { clock, ids } = await enrich(() => {
    throw new ConnectorError("UNAVAILABLE", "Away.", { fault: "destination" });
  });
  const { output } = ids(1);
  await clock.advance(1000);
  const ended = expect(output).rejects.toThrow("the run ends");
  stop.abort(new Error("the run ends"));
  await ended;
});
