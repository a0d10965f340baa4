import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../../connectors/sdk/index.ts";
import { resolveIntegration } from "../../config/index.ts";
import { parseJson } from "../../record/index.ts";
import { Aggregate, type AggregateStep, type ClosedWindow, plainResult, type StoredGroup } from "./index.ts";

/** A step as a configuration has it. */
function step(options: JsonObject): AggregateStep {
  const { steps } = resolveIntegration({
    source: { connector: "c", stream: "s" },
    destination: { connector: "c", stream: "d" },
    pipeline_spec: { steps: [{ id: "totals", type: "aggregate", key: ["k"], window: {}, measures: {}, ...options }] },
  });
  return steps[0] as AggregateStep;
}

const records = (...texts: string[]) => texts.map((text) => parseJson(text) as JsonObject);

/** Adds records at `now`, with their places as ids; gives what closed and what failed. */
function add(aggregate: Aggregate, now: number, values: readonly JsonObject[], base = 0) {
  const failures: [number, string][] = [];
  const closed = aggregate.add(
    values,
    (i) => `r${base + i}`,
    now,
    (i, { code, message }) => failures.push([i, `${code}: ${message}`]),
  );
  return { closed, failures };
}

/** What a run over these records gives out at its end, as JSON text. */
function flushed(options: JsonObject, ...texts: string[]): string[] {
  const aggregate = new Aggregate(step(options));
  expect(add(aggregate, 0, records(...texts)).failures).toEqual([]);
  return aggregate.flush(1).map(({ value }) => JSON.stringify(plainResult(value)));
}

const counts = (closed: readonly ClosedWindow[]) =>
  closed.map(({ id, value }) => [id, value.key, value.count, value.window_start, value.window_end]);
const at = (ms: number) => new Date(ms).toISOString();

describe("a window", () => {
  it("closes as it reaches its count, and the next opens with the next record", () => {
    const aggregate = new Aggregate(step({ window: { count: 2 } }));
    const { closed } = add(aggregate, 1000, records('{"k":1}', '{"k":2}', '{"k":1}', '{"k":1}', '{"k":1}'));
    expect(counts(closed)).toEqual([
      ["totals/r0", { k: 1 }, 2, at(1000), at(1000)],
      ["totals/r3", { k: 1 }, 2, at(1000), at(1000)],
    ]);
    expect(counts(aggregate.flush(5000))).toEqual([["totals/r1", { k: 2 }, 1, at(1000), at(5000)]]);
    expect(aggregate.flush(5000)).toEqual([]);
  });

  it("closes when its time is over, before the records of that time are added", () => {
    const aggregate = new Aggregate(step({ window: { duration: "10s" } }));
    expect(aggregate.nextDue).toBeUndefined();
    add(aggregate, 1000, records('{"k":1}'));
    add(aggregate, 2000, records('{"k":1}', '{"k":2}'), 1);
    expect(aggregate.nextDue).toBe(11_000);
    expect(aggregate.due(10_999)).toEqual([]);
    expect(counts(add(aggregate, 11_000, records('{"k":1}'), 3).closed)).toEqual([
      ["totals/r0", { k: 1 }, 2, at(1000), at(11_000)],
    ]);
    expect(aggregate.nextDue).toBe(12_000);
    expect(counts(aggregate.due(60_000))).toEqual([
      ["totals/r2", { k: 2 }, 1, at(2000), at(12_000)],
      ["totals/r3", { k: 1 }, 1, at(11_000), at(21_000)],
    ]);
    expect(aggregate.nextDue).toBeUndefined();
  });

  it("closes by count or by time, whichever comes first", () => {
    const aggregate = new Aggregate(step({ window: { count: 2, duration: "10s" } }));
    add(aggregate, 0, records('{"k":1}', '{"k":2}'));
    expect(counts(add(aggregate, 5000, records('{"k":1}'), 2).closed)).toEqual([
      ["totals/r0", { k: 1 }, 2, at(0), at(5000)],
    ]);
    expect(counts(aggregate.due(10_000))).toEqual([["totals/r1", { k: 2 }, 1, at(0), at(10_000)]]);
  });

  it("at the run's end what is due by time ends with its time, and the rest with the run", () => {
    const aggregate = new Aggregate(step({ window: { duration: "10s" } }));
    add(aggregate, 0, records('{"k":1}'));
    add(aggregate, 8000, records('{"k":2}'), 1);
    expect(counts(aggregate.flush(12_000)).map(([, , , , end]) => end)).toEqual([at(10_000), at(12_000)]);
  });

  it("with neither count nor duration closes at the run's end only", () => {
    const aggregate = new Aggregate(step({}));
    add(aggregate, 0, records('{"k":1}'));
    expect([aggregate.nextDue, aggregate.due(1e15)]).toEqual([undefined, []]);
    expect(aggregate.flush(1)).toHaveLength(1);
  });

  it("without a key takes all records", () => {
    expect(flushed({ key: [], measures: { sum: { sum: "a" } } }, '{"a":0.1}', '{"a":0.2,"k":1}')).toEqual([
      '{"sum":0.3}',
    ]);
  });

  it("a clock that went back neither holds other windows up nor ends one before its start", () => {
    const aggregate = new Aggregate(step({ window: { duration: "10s" } }));
    add(aggregate, 50_000, records('{"k":1}'));
    add(aggregate, 1000, records('{"k":2}'), 1);
    expect(aggregate.nextDue).toBe(11_000);
    expect(counts(aggregate.flush(2000))).toEqual([
      ["totals/r0", { k: 1 }, 1, at(50_000), at(50_000)],
      ["totals/r1", { k: 2 }, 1, at(1000), at(2000)],
    ]);
  });

  it("two windows that one record opens, since it came over two branches, have two ids", () => {
    const aggregate = new Aggregate(step({ window: { count: 1 } }));
    const twice = aggregate.add(
      records('{"k":1}', '{"k":1}'),
      () => "r",
      0,
      () => {},
    );
    expect(twice.map(({ id }) => id)).toEqual(["totals/r", "totals/r/1"]);
  });
});

describe("a key", () => {
  it.each<[string, string[], number]>([
    ["numbers are equal by value", ['{"k":1}', '{"k":1.0}', '{"k":10e-1}'], 1],
    ["so are those that no double holds", ['{"k":9007199254740993}', '{"k":9007199254740993.0}'], 1],
    ["and they keep their digits", ['{"k":9007199254740993}', '{"k":9007199254740992}'], 2],
    ["a text is no number", ['{"k":1}', '{"k":"1"}'], 2],
    ["what is missing groups as null", ['{"k":null}', "{}", '{"K":1}'], 1],
    ["null is not false, nor the empty text", ['{"k":null}', '{"k":false}', '{"k":""}', '{"k":0}'], 4],
    ["objects are equal by their members", ['{"k":{"a":1,"b":[2]}}', '{"k":{"b":[2.0],"a":1}}'], 1],
    ["arrays by their order", ['{"k":[1,2]}', '{"k":[2,1]}'], 2],
    ["an object is not its text", ['{"k":{"a":1}}', '{"k":"{\\"a\\":1}"}'], 2],
  ])("%s", (_sentence, texts, groups) => {
    expect(flushed({}, ...texts)).toHaveLength(groups);
  });

  it("gives its fields at their paths", () => {
    const options = { key: ["a.b", "items[1].id", '["odd key"]'], measures: { n: { count: true } } };
    expect(flushed(options, '{"a":{"b":9007199254740993,"c":1},"items":[{"id":1},{"id":2}],"odd key":null}')).toEqual([
      '{"a":{"b":9007199254740993},"items":[null,{"id":2}],"odd key":null,"n":1}',
    ]);
  });

  it("several fields are not run together", () => {
    expect(
      flushed({ key: ["a", "b"] }, '{"a":"x","b":"yz"}', '{"a":"xy","b":"z"}', '{"a":["x"]}', '{"b":["x"]}'),
    ).toHaveLength(4);
  });

  it("__proto__ and constructor are fields as any other", () => {
    const measures = parseJson('{"__proto__":{"sum":"__proto__.n"},"toString":{"count":true}}') as JsonObject;
    const key = ["constructor"];
    expect(flushed({ key, measures }, '{"__proto__":{"n":1},"constructor":"c"}', '{"constructor":"c"}')).toEqual([
      '{"constructor":"c","__proto__":1,"toString":2}',
    ]);
    expect(flushed({ key: ["__proto__.a"] }, '{"__proto__":{"a":1}}', "{}")).toEqual([
      '{"__proto__":{"a":1}}',
      '{"__proto__":{"a":null}}',
    ]);
    expect(({} as { a?: number }).a).toBeUndefined();
  });
});

describe("a measure", () => {
  const [nothing, absent, big] = [["{}"], ['{"v":7}', "{}"], ['{"v":12345678901234567890}', '{"v":0.5}']];
  it.each<[string, string[], string]>([
    ["sum", ['{"v":0.1}', '{"v":0.2}'], "0.3"],
    ["sum", big, "12345678901234567890.5"],
    ["sum", absent, "7"],
    ["sum", nothing, "null"],
    ["avg", ['{"v":1}', '{"v":2}'], "1.5"],
    ["avg", ['{"v":1}', '{"v":0}', '{"v":0}'], "0.3333333333333333333333333333333333"],
    ["avg", absent, "7"],
    ["avg", nothing, "null"],
    ["min", big, "0.5"],
    ["max", big, "12345678901234567890"],
    ["max", ['{"v":9007199254740993}', '{"v":9007199254740992}'], "9007199254740993"],
    ["min", ['{"v":-1}', '{"v":-1e400}', '{"v":1e400}'], "-1e400"],
    ["max", ['{"v":"2024-01-02T00:00:00Z"}', '{"v":"2024-01-03T00:00:00Z"}', '{"v":""}'], '"2024-01-03T00:00:00Z"'],
    ["min", ['{"v":"b"}', '{"v":"a"}', '{"v":"aa"}'], '"a"'],
    ["max", ['{"v":"\ufffd"}', '{"v":"😀"}', '{"v":"\ue000"}'], '"😀"'],
    ["min", nothing, "null"],
    ["max", absent, "7"],
    ["first", ['{"v":null}', '{"v":1}'], "null"],
    ["first", ["{}", '{"v":{"a":1}}', '{"v":1}'], '{"a":1}'],
    ["first", nothing, "null"],
    ["last", ['{"v":1}', '{"v":9007199254740993}', "{}"], "9007199254740993"],
    ["last", ['{"v":1}', '{"v":null}'], "null"],
    ["last", nothing, "null"],
    ["collect", ['{"v":1}', "{}", '{"v":null}', '{"v":["x"]}', '{"v":1e400}'], '[1,null,["x"],1e400]'],
    ["collect", nothing, "[]"],
  ])("%s of %j is %s", (of, texts, expected) => {
    expect(flushed({ measures: { m: { [of]: "v" } } }, ...texts)).toEqual([`{"k":null,"m":${expected}}`]);
  });

  it("count counts all records of the window", () => {
    expect(flushed({ measures: { n: { count: true } } }, '{"v":1}', "{}", '{"v":null}')).toEqual(['{"k":null,"n":3}']);
  });

  it.each<[string, string, string[], string]>([
    ["sum", "a number", ['{"v":"1"}'], "measure m: sum of v, which is a string, not a number"],
    ["avg", "a number", ['{"v":null}'], "measure m: avg of v, which is null, not a number"],
    ["sum", "a number", ['{"v":[1]}'], "measure m: sum of v, which is an array, not a number"],
    [
      "sum",
      "of a size",
      ['{"v":1e99999999}'],
      "measure m: sum of v, which is a number of more than 10000 digits before or after the point",
    ],
    ["min", "comparable", ['{"v":null}'], "measure m: min of v, which is null, not a number or a string"],
    ["max", "comparable", ['{"v":true}'], "measure m: max of v, which is a boolean, not a number or a string"],
    [
      "max",
      "of one type",
      ['{"v":1}', '{"v":"secret"}'],
      "measure m: max of v, which is a string, where the window has numbers",
    ],
    [
      "min",
      "of one type",
      ['{"v":"secret"}', '{"v":1e400}'],
      "measure m: min of v, which is a number, where the window has strings",
    ],
  ])("%s fails what is not %s: %j", (of, _what, texts, message) => {
    const aggregate = new Aggregate(step({ measures: { n: { count: true }, m: { [of]: "v" } } }));
    expect(add(aggregate, 0, records(...texts)).failures).toEqual([[texts.length - 1, `VALIDATION_ERROR: ${message}`]]);
    // It counts in no measure, and opens no window.
    expect(aggregate.flush(1).map(({ value }) => value.count)).toEqual(texts.length === 1 ? [] : [1]);
  });

  it("a record that fails in one measure is in none, and does not touch the others", () => {
    const aggregate = new Aggregate(step({ measures: { all: { collect: "a" }, total: { sum: "v" } } }));
    const values = records('{"a":1,"v":"x"}', '{"a":2,"v":2}', '{"a":3,"v":null}', '{"a":4,"v":4}');
    const { failures } = add(aggregate, 0, values);
    expect(failures.map(([i]) => i)).toEqual([0, 2]);
    const [window] = aggregate.flush(1);
    expect(window).toMatchObject({ id: "totals/r1", value: { count: 2, measures: { all: [2, 4], total: 6 } } });
  });

  it("collect takes up to 1 MB of JSON text a window", () => {
    const aggregate = new Aggregate(step({ measures: { all: { collect: "v" } } }));
    const value = (bytes: number) => ({ v: "é".repeat(Math.floor(bytes / 2)) });
    expect(add(aggregate, 0, [value(600_000), value(600_000), value(300_000), value(100_000)]).failures).toEqual([
      [
        1,
        "VALIDATION_ERROR: measure all: collect of v, which would bring what the window collects above 1000000 bytes of JSON text",
      ],
      [3, expect.stringContaining("above 1000000 bytes")],
    ]);
    const [group] = aggregate.changes();
    const restored = new Aggregate(step({ measures: { all: { collect: "v" } } }));
    restored.restore([group!]);
    expect(add(restored, 0, [value(100_000), value(10)]).failures.map(([i]) => i)).toEqual([0]);
  });
});

describe("what is given out", () => {
  const measures = { total: { sum: "v" } };

  it("emit sees the key, the count, the window's times, its first and last record and the measures", () => {
    const aggregate = new Aggregate(step({ measures, emit: [{ source: "$.measures.total", destination: "t" }] }));
    add(aggregate, 0, records('{"k":1,"v":1,"x":1e400}', '{"k":1,"v":2}'));
    const [window] = aggregate.flush(5);
    expect(JSON.stringify(window?.value)).toBe(
      `{"key":{"k":1},"count":2,"window_start":"${at(0)}","window_end":"${at(5)}",` +
        '"first":{"k":1,"v":1,"x":1e400},"last":{"k":1,"v":2},"measures":{"total":3}}',
    );
  });

  it("without emit no record is kept, and the key's fields and the measures are given", () => {
    const aggregate = new Aggregate(step({ measures }));
    add(aggregate, 0, records('{"k":1,"v":1}'));
    expect(JSON.stringify(aggregate.changes())).not.toContain("first");
    expect(aggregate.flush(1).map(({ value }) => plainResult(value))).toEqual([{ k: 1, total: 1 }]);
  });
});

describe("what is stored", () => {
  const options = { window: { count: 3, duration: "1m" }, measures: { total: { sum: "v" }, last: { max: "v" } } };
  const keys = (groups: readonly StoredGroup[]) => groups.map(({ key, state }) => [key, state === null]);

  it("is each changed group once, and null for one that closed", () => {
    const aggregate = new Aggregate(step(options));
    add(aggregate, 0, records('{"k":"a","v":1}', '{"k":"b","v":1}', '{"k":"a","v":1}'));
    expect(keys(aggregate.changes())).toEqual([
      ['["a"]', false],
      ['["b"]', false],
    ]);
    expect(aggregate.changes()).toEqual([]);
    add(aggregate, 1, records('{"k":"a","v":1}'), 3);
    expect(keys(aggregate.changes())).toEqual([['["a"]', true]]);
    aggregate.due(60_000);
    expect(keys(aggregate.changes())).toEqual([['["b"]', true]]);
  });

  it("is the window that followed one that closed, and nothing of one that was never stored", () => {
    const aggregate = new Aggregate(step({ ...options, window: { count: 2 } }));
    add(aggregate, 0, records('{"k":"a","v":1}'));
    aggregate.changes();
    add(aggregate, 0, records('{"k":"a","v":1}', '{"k":"a","v":1}', '{"k":"b","v":1}', '{"k":"b","v":1}'), 1);
    expect(keys(aggregate.changes())).toEqual([['["a"]', false]]);
    add(aggregate, 0, records('{"k":"a","v":1}', '{"k":"a","v":1}', '{"k":"a","v":1}'), 5);
    expect(keys(aggregate.changes())).toEqual([['["a"]', true]]);
    add(aggregate, 0, records('{"k":"c","v":"x"}'), 8);
    expect(aggregate.changes()).toEqual([]);
  });

  it("is text, numbers and null alone, so that no store changes it", () => {
    const emit = [{ source: "$.first", destination: "f" }];
    const all = Object.fromEntries(
      ["sum", "avg", "min", "max", "first", "last", "collect"].map((of): [string, Json] => [of, { [of]: "v" }]),
    );
    const aggregate = new Aggregate(step({ emit, measures: { ...all, n: { count: true } } }));
    add(aggregate, 7, records('{"k":"\\u0000","v":12345678901234567890,"b":1,"a":2}'));
    const digits = "12345678901234567890";
    const record = `{"k":"\\u0000","v":${digits},"b":1,"a":2}`;
    expect(aggregate.changes()).toEqual([
      {
        step: "totals",
        key: '["\\u0000"]',
        state: {
          of: expect.stringMatching(/^[0-9a-f]{8}$/),
          id: "r0",
          start: 7,
          order: 0,
          count: 1,
          measures: [[digits, 1], [digits, 1], digits, digits, digits, digits, digits, 1],
          first: record,
          last: record,
        },
      },
    ]);
  });

  it("is taken back; of another key or other measures it is given back", () => {
    const aggregate = new Aggregate(step(options));
    add(aggregate, 0, records('{"k":"a","v":1}'));
    const groups = [...aggregate.changes(), { step: "totals", key: '["gone"]', state: null }];
    const same = new Aggregate(step({ ...options, window: { duration: "2m" } }));
    expect(same.restore(groups)).toEqual([]);
    expect(same.nextDue).toBe(120_000);
    const changed = new Aggregate(step({ ...options, measures: { total: { max: "v" } } }));
    expect(changed.restore(groups)).toEqual(groups.slice(0, 1));
    expect(changed.flush(1)).toEqual([]);
  });
});
