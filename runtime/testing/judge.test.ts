import { expect, test } from "vitest";
import { judge, type Outcome } from "./judge.ts";
import type { Expectations } from "./test-case.ts";

const at = new Date(0);
const letter = {
  id: "l",
  runId: "r",
  integrationId: "i",
  integrationVersion: 1,
  recordId: "x",
  step: "map",
  destination: null,
  rule: 2,
  code: "VALIDATION_ERROR",
  message: "no integer: 1.5",
  raw: Buffer.from('{"n":1.5}'),
  state: '{"n":1.5,"m":0}',
  position: { base: "b", ordinal: 1 },
  attempts: [],
  fingerprint: "f",
  traceId: null,
} as const;

const outcome: Outcome = {
  run: {
    id: "r",
    integrationId: "i",
    integrationVersion: 1,
    trigger: "manual",
    status: "partial",
    startedAt: at,
    finishedAt: at,
    counts: { in: 4, out: 2, filtered: 1, failed: 1, byDestination: {} },
    error: { code: "FORBIDDEN", message: "the key was revoked", path: "config.key" },
    waiting: null,
  },
  destinations: new Map([
    ["d", { records: [{ n: 1 }, { n: 2 }, { n: 1 }], calls: 3, tries: [{ record: { n: 1 }, count: 2 }] }],
  ]),
  deadLetters: [letter],
  acks: { due: 2, done: 2 },
  elapsedMs: 90_000,
  violations: [],
  unused: [],
};

const judged = (expected: Expectations, more: Partial<Outcome> = {}) =>
  judge({ name: "t", integration: "i", given: {}, expect: expected }, { ...outcome, ...more });

test.each<[Expectations]>([
  [{ outputs: { d: [{ n: 1 }, { n: 2 }, { n: 1 }] } }],
  [{ outputs: { d: { records: [{ n: 2 }, { n: 1 }, { n: 1 }], order: "any" } } }],
  [{ outputs: { d: { records: [{ n: 1 }, { n: 2 }], duplicates: true } } }],
  [{ outputs: { d: { contains: [{ n: 2 }], count: 3 } } }],
  [{ dead_letters: [{}] }],
  [{ dead_letters: [{ step: "map", rule: 2, code: "VALIDATION_ERROR", message: "no integer" }] }],
  [{ dead_letters: [{ record: { n: 1.5 }, state: { n: 1.5, m: 0 }, attempts: 0 }] }],
  [{ attempts: { d: 3 } }],
  [
    {
      attempts: {
        d: [
          { where: "$.n == 1", count: 2 },
          { where: "$.n == 9", count: 0 },
        ],
      },
    },
  ],
  [{ acks: "all" }],
  [{ counts: { in: 4 } }],
  [{ counts: { in: 4, out: 2, filtered: 1, failed: 1 }, status: "partial" }],
  [{ error: { code: "FORBIDDEN", message: "revoked", path: "config.key" } }],
  [{ elapsed: { at_least: "90s", at_most: "90s" } }],
])("%j holds", (expected) => {
  expect(judged(expected)).toEqual([]);
});

test.each<[Expectations, ...unknown[]]>([
  [{ outputs: { d: [{ n: 1 }, { n: 2 }] } }, { path: "expect.outputs.d[2]", found: { n: 1 } }],
  [
    { outputs: { d: [{ n: 1 }, { n: 1 }, { n: 2 }] } },
    { path: "expect.outputs.d[1].n", expected: 1, found: 2 },
    { path: "expect.outputs.d[2].n", expected: 2, found: 1 },
  ],
  [{ outputs: { d: { records: [{ n: 1 }, { n: 2 }] } } }, { path: "expect.outputs.d.records[2]", found: { n: 1 } }],
  [
    { outputs: { d: { records: [{ n: 2 }, { n: 3 }, { n: 1 }], order: "any" } } },
    { path: "expect.outputs.d.records[1].n", expected: 3, found: 1 },
  ],
  [
    { outputs: { d: { records: [{ n: 2 }, { n: 1 }], duplicates: true } } },
    { path: "expect.outputs.d.records[0].n", expected: 2, found: 1 },
    { path: "expect.outputs.d.records[1].n", expected: 1, found: 2 },
  ],
  [{ outputs: { d: { contains: [{ n: 3 }] } } }, { path: "expect.outputs.d.contains[0].n", expected: 3, found: 1 }],
  [{ outputs: { d: { count: 2 } } }, { path: "expect.outputs.d.count", expected: 2, found: 3 }],
  [{ dead_letters: [{ rule: 1 }] }, { path: "expect.dead_letters[0].rule", expected: 1, found: 2 }],
  [{ dead_letters: [{ destination: "d" }] }, { path: "expect.dead_letters[0].destination", expected: "d" }],
  [
    { dead_letters: [{ message: "no number" }] },
    { path: "expect.dead_letters[0].message", expected: "no number", found: "no integer: 1.5" },
  ],
  [
    { dead_letters: [{ message: "no integer", code: "TIMEOUT" }] },
    { path: "expect.dead_letters[0].code", expected: "TIMEOUT", found: "VALIDATION_ERROR" },
  ],
  [{ dead_letters: [{}, { step: "x" }] }, { path: "expect.dead_letters[1]", expected: { step: "x" } }],
  [{ attempts: { d: 2 } }, { path: "expect.attempts.d", expected: 2, found: 3 }],
  [
    { attempts: { d: [{ where: "$.n == 1", count: 1 }] } },
    { path: "expect.attempts.d[0].count", expected: 1, found: 2 },
  ],
  [
    { attempts: { d: [{ where: "$.n == 9", count: 1 }] } },
    { path: "expect.attempts.d[0].where", expected: "a record", found: "none" },
  ],
  [{ acks: "none" }, { path: "expect.acks", expected: "none", found: "2 of 2 batches" }],
  [{ counts: { out: 3 } }, { path: "expect.counts.out", expected: 3, found: 2 }],
  [{ status: "success" }, { path: "expect.status", expected: "success", found: "partial" }],
  [{ error: { code: "TIMEOUT" } }, { path: "expect.error.code", expected: "TIMEOUT", found: "FORBIDDEN" }],
  [{ error: { message: "gone" } }, { path: "expect.error.message", expected: "gone", found: "the key was revoked" }],
  [{ waiting: "away" }, { path: "expect.waiting", expected: "away", found: null }],
  [{ elapsed: { at_least: "2m" } }, { path: "expect.elapsed.at_least", expected: "2m", found: "90000ms" }],
  [{ elapsed: { at_most: "1m" } }, { path: "expect.elapsed.at_most", expected: "1m", found: "90000ms" }],
])("%j does not hold, and the difference is told", (expected, ...found) => {
  expect(judged(expected)).toEqual(found);
});

test("a dead letter that nobody expected is told with what it holds", () => {
  expect(judged({ dead_letters: [] })).toMatchObject([
    { path: "expect.dead_letters[0]", found: { step: "map", rule: 2, record: { n: 1.5 } } },
  ]);
});

test("a batch that was not acknowledged is told", () => {
  expect(judged({ acks: "all" }, { acks: { due: 2, done: 1 } })).toEqual([
    { path: "expect.acks", expected: "all", found: "1 of 2 batches" },
  ]);
});

test("a broken promise and a fault that never happened fail every test", () => {
  expect(judged({}, { violations: ["batch 1 was acknowledged before it was settled"] })).toHaveLength(1);
  expect(judged({}, { unused: ["faults.crashes[0]"] })).toMatchObject([{ path: "faults.crashes[0]" }]);
});
