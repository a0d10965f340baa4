import { describe, expect, test } from "vitest";
import { shareNode } from "./shared-node.ts";

const shared = shareNode();
const filter = (id: string, where: string, needs?: string[]) => ({
  id,
  type: "filter",
  where,
  ...(needs && { needs }),
});
const failing = (code: string, ratio = 1) => ({ fail: { ratio, code } });
const quick = { max_attempts: 3, initial: "10ms", max: "20ms" };

/** Runs `count` records with ids from 0 through the integration, its destinations' connectors made of their configs. */
async function runOf(
  { count = 10, faults }: { count?: number; faults?: object },
  destinations: Readonly<Record<string, { config?: object; needs?: string[] }>>,
  rest: object = {},
) {
  const template = { id: "{{ index }}", word: "{{ word }}" };
  const source = await shared.connector("generator", { count, template, ...(faults && { faults }) });
  const ends = await Promise.all(
    Object.entries(destinations).map(async ([id, { config, needs }]) => ({
      id,
      connector: await shared.connector("blackhole", config),
      stream: "d",
      ...(needs && { needs }),
    })),
  );
  const id = await shared.integration({ source: { connector: source, stream: "s" }, destinations: ends, ...rest });
  const run = await shared.run(id);
  return { run, letters: await shared.node.api.deadLetters<Letter>(id) };
}

interface Letter {
  readonly destination: string | null;
  readonly step: string | null;
  readonly code: string;
  readonly rule: number | null;
  readonly attempt_count: number;
  readonly attempts: readonly { at: string; code: string }[];
  readonly payload: { id: number } | null;
  readonly raw: string;
}

const counts = (run: { records_in: number; records_out: number; records_filtered: number; records_failed: number }) => [
  run.records_in,
  run.records_out,
  run.records_filtered,
  run.records_failed,
];

describe.concurrent("what fails is settled by its code", () => {
  test.each(["VALIDATION_ERROR", "NOT_FOUND", "CONFLICT", "BUSINESS_RULE"])("%s is not tried again", async (code) => {
    const { run, letters } = await runOf({}, { d: { config: failing(code) } }, { delivery: { retry: quick } });
    expect([run.status, ...counts(run)]).toEqual(["partial", 10, 0, 0, 10]);
    expect(letters).toHaveLength(10);
    expect(letters[0]).toMatchObject({ destination: "d", step: null, code, attempt_count: 1 });
  });

  test.each(["RATE_LIMITED", "INTERNAL_ERROR", "UNAVAILABLE", "TIMEOUT"])("%s is tried again", async (code) => {
    const { run, letters } = await runOf({}, { d: { config: failing(code) } }, { delivery: { retry: quick } });
    expect([run.status, ...counts(run)]).toEqual(["partial", 10, 0, 0, 10]);
    expect(letters[0]).toMatchObject({ destination: "d", code, attempt_count: 3 });
    expect(letters[0]?.attempts).toHaveLength(3);
    // Half of all fail: the circuit may open.
    const delivery = { retry: { ...quick, max_attempts: 60 }, circuit_breaker: { open_for: "20ms" } };
    const { run: healed } = await runOf({}, { d: { config: failing(code, 0.5) } }, { delivery });
    expect(healed).toMatchObject({ status: "success", records_out: 10 });
  });

  test.each(["UNAUTHORIZED", "FORBIDDEN"])("%s is the destination's fault: the records wait", async (code) => {
    const source = await shared.connector("generator", { count: 3 });
    const destination = await shared.connector("blackhole", failing(code));
    const id = await shared.integration({
      source: { connector: source, stream: "s" },
      destination: { connector: destination, stream: "d" },
    });
    const run = await shared.until(await shared.node.api.run(id), ({ waiting }) => waiting !== null);
    expect(run).toMatchObject({ status: "running", records_failed: 0, waiting: expect.stringContaining(destination) });
    expect(await shared.node.api.deadLetters(id)).toEqual([]);
    expect((await shared.call("GET", `/v1/integrations/${id}`)).body.health_reason).toContain(destination);
    expect((await shared.call("DELETE", `/v1/integrations/${id}`)).status).toBe(204);
  });
});

test("waits between attempts are as configured", async () => {
  const retry = { max_attempts: 4, initial: "100ms", max: "200ms", multiplier: 2, jitter: 0 };
  const { letters } = await runOf({ count: 1 }, { d: { config: failing("UNAVAILABLE") } }, { delivery: { retry } });
  const times = letters[0]!.attempts.map(({ at }) => Date.parse(at));
  for (const [index, least] of [100, 200, 200].entries()) {
    expect(times[index + 1]! - times[index]!).toBeGreaterThanOrEqual(least - 1);
  }
});

test("delivery.batch bounds a write", async () => {
  // 4 writes at once: 40 writes of 50 ms are 500 ms at least, one write of all would be 50 ms.
  const { run } = await runOf(
    { count: 40 },
    { d: { config: { latency: "50ms" } } },
    { delivery: { batch: { records: 1 } } },
  );
  const { started_at, finished_at } = run as { started_at: string; finished_at?: string };
  expect(Date.parse(finished_at!) - Date.parse(started_at)).toBeGreaterThanOrEqual(500);
});

describe.concurrent("each record counts once", () => {
  const all = { config: failing("VALIDATION_ERROR") };
  const lo = filter("lo", "$.id < 6", ["source"]);
  const hi = filter("hi", "$.id >= 4", ["source"]);
  const toInteger = { id: "m", type: "map", mapping: [{ source: "$.word", destination: "n", cast: "integer" }] };
  test.each<[string, Record<string, object>, object, unknown[]]>([
    ["a plain copy", { a: {} }, {}, ["success", 10, 10, 0, 0, { a: [10, 0] }]],
    ["two that fail", { a: all, b: all }, {}, ["partial", 10, 0, 0, 10, { a: [0, 10], b: [0, 10] }]],
    ["one of two that fails", { a: all, b: {} }, {}, ["partial", 10, 10, 0, 10, { a: [0, 10], b: [10, 0] }]],
    [
      "branches that overlap",
      { a: { needs: ["lo"] }, b: { needs: ["hi"] } },
      [lo, hi],
      ["success", 10, 12, 0, 0, { a: [6, 0], b: [6, 0] }],
    ],
    ["a union", { a: { needs: ["lo", "hi"] } }, [lo, hi], ["success", 10, 12, 0, 0, { a: [12, 0] }]],
    [
      "the source beside a step",
      { a: { needs: ["source"] }, b: {} },
      [filter("f", "$.id < 3")],
      ["success", 10, 13, 0, 0, { a: [10, 0], b: [3, 0] }],
    ],
    [
      "steps out of order",
      { a: { needs: ["n"] } },
      [filter("n", "$.id > 0", ["f"]), filter("f", "$.id < 4", ["source"])],
      ["success", 10, 3, 7, 0, { a: [3, 0] }],
    ],
    [
      "ids that every object has",
      { constructor: {}, toString: { needs: ["source"] } },
      [filter("valueOf", "$.id < 3")],
      ["success", 10, 13, 0, 0, { constructor: [3, 0], toString: [10, 0] }],
    ],
    ["one id that every object has", { constructor: all }, {}, ["partial", 10, 0, 0, 10, { constructor: [0, 10] }]],
    ["nothing that passes", { a: {} }, [filter("f", "$.id < 0")], ["success", 10, 0, 10, 0, {}]],
    ["a step that fails", { a: {} }, [toInteger], ["partial", 10, 0, 0, 10, {}]],
    ["a step that fails and drops", { a: {} }, [{ ...toInteger, on_error: "drop" }], ["success", 10, 0, 10, 0, {}]],
  ])("%s", async (_, destinations, steps, expected) => {
    const { run } = await runOf({}, destinations, Array.isArray(steps) ? { pipeline_spec: { steps } } : steps);
    const byDestination = Object.entries(run.by_destination).map(([id, { out, failed }]) => [id, [out, failed]]);
    expect([run.status, ...counts(run), Object.fromEntries(byDestination)]).toEqual(expected);
  });

  test("a step that stops the run says which, and why", async () => {
    const { run } = await runOf({}, { a: {} }, { pipeline_spec: { steps: [{ ...toInteger, on_error: "stop" }] } });
    expect(run).toMatchObject({
      status: "failed",
      error: { code: "VALIDATION_ERROR", message: expect.stringMatching(/^step m: .*\$\.word/) },
    });
  });

  test("a step's dead letter names step and rule, and holds the record as it came", async () => {
    const { letters } = await runOf({ count: 1 }, { a: {} }, { pipeline_spec: { steps: [toInteger] } });
    expect(letters).toMatchObject([
      { step: "m", rule: 0, destination: null, code: "VALIDATION_ERROR", payload: { id: 0 }, state: { id: 0 } },
    ]);
  });

  test("a source's faults cost what they say", async () => {
    const malformed = await runOf({ count: 100, faults: { malformed: 0.2 } }, { a: {} });
    expect(malformed.run.records_failed).toBeGreaterThan(0);
    expect(malformed.run.records_out + malformed.run.records_failed).toBe(100);
    expect(malformed.letters[0]).toMatchObject({
      step: null,
      destination: null,
      payload: null,
      code: "VALIDATION_ERROR",
    });
    const broken = await runOf({ count: 100, faults: { error_at: [50] } }, { a: {} });
    expect([broken.run.status, ...counts(broken.run)]).toEqual(["success", 100, 100, 0, 0]);
  });
});
