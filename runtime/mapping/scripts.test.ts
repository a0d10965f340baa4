import { afterAll, describe, expect, it } from "vitest";
import { createSandbox } from "../../adapters/isolate/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { SluiceError } from "../errors/index.ts";
import type { Script, ScriptCall } from "../ports/sandbox.ts";
import { parseJson } from "../record/index.ts";
import { compileMapping, compilePredicate, MappingFailure, type RunScript } from "./index.ts";

const sandbox = createSandbox({ limits: { timeMs: 200 } });
afterAll(() => sandbox.close());

const { signal } = new AbortController();
const run: RunScript = (script, calls) => sandbox.run("test", script, calls, signal);
const meta = (index: number): JsonObject => ({ stream: "orders", record_id: `r${index}` });

type Fate = JsonObject | MappingFailure;

function fates(rules: unknown, ...records: string[]): Promise<Fate[]> {
  const mapping = compileMapping(rules);
  expect(mapping.scripted).toBe(true);
  return mapping.applyAll(
    records.map((record) => parseJson(record) as JsonObject),
    meta,
    run,
  );
}

/** A record as JSON, or `reason rule` of its failure. */
const shown = (fate: Fate | undefined) =>
  fate instanceof MappingFailure ? `${fate.reason} ${fate.rule}` : JSON.stringify(fate);

const at = (destination: string, rule: object) => ({ source: "$.v", destination, ...rule });
const js = (source: string) => ({ js: source });

type Row = readonly [sentence: string, rules: readonly object[], record: string, fate: string];

const rows: { readonly [about: string]: readonly Row[] } = {
  "what a transform sees": [
    ["the value", [at("a", { transform: "value * 2" })], '{"v":4}', '{"a":8}'],
    ["the record", [at("a", { transform: "value + record.w" })], '{"v":4,"w":1}', '{"a":5}'],
    ["meta", [{ transform: "meta.stream + meta.record_id", destination: "a" }], "{}", '{"a":"ordersr0"}'],
    [
      "what is absent from meta is absent",
      [{ transform: "['line' in meta, meta.attempt === undefined]", destination: "a" }],
      "{}",
      '{"a":[false,true]}',
    ],
    [
      "an array of all matches",
      [{ source: "$.v[*].n", transform: "value.length", destination: "a" }],
      '{"v":[{"n":1},{"n":2}]}',
      '{"a":2}',
    ],
    ["no match as []", [{ source: "$.v[*]", transform: "value.length", destination: "a" }], "{}", '{"a":0}'],
    [
      "a template's text",
      [{ template: "{{ $.v }}!", transform: "value.length", destination: "a" }],
      '{"v":"ab"}',
      '{"a":3}',
    ],
    ["a constant", [{ value: [1], transform: "value.concat(2)", destination: "a" }], "{}", '{"a":[1,2]}'],
    ["null, which is given", [{ value: null, transform: "value === null", destination: "a" }], '{"v":1}', '{"a":true}'],
    ["null, which is a value", [at("a", { transform: "value === null", default: 1 })], '{"v":null}', '{"a":true}'],
    [
      "with a transform alone no value",
      [{ transform: "value === undefined && typeof value", destination: "a" }],
      '{"v":1}',
      '{"a":"undefined"}',
    ],
    [
      "with a transform alone no value either where there is a default",
      [{ transform: "value === undefined", default: 5, destination: "a" }],
      "{}",
      '{"a":true}',
    ],
    [
      "the record as it came into the step, not what was written",
      [{ value: 9, destination: "v" }, { drop: "v" }, { transform: "record.v", destination: "b" }],
      '{"v":1}',
      '{"b":1}',
    ],
    [
      "the nearest double, while a number that no script touches keeps its digits",
      [at("a", { transform: "String(value)" }), at("b", {}), at("c", { when: js("record.v > 1") })],
      '{"v":12345678901234567890.1}',
      '{"a":"12345678901234567000","b":12345678901234567890.1,"c":12345678901234567890.1}',
    ],
    [
      "what it changes in its arguments is seen nowhere else",
      [
        at("a", { transform: "(value.x = 2, record.v.x = 3, record.w = 4, meta.stream = 5, value.x)" }),
        at("b", {}),
        { transform: "[record, meta.stream]", destination: "c" },
        { source: "$.w", destination: "d" },
      ],
      '{"v":{"x":1}}',
      '{"a":2,"b":{"x":1},"c":[{"v":{"x":1}},"orders"]}',
    ],
    [
      "__proto__ is a key as any other",
      [{ source: "$", transform: "value", destination: "a" }],
      '{"__proto__":{"x":1}}',
      '{"a":{"__proto__":{"x":1}}}',
    ],
  ],
  "the order within a rule: when, source, default, transform, cast, write": [
    [
      "where when is false the transform does not run",
      [at("a", { when: "$.w == 1", transform: "no.thing" }), at("b", { when: js("record.w"), transform: "no.thing" })],
      '{"v":1}',
      "{}",
    ],
    ["when comes before the source", [at("a", { when: js("no.thing"), each: [] })], '{"v":1}', "predicate 0"],
    ["a default goes through transform", [at("a", { default: 4, transform: "value + 1" })], "{}", '{"a":5}'],
    ["and then through cast", [at("a", { default: 4, transform: "value + '1'", cast: "integer" })], "{}", '{"a":41}'],
    [
      "with nothing and no default, neither transform nor cast runs and nothing is written",
      [at("a", { transform: "no.thing", cast: "integer" })],
      "{}",
      "{}",
    ],
    [
      "the cast takes what the transform gave",
      [at("a", { transform: "' 7 '", cast: "integer" })],
      '{"v":"x"}',
      '{"a":7}',
    ],
    ["a cast that refuses it fails", [at("a", { transform: "value + 'x'", cast: "integer" })], '{"v":1}', "cast 0"],
    ["null stays null", [at("a", { transform: "null", cast: "integer" })], '{"v":1}', '{"a":null}'],
    [
      "undefined writes nothing, and is cast to nothing",
      [at("a", { transform: "undefined", cast: "integer", default: 1 })],
      '{"v":1}',
      "{}",
    ],
    [
      "the write comes last",
      [{ value: 1, destination: "a" }, at("a.b", { transform: "value" })],
      '{"v":1}',
      "destination 1",
    ],
    [
      "* writes the members of what it gave",
      [
        { value: 0, destination: "x" },
        { transform: "({ x: 1, y: 2 })", destination: "*" },
      ],
      "{}",
      '{"x":1,"y":2}',
    ],
    ["* takes an object only", [{ transform: "[1]", destination: "*" }], "{}", "destination 0"],
    [
      "later rules write into what it gave, and into copies",
      [
        { transform: "({ x: [1] })", destination: "a" },
        at("b", { when: js("true") }),
        { value: 2, destination: "a.x[1]" },
        { value: 3, destination: "b.y" },
        at("c", {}),
      ],
      '{"v":{"y":1}}',
      '{"a":{"x":[1,2]},"b":{"y":3},"c":{"y":1}}',
    ],
  ],
  results: [
    [
      "a Date is RFC 3339 in UTC",
      [{ transform: "new Date(0)", destination: "a" }],
      "{}",
      '{"a":"1970-01-01T00:00:00.000Z"}',
    ],
    [
      "a BigInt is an integer with every digit",
      [{ transform: "123456789012345678901234567890n", destination: "a" }],
      "{}",
      '{"a":123456789012345678901234567890}',
    ],
    [
      "undefined members are left out, undefined elements are null",
      [{ transform: "({ x: undefined, y: [undefined] })", destination: "a" }],
      "{}",
      '{"a":{"y":[null]}}',
    ],
    ...[
      "NaN",
      "-Infinity",
      "() => 1",
      "Symbol()",
      "Promise.resolve(1)",
      "new Date(NaN)",
      "(o => (o.o = o))({})",
    ].flatMap((source): Row[] => [
      [`${source} fails`, [{ transform: source, destination: "a" }], "{}", "transform 0"],
      [`[{ x: ${source} }] fails`, [{ transform: `[{ x: ${source} }]`, destination: "a" }], "{}", "transform 0"],
    ]),
  ],
  "when: { js }": [
    ...(["1", "'x'", "[]", "({})", "record.v"] as const).map(
      (source): Row => [`${source} counts as true`, [at("a", { when: js(source) })], '{"v":1}', '{"a":1}'],
    ),
    ...(["0", "''", "null", "undefined", "NaN", "record.x"] as const).map(
      (source): Row => [`${source} counts as false`, [at("a", { when: js(source) })], '{"v":1}', "{}"],
    ),
    ["sees meta", [at("a", { when: js("meta.record_id === 'r0'") })], '{"v":1}', '{"a":1}'],
    ["sees no value", [at("a", { when: js("value === undefined") })], '{"v":1}', '{"a":1}'],
    ["a throw is the rule's error, never false", [at("a", { when: js("no.thing") })], '{"v":1}', "predicate 0"],
    ["a throw fails also where the source gives nothing", [at("a", { when: js("no.thing") })], "{}", "predicate 0"],
    ["a promise is no answer", [at("a", { when: js("Promise.resolve(true)") })], '{"v":1}', "predicate 0"],
    ["holds back a default too", [at("a", { default: 1, when: js("false") })], "{}", "{}"],
    [
      "a drop is made where it holds",
      [
        { source: "$", destination: "*" },
        { drop: "a", when: js("record.a === 1") },
        { drop: "b", when: js("record.a === 2") },
      ],
      '{"a":1,"b":2}',
      '{"b":2}',
    ],
    ["a drop whose when throws fails", [at("a", {}), { drop: "a", when: js("no.thing") }], '{"v":1}', "predicate 1"],
  ],
  "on_error covers when, transform, cast and write": [
    ["fail is what is done", [at("a", { transform: "no.thing" })], '{"v":1}', "transform 0"],
    ["skip, of a transform", [at("a", { transform: "no.thing", on_error: "skip" })], '{"v":1}', "{}"],
    ["skip, of a when", [at("a", { when: js("no.thing"), on_error: "skip" })], '{"v":1}', "{}"],
    [
      "skip, of a cast behind a transform",
      [at("a", { transform: "'x'", cast: "integer", on_error: "skip" })],
      '{"v":1}',
      "{}",
    ],
    [
      "default writes the default as it stands, without transform and cast",
      [at("a", { transform: "value.no.thing", cast: "integer", default: "none", on_error: "default" })],
      '{"v":1}',
      '{"a":"none"}',
    ],
    [
      "default, of a when",
      [at("a", { when: js("no.thing"), default: { x: 1 }, on_error: "default" }), { value: 2, destination: "a.y" }],
      '{"v":1}',
      '{"a":{"x":1,"y":2}}',
    ],
    [
      "default, of a transform alone",
      [{ transform: "no.thing", destination: "a", default: null, on_error: "default" }],
      "{}",
      '{"a":null}',
    ],
    [
      "default, of a write",
      [
        { value: 1, destination: "a" },
        { transform: "1", destination: "*", default: { b: 2 }, on_error: "default" },
      ],
      "{}",
      '{"a":1,"b":2}',
    ],
    [
      "a default that cannot be written either fails",
      [{ value: 1, destination: "a" }, at("a.b", { transform: "no.thing", default: 2, on_error: "default" })],
      '{"v":1}',
      "destination 1",
    ],
  ],
  "the first failing rule in rule order decides": [
    [
      "a cast before a transform",
      [at("a", { cast: "integer" }), at("b", { transform: "no.thing" })],
      '{"v":"x"}',
      "cast 0",
    ],
    [
      "a transform before a cast",
      [at("a", { transform: "no.thing" }), at("b", { cast: "integer" })],
      '{"v":"x"}',
      "transform 0",
    ],
    [
      "a when behind a transform",
      [at("a", { transform: "no.thing" }), at("b", { when: js("no.thing") })],
      '{"v":1}',
      "transform 0",
    ],
    [
      "a rule that skips its own",
      [at("a", { transform: "no.thing", on_error: "skip" }), at("b", { when: js("no.thing") })],
      '{"v":1}',
      "predicate 1",
    ],
  ],
  each: [
    [
      "the element is the record, and $",
      [
        at("a", {
          each: [{ source: "$.n", destination: "m", transform: "value + record.n", when: js("record.n > 1") }],
        }),
      ],
      '{"v":[{"n":1},{"n":2}],"n":7}',
      '{"a":[{},{"m":4}]}',
    ],
    [
      "an element need not be an object",
      [at("a", { each: [{ source: "$", destination: "m", transform: "[value, record]" }] })],
      '{"v":[1,"x",null,[2]]}',
      '{"a":[{"m":[1,1]},{"m":["x","x"]},{"m":[null,null]},{"m":[[2],[2]]}]}',
    ],
    [
      "meta is the record's",
      [at("a", { each: [{ transform: "meta.record_id", destination: "m" }] })],
      '{"v":[1,2]}',
      '{"a":[{"m":"r0"},{"m":"r0"}]}',
    ],
    ["an empty array is one", [at("a", { each: [{ transform: "1", destination: "m" }] })], '{"v":[]}', '{"a":[]}'],
    [
      "anything but an array fails, whatever on_error says",
      [at("a", { each: [{ transform: "1", destination: "m" }], on_error: "skip" })],
      '{"v":5}',
      "source 0",
    ],
    ["nothing is nothing", [at("a", { each: [{ transform: "1", destination: "m" }] })], "{}", "{}"],
    [
      "a transform beside it takes what it made",
      [at("a", { each: [{ source: "$.n", destination: "m" }], transform: "value.map(e => e.m)" })],
      '{"v":[{"n":1},{"n":2}]}',
      '{"a":[1,2]}',
    ],
    [
      "a when beside it decides for the whole",
      [at("a", { each: [{ source: "$", destination: "m", cast: "integer" }], when: js("record.w") })],
      '{"v":["x"]}',
      "{}",
    ],
    [
      "an element that fails fails the rule",
      [at("b", {}), at("a", { each: [{ transform: "record.x.y", destination: "m" }] })],
      '{"v":[{"x":{}},{}]}',
      "transform 1",
    ],
    [
      "on_error covers an element's failure",
      [at("a", { each: [{ transform: "record.x.y", destination: "m" }], default: [], on_error: "default" })],
      '{"v":[{"x":{}},{}]}',
      '{"a":[]}',
    ],
    [
      "and each within each",
      [
        at("a", {
          each: [
            { source: "$.l", destination: "l", each: [{ source: "$", destination: "m", transform: "value * 2" }] },
            { source: "$.l", destination: "n", each: [{ source: "$", destination: "m" }], when: js("record.l") },
          ],
        }),
      ],
      '{"v":[{"l":[1,2]},{},{"l":[3]}]}',
      '{"a":[{"l":[{"m":2},{"m":4}],"n":[{"m":1},{"m":2}]},{},{"l":[{"m":6}],"n":[{"m":3}]}]}',
    ],
  ],
};

describe.each(Object.entries(rows))("%s", (_about, table) => {
  it.each(table)("%s", async (_sentence, rules, record, fate) => {
    expect((await fates(rules, record)).map(shown)).toEqual([fate]);
  });
});

describe("a failure", () => {
  const message = async (rule: object, record = '{"v":"secret"}') => {
    const [fate] = await fates([rule], record);
    expect(fate).toBeInstanceOf(MappingFailure);
    return fate as MappingFailure;
  };

  it.each<[string, object, string]>([
    [
      "names source, destination and type",
      at("a.b", { transform: "value.foo()" }),
      "transform failed on a string from $.v, for a.b: TypeError: value.foo is not a function",
    ],
    [
      "of a transform alone names its destination",
      { transform: "x", destination: "a.b" },
      "transform failed on no value, for a.b: ReferenceError: x is not defined",
    ],
    [
      "of when names both paths",
      at("a.b", { when: js("record.x.y") }),
      "when failed on an object, for $.v to a.b: TypeError: Cannot read properties of undefined (reading 'y')",
    ],
    [
      "of a drop's when names what is dropped",
      { drop: "a.b", when: js("record.x.y") },
      "when failed on an object, for the drop of a.b: TypeError: Cannot read properties of undefined (reading 'y')",
    ],
    [
      "within each says where",
      { source: "$", destination: "o", each: [], transform: "1" },
      "each takes an array, found an object at $, for o",
    ],
    [
      "of a result says why",
      at("a", { transform: "NaN" }),
      "transform failed on a string from $.v, for a: NaN is no JSON",
    ],
    [
      "of a cast behind a transform",
      at("a", { transform: "value + 1", cast: "integer" }),
      "cannot cast a string from $.v to integer, for a",
    ],
  ])("%s", async (_name, rule, expected) => {
    expect((await message(rule)).message).toBe(expected);
  });

  it.each([
    "(() => { throw value })()",
    "(() => { throw new Error(value) })()",
    "(() => { throw { message: 'TypeError: ' + value } })()",
    "JSON.parse(value)",
    "BigInt(value)",
    "undefined[value]",
    "record[value]()",
    "(() => { const e = new Error('x'); e.name = value; throw e })()",
    "({ get [Symbol.toStringTag]() { return value }, __proto__: null })[Symbol.iterator]()",
    "Object.assign(new Map(), { [Symbol.toStringTag]: value })",
  ])("of %s never holds the value", async (transform) => {
    const { message: text, reason } = await message(at("a", { transform }));
    expect(reason).toBe("transform");
    expect(text).toMatch(/^transform failed on a string from \$\.v, for a: ./);
    expect(text).not.toContain("secret");
  });

  it("of an element names each, its rule and the element", async () => {
    const rule = at("a", { each: [at("x", {}), { transform: "record.v.w", destination: "m" }] });
    expect((await message(rule, '{"v":[{"v":1},{}]}')).message).toBe(
      "each[1] on element 1 of $.v, for a: transform failed on no value, for m: TypeError: Cannot read properties of undefined (reading 'w')",
    );
  });
});

describe("a batch", () => {
  it("one record's failure is its own", async () => {
    const rules = [at("a", { transform: "value.length", when: js("record.v !== 0") })];
    const records = ['{"v":"abc"}', '{"v":null}', "{}", '{"v":0}', '{"v":[1]}'];
    expect((await fates(rules, ...records)).map(shown)).toEqual(['{"a":3}', "transform 0", "{}", "{}", '{"a":1}']);
  });

  it("a script over its limit fails its own record with TIMEOUT, in when too", async () => {
    const loop = "(() => { while (record.v === 2); return true })()";
    for (const [rule, reason] of [
      [at("a", { transform: loop }), "transform"],
      [at("a", { when: js(loop) }), "predicate"],
    ] as const) {
      const found = await fates([rule], '{"v":1}', '{"v":2}', '{"v":3}');
      expect(found.map((fate) => fate instanceof MappingFailure)).toEqual([false, true, false]);
      expect(found[1]).toMatchObject({ code: "TIMEOUT", reason, rule: 0 });
    }
  });

  it("costs one run a script, also for the elements of all its records, and only for what gets so far", async () => {
    const runs: [Script["source"], number][] = [];
    const mapping = compileMapping([
      at("a", { when: js("record.w"), transform: "1" }),
      at("b", { each: [{ transform: "2", destination: "x" }] }),
    ]);
    const counted: RunScript = (script, calls) => {
      runs.push([script.source, calls.length]);
      return run(script, calls);
    };
    await mapping.applyAll([{ v: [1, 2], w: 1 }, { v: [3] }, {}], meta, counted);
    expect(runs.sort()).toEqual([
      ["1", 1],
      ["2", 3],
      ["record.w", 3],
    ]);
  });

  it("meta is not made where no script reads it", async () => {
    const unused = () => {
      throw new Error("nobody asked");
    };
    const mapping = compileMapping([at("a", { transform: "value" })]);
    expect(await mapping.applyAll([{ v: 1 }], unused, run)).toEqual([{ a: 1 }]);
    const calls: ScriptCall[] = [];
    await mapping.applyAll([{ v: 1 }], meta, async (_script, given) => {
      calls.push(...given);
      return given.map(() => ({ ok: true, value: 1 }) as const);
    });
    expect(calls.map(({ meta: made }) => made)).toEqual([meta(0)]);
  });

  it("what ends the sandbox ends the batch", async () => {
    const mapping = compileMapping([at("a", { transform: "value" }), at("b", { when: js("true") })]);
    const broken: RunScript = () => Promise.reject(new Error("gone"));
    await expect(mapping.applyAll([{ v: 1 }], meta, broken)).rejects.toThrow("gone");
  });

  it("500 rules with scripts all run", async () => {
    const rules = Array.from({ length: 500 }, (_, i) => at(`f${i}`, { transform: `value + ${i}` }));
    const [fate] = await fates(rules, '{"v":1}');
    expect(Object.values(fate as JsonObject).at(-1)).toBe(500);
  });

  it("without scripts is mapped record by record, and with them never", async () => {
    const plain = compileMapping([at("a", { cast: "integer" })]);
    expect(plain.scripted).toBe(false);
    expect((await plain.applyAll([{ v: "1" }, { v: "x" }], meta, run)).map(shown)).toEqual(['{"a":1}', "cast 0"]);
    expect(() => compileMapping([at("a", { transform: "1" })]).apply({})).toThrow("batches");
  });
});

describe("a script that does not parse is a configuration error", () => {
  const refusals = (compile: () => unknown): string[] => {
    try {
      compile();
    } catch (error) {
      if (error instanceof SluiceError) return error.errors.map(({ path, message }) => `${path}: ${message}`);
      throw error;
    }
    return [];
  };

  it.each<[string, unknown, RegExp]>([
    ["a transform", at("a", { transform: "value +" }), /^\[0\]\.transform: .*line 1/],
    ["an empty one", at("a", { transform: " " }), /^\[0\]\.transform: the script is empty/],
    ["statements", at("a", { transform: "let a = 1; a" }), /^\[0\]\.transform: must be one expression/],
    ["no text", at("a", { transform: 5 }), /^\[0\]\.transform: expected a text, found a number/],
    ["a when", at("a", { when: js("record.") }), /^\[0\]\.when\.js: /],
    ["a drop's when", { drop: "a", when: js("") }, /^\[0\]\.when\.js: the script is empty/],
    ["a when of another type", at("a", { when: { js: 1 } }), /^\[0\]\.when: js is a text .* found a number/],
    ["a field beside js", at("a", { when: { js: "1", x: 1 } }), /^\[0\]\.when: unknown field "x"/],
    ["one in each", at("a", { each: [{ transform: "(", destination: "b" }] }), /^\[0\]\.each\[0\]\.transform: /],
    ["a drop with a transform", { drop: "a", transform: "1" }, /^\[0\]\.transform: a drop is a rule of its own/],
    [
      "each without a source",
      { transform: "1", destination: "a", each: [] },
      /^\[0\]\.each: each stands beside a "source"/,
    ],
    [
      "two sources beside it",
      { source: "$", value: 1, transform: "1", destination: "a" },
      /^\[0\]\.value: a rule has one of/,
    ],
    ["no destination", { transform: "1" }, /^\[0\]: a rule needs a "destination"/],
    ["on_error default without one", { transform: "1", destination: "a", on_error: "default" }, /^\[0\]\.on_error: /],
  ])("%s", (_name, rule, expected) => {
    expect(refusals(() => compileMapping([rule]))).toEqual([expect.stringMatching(expected)]);
  });

  it("a predicate that stands alone says so of js", () => {
    expect(refusals(() => compilePredicate(js("record.")))).toEqual([expect.stringMatching(/^js: /)]);
    expect(compilePredicate(js("record.a")).script).toEqual({ kind: "predicate", source: "record.a" });
  });
});
