import { afterAll, describe, expect, test } from "vitest";
import { createSandbox } from "../../adapters/isolate/index.ts";
import { createValidator } from "../../adapters/json-schema/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { type GivenRecords, givenTo, judge, type TestCase } from "../../runtime/testing/index.ts";
import { simulate } from "./simulate.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.close());
const validator = createValidator();

const records = [1, 2, 3, 4].map((n) => ({ n }));
const base: JsonObject = { source: { connector: "s", stream: "in" }, trigger: { type: "manual" } };
const append: JsonObject = { ...base, destination: { connector: "d", stream: "out" } };
const upsert: JsonObject = {
  ...base,
  delivery: { batch: { records: 1 } },
  destination: { connector: "d", stream: "out", mode: "upsert", key: ["n"] },
};
const replace: JsonObject = { ...base, destination: { connector: "d", stream: "out", mode: "replace" } };
const two: JsonObject = {
  ...base,
  destinations: [
    { id: "a", connector: "d", stream: "a" },
    { id: "b", connector: "d", stream: "b" },
  ],
};
const ids = (spec: JsonObject) => (spec === two ? ["a", "b"] : ["d"]);

function textsOf(given: GivenRecords): string[] {
  return "file" in given ? [] : given.map((record) => JSON.stringify(record));
}

async function run(spec: JsonObject, change: Partial<TestCase> = {}) {
  const test: TestCase = { name: "t", integration: "i", given: { records, batch: 1 }, expect: {}, ...change };
  const outcome = await simulate({
    test,
    spec,
    texts: (source) => textsOf(givenTo(source, test)),
    validator,
    sandbox,
  });
  return { outcome, found: judge(test, outcome) };
}

const all = { acks: "all", status: "success", counts: { in: 4, filtered: 0, failed: 0 } } as const;

describe.each(["append", "write", "commit", "ack"] as const)("a crash before %s", (before) => {
  test.each([
    [1, "an upsert", upsert],
    [3, "an upsert", upsert],
    [1, "a replacement", replace],
    [2, "two destinations", two],
  ])("at its number %i loses nothing of %s", async (nth, _, spec) => {
    const outputs = Object.fromEntries(ids(spec).map((id) => [id, { records, duplicates: spec === two }]));
    const expected = { ...all, outputs };
    const { found, outcome } = await run(spec, { faults: { crashes: [{ before, nth }] }, expect: expected });
    expect(found).toEqual([]);
    expect(outcome.elapsedMs).toBeGreaterThanOrEqual(1_000);
  });
});

test("a crash between a write and its commit writes twice what cannot be undone, and only then", async () => {
  const twice = [...records.slice(0, 1), ...records];
  for (const before of ["append", "write", "commit", "ack"] as const) {
    const outputs = { d: before === "commit" ? twice : records };
    const { found } = await run(append, {
      given: { records: records, batch: 4 },
      faults: { crashes: [{ before }] },
      expect: { ...all, outputs: before === "commit" ? { d: { records, duplicates: true, count: 8 } } : outputs },
    });
    expect({ before, found }).toEqual({ before, found: [] });
  }
});

test("a crash counts for one destination alone where it says so", async () => {
  const crashes = [
    { before: "append", destination: "b", nth: 2 },
    { before: "write", destination: "a" },
    { before: "ack", destination: "b" },
  ] as const;
  const { found } = await run(two, { faults: { crashes }, expect: { ...all, outputs: { b: records } } });
  expect(found).toEqual([]);
});

test.each([
  ["the ingest log", [{ batch: 2 }]],
  [
    "the deliver log",
    [
      { batch: 1, destination: "a" },
      { batch: 4, destination: "b" },
    ],
  ],
])("a batch that %s delivers again is written and counted once", async (_, duplicates) => {
  const expected = { ...all, outputs: { a: records, b: records }, attempts: { a: [{ where: "$.n > 0", count: 1 }] } };
  expect((await run(two, { faults: { duplicates }, expect: expected })).found).toEqual([]);
});

test("a destination that answers 429 twice and then times out is asked again, and each try counts", async () => {
  const writes = [
    { code: "RATE_LIMITED", retry_after: "30s", times: 2 },
    { code: "TIMEOUT", written: true },
  ] as const;
  const { found } = await run(append, {
    given: { records: records.slice(0, 1) },
    faults: { destinations: { d: { writes } } },
    expect: {
      outputs: { d: { records: records.slice(0, 1), duplicates: true, count: 2 } },
      attempts: { d: 4 },
      acks: "all",
      elapsed: { at_least: "60s", at_most: "70s" },
    },
  });
  expect(found).toEqual([]);
});

test("a record that is refused goes to the dead letters, one that is refused twice is written the third time", async () => {
  const refused = [
    { where: "$.n == 2", code: "BUSINESS_RULE", message: "not this one" },
    { where: "$.n == 3", code: "RATE_LIMITED", times: 2 },
  ] as const;
  const { found } = await run(append, {
    given: { records },
    faults: { destinations: { d: { records: refused } } },
    expect: {
      outputs: { d: { records: [{ n: 1 }, { n: 3 }, { n: 4 }], order: "any" } },
      dead_letters: [{ destination: "d", code: "BUSINESS_RULE", message: "not this", record: { n: 2 }, attempts: 1 }],
      attempts: {
        d: [
          { where: "$.n == 3", count: 3 },
          { where: "$.n != 3", count: 1 },
        ],
      },
      counts: { in: 4, out: 3, failed: 1 },
      acks: "all",
      status: "partial",
    },
  });
  expect(found).toEqual([]);
});

test("an hour of retries takes no hour, and ends in the dead letters with every attempt", async () => {
  const start = performance.now();
  const { found } = await run(
    { ...append, delivery: { retry: { max_attempts: 13, initial: "5m", max: "5m", jitter: 0 } } },
    {
      given: { records: records.slice(0, 1) },
      faults: { destinations: { d: { writes: [{ code: "UNAVAILABLE", times: "always" }] } } },
      expect: {
        dead_letters: [{ code: "UNAVAILABLE", attempts: 13 }],
        attempts: { d: 13 },
        elapsed: { at_least: "60m", at_most: "61m" },
        status: "partial",
      },
    },
  );
  expect(found).toEqual([]);
  expect(performance.now() - start).toBeLessThan(60_000);
});

test("once ten calls have failed the circuit opens: no attempt counts any more, and nothing else is given up", async () => {
  const many = Array.from({ length: 8 }, (_, n) => ({ n }));
  const retry = { max_attempts: 2, initial: "1s", jitter: 0 };
  const { found, outcome } = await run(
    { ...upsert, delivery: { batch: { records: 1 }, retry } },
    {
      given: { records: many, batch: 1 },
      faults: { destinations: { d: { writes: [{ code: "UNAVAILABLE", times: 12 }] } } },
      expect: {
        status: "partial",
        // Each fails once; the ninth failure is a second one, the tenth counts no more.
        dead_letters: [{ code: "UNAVAILABLE", attempts: 2, record: { n: 0 } }],
        outputs: { d: { records: many.slice(1), order: "any" } },
      },
    },
  );
  expect(found).toEqual([]);
  // The tenth failure opened it, the two after that were trials.
  expect(outcome.elapsedMs).toBeGreaterThanOrEqual(90_000);
});

test("a rate limit spreads the calls over minutes", async () => {
  const { found, outcome } = await run(
    { ...upsert, delivery: { batch: { records: 1 }, rate_limit: { per_minute: 2 } } },
    { expect: { ...all, outputs: { d: records } } },
  );
  expect(found).toEqual([]);
  expect(outcome.elapsedMs).toBeGreaterThanOrEqual(60_000);
  expect(outcome.elapsedMs).toBeLessThan(120_000);
});

test("what is the destination's fault waits, is no attempt of a record, and the run says why", async () => {
  const { found } = await run(append, {
    faults: { destinations: { d: { writes: [{ code: "FORBIDDEN", message: "key revoked", times: "always" }] } } },
    stop_after: "2m",
    expect: {
      status: "running",
      waiting: "d: key revoked (circuit open until 2026-01-01T00:02:30Z)",
      acks: "none",
      dead_letters: [],
      outputs: { d: [] },
    },
  });
  expect(found).toEqual([]);
});

test("a source that fails on the way is read on from its cursor; one that keeps saying why fails the run", async () => {
  const reads = [{ code: "OK", times: 2 }, { code: "UNAVAILABLE" }] as const;
  const passing = await run(append, {
    faults: { sources: { in: { reads } } },
    expect: { ...all, outputs: { d: records } },
  });
  expect(passing.found).toEqual([]);
  const failing = await run(append, {
    faults: {
      sources: { "s/in": { reads: [{ code: "OK" }, { code: "FORBIDDEN", message: "not for you", times: "always" }] } },
    },
    expect: {
      status: "failed",
      error: { code: "FORBIDDEN", message: "for you" },
      outputs: { d: [{ n: 1 }] },
      acks: "all",
    },
  });
  expect(failing.found).toEqual([]);
});

test("scripts run in the sandbox while the clock stands still", async () => {
  const steps = [{ id: "js", type: "transform", script: "(record) => ({ n: record.n * 2 })" }];
  const { found } = await run(
    { ...append, pipeline_spec: { steps } },
    { expect: { ...all, outputs: { d: records.map(({ n }) => ({ n: n * 2 })) }, elapsed: { at_most: "2s" } } },
  );
  expect(found).toEqual([]);
});

const enriched: JsonObject = {
  ...append,
  pipeline_spec: {
    steps: [{ id: "who", type: "enrich", connector: "crm", request: { id: "{{ $.n }}" }, merge_at: "name" }],
  },
};

test("look-ups are answered by the test, and their failures follow the error taxonomy", async () => {
  const { found } = await run(enriched, {
    given: { records: [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 1 }] },
    lookups: {
      crm: [
        { request: { id: 1 }, fail: { code: "RATE_LIMITED", retry_after: "10s", times: 2 } },
        { request: { id: 1 }, answer: "Ada" },
        { request: { id: 2 }, answer: null },
        { request: { id: 3 }, fail: { code: "BUSINESS_RULE", message: "not this one" } },
      ],
    },
    expect: {
      outputs: {
        d: {
          records: [
            { n: 1, name: "Ada" },
            { n: 1, name: "Ada" },
          ],
        },
      },
      dead_letters: [
        { step: "who", code: "NOT_FOUND", record: { n: 2 } },
        { step: "who", code: "BUSINESS_RULE", record: { n: 3 } },
      ],
      counts: { in: 4, out: 2, failed: 2 },
      elapsed: { at_least: "20s", at_most: "30s" },
      acks: "all",
    },
  });
  expect(found).toEqual([]);
});

test("a look-up that the test says nothing of fails it, as does an answer that nobody asked for", async () => {
  const { found } = await run(enriched, {
    given: { records: [{ n: 1 }] },
    lookups: { crm: [{ request: { id: 7 }, answer: "Eve" }] },
  });
  expect(found).toMatchObject([
    { found: 'lookups.crm has no answer to {"id":1}' },
    { path: "lookups.crm[0]", found: "it never happened" },
  ]);
});

test("windows are summed up once, whatever crashes", async () => {
  const steps = [
    { id: "sums", type: "aggregate", key: ["k"], window: { count: 3 }, measures: { total: { sum: "n" } } },
  ];
  const given = { records: [1, 2, 3, 4, 5].map((n) => ({ k: "a", n })), batch: 1 };
  const outputs = {
    d: [
      { k: "a", total: 6 },
      { k: "a", total: 9 },
    ],
  };
  for (const before of ["append", "write", "commit", "ack"] as const) {
    for (const nth of [1, 2]) {
      const { found } = await run(
        {
          ...upsert,
          destination: { connector: "d", stream: "out", mode: "upsert", key: ["total"] },
          pipeline_spec: { steps },
        },
        { given, faults: { crashes: [{ before, nth }] }, expect: { outputs, status: "success" } },
      );
      expect({ before, nth, found }).toEqual({ before, nth, found: [] });
    }
  }
});

test("windows close by virtual time", async () => {
  const steps = [
    { id: "sums", type: "aggregate", key: ["k"], window: { duration: "1m" }, measures: { total: { sum: "n" } } },
  ];
  const { found } = await run(
    { ...append, pipeline_spec: { steps } },
    {
      given: { records: [1, 2, 3].map((n) => ({ k: "a", n })), batch: 1 },
      faults: {
        sources: {
          in: {
            reads: [
              { code: "OK", times: 2 },
              { code: "UNAVAILABLE", retry_after: "5m" },
            ],
          },
        },
      },
      expect: {
        outputs: {
          d: [
            { k: "a", total: 3 },
            { k: "a", total: 3 },
          ],
        },
        elapsed: { at_least: "5m" },
      },
    },
  );
  expect(found).toEqual([]);
});

test("two destinations that write to one stream hold records of their own", async () => {
  const where = { n: "$.n > 2", all: "$.n > 0" };
  const steps = [
    { id: "large", type: "filter", needs: ["source"], where: where.n },
    { id: "all", type: "filter", needs: ["source"], where: where.all },
  ];
  const to = { connector: "d", stream: "out" };
  const destinations = [
    { ...to, id: "one", needs: ["large"] },
    { ...to, id: "other", needs: ["all"] },
  ];
  const { found } = await run(
    { ...base, pipeline_spec: { steps }, destinations },
    { expect: { outputs: { one: records.slice(2), other: records }, acks: "all" } },
  );
  expect(found).toEqual([]);
});

test("several sources have records of their own, and several steps feed one destination", async () => {
  const { source: _, ...rest } = append;
  const sources = ["one", "two"].map((stream) => ({ connector: "s", stream }));
  const { found } = await run(
    { ...rest, sources },
    {
      given: { streams: { one: [{ n: 1 }, { n: 2 }], "s/two": [{ n: 3 }] }, batch: 1 },
      faults: { sources: { two: { reads: [{ code: "UNAVAILABLE" }] } } },
      expect: {
        outputs: { d: { records: [{ n: 1 }, { n: 2 }, { n: 3 }], order: "any" } },
        acks: "all",
        counts: { in: 3, out: 3 },
        status: "success",
      },
    },
  );
  expect(found).toEqual([]);
});

test("what scripts remember is forgotten by the next test", async () => {
  const script = "(record) => ({ n: (globalThis.calls = (globalThis.calls ?? 0) + 1) })";
  const spec = { ...append, pipeline_spec: { steps: [{ id: "js", type: "transform", script }] } };
  for (const name of ["one", "other"]) {
    const expected = { outputs: { d: [{ n: 1 }] }, dead_letters: [] };
    expect((await run(spec, { name, given: { records: [{}] }, expect: expected })).found).toEqual([]);
  }
});

test("a contract holds against the schema that the stream has so far", async () => {
  const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
  const { found } = await run(
    { ...append, schema: { contract: "freeze" } },
    {
      given: { records: [{ n: 1 }, { n: "two" }], schema },
      expect: { outputs: { d: [{ n: 1 }] }, dead_letters: [{ code: "VALIDATION_ERROR", record: { n: "two" } }] },
    },
  );
  expect(found).toEqual([]);
});

test("time begins where the test says, and the same test always gives the same", async () => {
  const change = {
    given: { records, batch: 1, at: "2030-05-05T00:00:00Z" },
    faults: { destinations: { d: { writes: [{ code: "TIMEOUT", times: 5 }] } } },
  } as const;
  const [one, other] = [await run(append, change), await run(append, change)];
  expect(one.outcome.run.finishedAt?.toISOString()).toMatch(/^2030-05-05T00:0/);
  expect(other.outcome.elapsedMs).toBe(one.outcome.elapsedMs);
});

test("a fault that never happens fails the test", async () => {
  const faults = {
    sources: { in: { reads: [{ code: "OK", times: 99 }] } },
    destinations: {
      d: { writes: [{ code: "TIMEOUT", times: 9 }], records: [{ where: "$.n == 9", code: "CONFLICT" }] },
    },
    crashes: [{ before: "write", nth: 99 }],
    duplicates: [{ batch: 9 }],
  } as const;
  const { found } = await run(append, { stop_after: "5s", faults });
  expect(found.map(({ path }) => path).sort()).toEqual([
    "faults.crashes[0]",
    "faults.destinations.d.records[0]",
    "faults.destinations.d.writes[0]",
    "faults.duplicates[0]",
    "faults.sources.in.reads[0]",
  ]);
});
