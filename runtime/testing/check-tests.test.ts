import { expect, test } from "vitest";
import { createValidator } from "../../adapters/json-schema/index.ts";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { checkTestFile, checkTests } from "./check-tests.ts";
import type { TestFile } from "./test-case.ts";
import { publishedTestSchema } from "./test-schema.ts";

const validator = createValidator();
const good = { name: "n", integration: "one", given: { records: [{ a: 1 }] }, expect: { status: "success" } };

const shape = (change: JsonObject, file: JsonObject = {}) =>
  checkTestFile({ tests: [{ ...good, ...change }], ...file } as Json, validator);

test("a test of the right shape is taken", () => {
  expect(shape({})).toEqual([]);
  expect(shape({}, { config: "x.yaml" })).toEqual([]);
});

test.each<[JsonObject, string, string]>([
  [{ expects: {} }, "expects", 'unknown field "expects"; did you mean "expect"?'],
  [{ given: { record: [] } }, "given.record", 'unknown field "record"; did you mean "records"?'],
  [{ given: { records: { file: "x", fil: "y" } } }, "given.records.fil", 'unknown field "fil"; did you mean "file"?'],
  [{ given: { records: [1] } }, "given.records[0]", "must be an object, not a number"],
  [{ given: { records: [], at: "soon" } }, "given.at", "must be of the format date-time"],
  [{ expect: {} }, "expect", "must hold at least 1 field"],
  [{ expect: { output: {} } }, "expect.output", 'unknown field "output"; did you mean "outputs"?'],
  [
    { expect: { outputs: { d: { contain: [] } } } },
    "expect.outputs.d.contain",
    'unknown field "contain"; did you mean "contains"?',
  ],
  [{ expect: { outputs: { d: 1 } } }, "expect.outputs.d", "must be an array or an object, not a number"],
  [
    { expect: { dead_letters: [{ cod: "TIMEOUT" }] } },
    "expect.dead_letters[0].cod",
    'unknown field "cod"; did you mean "code"?',
  ],
  [{ expect: { dead_letters: [{ code: "TIMEOT" }] } }, "expect.dead_letters[0].code", 'did you mean "TIMEOUT"?'],
  [{ expect: { count: { in: 1 } } }, "expect.count", 'unknown field "count"; did you mean "counts"?'],
  [{ expect: { acks: "every" } }, "expect.acks", "must be one of all, none"],
  [{ expect: { attempts: { d: "3" } } }, "expect.attempts.d", "must be an integer or an array, not a string"],
  [{ expect: { elapsed: { at_most: "1 minute" } } }, "expect.elapsed.at_most", "must be a duration"],
  [{ faults: { crash: [] } }, "faults.crash", 'unknown field "crash"; did you mean "crashes"?'],
  [{ faults: { crashes: [{ before: "acks" }] } }, "faults.crashes[0].before", 'did you mean "ack"?'],
  [{ faults: { destinations: { d: { write: [] } } } }, "faults.destinations.d.write", 'did you mean "writes"?'],
  [
    { faults: { destinations: { d: { writes: [{ code: 429 }] } } } },
    "faults.destinations.d.writes[0].code",
    "must be one of OK",
  ],
  [
    { faults: { destinations: { d: { writes: [{ code: "OK", times: "ever" }] } } } },
    "faults.destinations.d.writes[0].times",
    "a whole number, or always",
  ],
  [{ lookups: { geo: [{ answer: 1 }] } }, "lookups.geo[0].request", "is required"],
])("%j is refused at its place", (change, path, message) => {
  const errors = shape(change);
  expect(errors).toEqual([{ path: `tests[0].${path}`, message: expect.stringContaining(message) }]);
});

const source = { connector: "s", stream: "in" };
const one: JsonObject = {
  source,
  trigger: { type: "manual" },
  destination: { connector: "d", stream: "out" },
  pipeline_spec: { steps: [{ id: "keep", type: "filter", where: "$.a" }] },
};
const { source: _, ...rest } = one;
const several: JsonObject = { ...rest, sources: [source, { connector: "s", stream: "other" }] };
const pushed: JsonObject = { ...rest, trigger: { type: "webhook", auth: { scheme: "none" } } };
const integrations = new Map([
  ["pushed", pushed],
  ["one", one],
  ["several", several],
]);
const check = (change: JsonObject) =>
  checkTests({ tests: [{ ...good, ...change }] } as unknown as TestFile, integrations);

test("what a test names may be there under either name", () => {
  expect(check({})).toEqual([]);
  const streams = { in: [{}], "s/other": [{}] };
  expect(check({ integration: "several", given: { streams } })).toEqual([]);
});

test.each<[JsonObject, string, string]>([
  [{ integration: "onne" }, "integration", 'did you mean "one"?'],
  [{ integration: "pushed" }, "integration", "has no source"],
  [{ given: {} }, "given", "needs records or streams, and not both"],
  [{ given: { records: [], streams: { in: [] } } }, "given", "not both"],
  [{ integration: "several" }, "given.records", "the integration has several sources: give streams"],
  [{ given: { streams: { inn: [] } } }, "given.streams.inn", 'did you mean "in"?'],
  [{ expect: { outputs: { e: [] } } }, "expect.outputs.e", "unknown destination"],
  [{ expect: { outputs: { d: { count: 1, order: "any" } } } }, "expect.outputs.d.order", "records is missing"],
  [{ expect: { dead_letters: [{ step: "kep" }] } }, "expect.dead_letters[0].step", 'did you mean "keep"?'],
  [{ expect: { dead_letters: [{ destination: "x" }] } }, "expect.dead_letters[0].destination", "unknown destination"],
  [{ expect: { attempts: { x: 1 } } }, "expect.attempts.x", "unknown destination"],
  [{ expect: { attempts: { d: [{ where: "$.[", count: 1 }] } } }, "expect.attempts.d[0].where", ""],
  [{ faults: { sources: { x: {} } } }, "faults.sources.x", "unknown stream"],
  [{ faults: { destinations: { x: {} } } }, "faults.destinations.x", "unknown destination"],
  [
    { faults: { destinations: { d: { records: [{ where: "a b", code: "CONFLICT" }] } } } },
    "faults.destinations.d.records[0].where",
    "",
  ],
  [
    { faults: { crashes: [{ before: "write", destination: "x" }] } },
    "faults.crashes[0].destination",
    "unknown destination",
  ],
  [
    { faults: { crashes: [{ before: "commit", destination: "d" }] } },
    "faults.crashes[0].destination",
    "a commit holds",
  ],
  [{ faults: { duplicates: [{ destination: "d" }] } }, "faults.duplicates[0].destination", "no log of its own"],
  [{ lookups: { geo: [] } }, "lookups.geo", "the integration has no enrich step"],
])("%j is refused, since the configuration has nothing of the kind", (change, path, message) => {
  expect(check(change)).toEqual([{ path: `tests[0].${path}`, message: expect.stringContaining(message) }]);
});

test("the schema that editors read takes and refuses the same", () => {
  const validate = validator.compile(publishedTestSchema());
  const fits = (change: object) => validate({ tests: [{ ...good, ...change }] } as Json);
  expect(fits({})).toEqual([]);
  expect(fits({ expect: { aks: "all" } })).toMatchObject([{ path: "tests[0].expect.aks" }]);
  expect(fits({ faults: { crashes: [{ before: "acks" }] } })).toHaveLength(1);
});

test("two tests of one name are refused", () => {
  const tests = { tests: [good, good] } as unknown as TestFile;
  expect(checkTests(tests, integrations)).toEqual([{ path: "tests[1].name", message: "another test has this name" }]);
});
