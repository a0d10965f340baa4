import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { SluiceError } from "../errors/index.ts";
import { parseJson } from "../record/index.ts";
import { compileMapping, MappingFailure } from "./index.ts";

function run(rules: unknown[], record: string): string {
  return JSON.stringify(compileMapping(rules).apply(parseJson(record) as JsonObject));
}

function failure(rules: unknown[], record: string): MappingFailure {
  try {
    run(rules, record);
  } catch (error) {
    if (error instanceof MappingFailure) return error;
    throw error;
  }
  throw new Error("the rules did not fail");
}

const at = (destination: string, rule: object) => ({ source: "$.v", destination, ...rule });

describe("rules", () => {
  it("[] is a valid list; a record to which no rule wrote is {}", () => {
    expect(run([], '{"a":1}')).toBe("{}");
    expect(run([at("a", {})], "{}")).toBe("{}");
  });

  it("every source reads the record as it came in, not what was written", () => {
    expect(run([{ value: 1, destination: "v" }, at("b", {})], '{"v":2}')).toBe('{"v":1,"b":2}');
  });

  it("rules write copies: neither the record nor a constant changes, nor a second copy", () => {
    const constant = { x: 1 };
    const rules = [
      at("a", {}),
      at("b", {}),
      { value: 9, destination: "a.n" },
      { drop: "a.l[0]" },
      { value: 9, destination: "a.l[0].d" },
      { value: constant, destination: "c" },
      { value: 2, destination: "c.x" },
      { source: "$.m", destination: "m", default: constant },
      { value: 3, destination: "m.x" },
    ];
    const mapping = compileMapping(rules);
    const record = parseJson('{"v":{"n":1,"l":[{"d":1},{"d":2}]}}') as JsonObject;
    const expected = '{"a":{"n":9,"l":[{"d":9}]},"b":{"n":1,"l":[{"d":1},{"d":2}]},"c":{"x":2},"m":{"x":3}}';
    expect(JSON.stringify(mapping.apply(record))).toBe(expected);
    expect(JSON.stringify(mapping.apply(record))).toBe(expected);
    expect(JSON.stringify(record)).toBe('{"v":{"n":1,"l":[{"d":1},{"d":2}]}}');
    expect(constant).toEqual({ x: 1 });
  });

  it("the whole record copied and changed inside leaves the source as it was", () => {
    const mapping = compileMapping([
      { source: "$", destination: "*" },
      { value: 1, destination: "a.b" },
      { drop: "c.d" },
    ]);
    const record = parseJson('{"a":{"b":0},"c":{"d":1,"e":2}}') as JsonObject;
    expect(mapping.apply(record)).toEqual({ a: { b: 1 }, c: { e: 2 } });
    expect(record).toEqual({ a: { b: 0 }, c: { d: 1, e: 2 } });
  });

  it("a default takes the place of a source that gave nothing, and goes through the cast", () => {
    expect(run([at("a", { default: "7", cast: "integer" })], "{}")).toBe('{"a":7}');
    expect(run([at("a", { default: null })], "{}")).toBe('{"a":null}');
  });

  it("null is a value: no default takes its place", () => {
    expect(run([at("a", { default: 1 })], '{"v":null}')).toBe('{"a":null}');
  });

  it("with nothing and no default, the cast does not run and nothing is written", () => {
    expect(run([at("a.b.c", { cast: "integer" })], "{}")).toBe("{}");
  });

  it("a query that is not singular gives an array, [] when nothing matches, and its default is not used", () => {
    expect(run([{ source: "$.v[*].n", destination: "a", default: 1 }], '{"v":[{"n":1},{"n":2}]}')).toBe('{"a":[1,2]}');
    expect(run([{ source: "$.v[*]", destination: "a", default: 1 }], "{}")).toBe('{"a":[]}');
  });

  it("a value is a constant, and null counts as given", () => {
    expect(
      run(
        [
          { value: null, destination: "a" },
          { value: [1], destination: "b" },
        ],
        "{}",
      ),
    ).toBe('{"a":null,"b":[1]}');
  });

  it("when skips a rule on a record that does not match, for writes and drops", () => {
    const rules = [at("a", { when: "$.v > 1" }), { source: "$.v", destination: "b" }, { drop: "b", when: "@.v == 1" }];
    expect(run(rules, '{"v":1}')).toBe("{}");
    expect(run(rules, '{"v":2}')).toBe('{"a":2,"b":2}');
  });
});

describe("on_error", () => {
  it("default writes the default as it stands", () => {
    expect(run([at("a", { cast: "integer", on_error: "default", default: "none" })], '{"v":"x"}')).toBe('{"a":"none"}');
  });

  it("skip writes nothing", () => {
    expect(run([at("a", { cast: "integer", on_error: "skip" })], '{"v":"x"}')).toBe("{}");
  });

  it("a default that the cast refuses is written as it stands", () => {
    expect(run([at("a", { cast: "integer", on_error: "default", default: "x" })], "{}")).toBe('{"a":"x"}');
  });

  it("covers the write", () => {
    const blocked = { value: 1, destination: "a" };
    expect(run([blocked, at("a.b", { on_error: "skip" })], '{"v":1}')).toBe('{"a":1}');
    expect(failure([blocked, at("a.b", { on_error: "default", default: 2 })], '{"v":1}').reason).toBe("destination");
    expect(run([at("*", { on_error: "default", default: { d: 1 } })], '{"v":1}')).toBe('{"d":1}');
  });

  it("fail is the default", () => {
    expect(failure([at("a", { cast: "integer" })], '{"v":"x"}').reason).toBe("cast");
  });
});

describe("writing", () => {
  const write = (destination: string) => [
    { source: "$", destination: "*" },
    { value: 1, destination },
  ];

  it("missing containers, and null, become the object or array needed", () => {
    expect(run(write("a.b.c"), "{}")).toBe('{"a":{"b":{"c":1}}}');
    expect(run(write("a.b.c"), '{"a":null}')).toBe('{"a":{"b":{"c":1}}}');
    expect(run(write("a.b.c"), '{"a":{"b":null}}')).toBe('{"a":{"b":{"c":1}}}');
    expect(run(write("a[0].b"), '{"a":null}')).toBe('{"a":[{"b":1}]}');
    expect(run(write("a[1][0]"), '{"a":[7]}')).toBe('{"a":[7,[1]]}');
  });

  it("gaps in arrays are null", () => {
    expect(run(write("a[2]"), "{}")).toBe('{"a":[null,null,1]}');
    expect(run(write("a[3].x"), '{"a":[0]}')).toBe('{"a":[0,null,null,{"x":1}]}');
  });

  it.each([
    ["a.b", '{"a":"text"}', "a string stands at a"],
    ["a.b", '{"a":false}', "a boolean stands at a"],
    ["a.b", '{"a":12345678901234567890}', "a number stands at a"],
    ["a.b", '{"a":[]}', "an array stands at a"],
    ["a[0]", '{"a":{}}', "an object stands at a"],
    ["a.b[0].c", '{"a":{"b":[7]}}', "a number stands at a.b[0]"],
    ["a.b.c", '{"a":{"b":"x"}}', "a string stands at a.b"],
  ])("%s fails in %s: any other value in the way", (destination, record, reason) => {
    const found = failure(write(destination), record);
    expect(found).toMatchObject({ rule: 1, reason: "destination", code: "VALIDATION_ERROR" });
    expect(found.message).toBe(`cannot write a number from value to ${destination}: ${reason}`);
  });

  it("an object over an object replaces it", () => {
    expect(
      run(
        [
          { value: { x: 1 }, destination: "a" },
          { value: { y: 2 }, destination: "a" },
        ],
        "{}",
      ),
    ).toBe('{"a":{"y":2}}');
  });

  it('"*" writes the members of an object one by one, the later winning', () => {
    const rules = [
      { value: 0, destination: "b" },
      { source: "$.v", destination: "*" },
      { source: "$.w", destination: "*" },
    ];
    expect(run(rules, '{"v":{"a":1,"b":1},"w":{"b":2}}')).toBe('{"b":2,"a":1}');
  });

  it.each(['"x"', "1", "[1]", "null", "12345678901234567890"])('"*" fails for %s, which is no object', (value) => {
    expect(failure([at("*", {})], `{"v":${value}}`)).toMatchObject({ rule: 0, reason: "destination" });
  });

  it("{source: $, destination: *} copies the whole record, __proto__ included, every digit kept", () => {
    const text = '{"id":12345678901234567890,"__proto__":{"a":1},"constructor":2}';
    expect(run([{ source: "$", destination: "*" }], text)).toBe(text);
  });

  it("__proto__ and the like are written as own members", () => {
    const rules = [
      { value: 1, destination: "__proto__.polluted" },
      { value: 2, destination: "constructor.prototype.polluted" },
    ];
    expect(run(rules, "{}")).toBe('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}}}');
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it("a result is a plain object", () => {
    expect(Object.getPrototypeOf(compileMapping([]).apply({}))).toBe(Object.prototype);
  });
});

describe("drop", () => {
  it("removes from what was written so far", () => {
    expect(
      run(
        [{ source: "$", destination: "*" }, { drop: "a.b" }, { value: 2, destination: "a.b" }],
        '{"a":{"b":1,"c":1}}',
      ),
    ).toBe('{"a":{"c":1,"b":2}}');
  });

  it("nothing there is no error", () => {
    expect(
      run(
        [{ drop: "a" }, { drop: "a.b" }, { drop: "a[3]" }, { value: "x", destination: "t" }, { drop: "t.length" }],
        "{}",
      ),
    ).toBe('{"t":"x"}');
  });

  it("an array closes the gap", () => {
    expect(run([at("a", {}), { drop: "a[1]" }, { drop: "a[9]" }], '{"v":[1,2,3]}')).toBe('{"a":[1,3]}');
  });
});

describe("each", () => {
  const each = [{ source: "$.n", destination: "m", cast: "integer" }];

  it("maps every element, with the element as $", () => {
    expect(run([at("a", { each })], '{"v":[{"n":"1"},{},{"n":3}]}')).toBe('{"a":[{"m":1},{},{"m":3}]}');
    expect(run([{ source: "$.v[?@.n]", destination: "a", each }], '{"v":[{"n":"1"},{}]}')).toBe('{"a":[{"m":1}]}');
    expect(run([at("a", { each: [{ source: "$", destination: "x", when: "@ > 1" }] })], '{"v":[1,2]}')).toBe(
      '{"a":[{},{"x":2}]}',
    );
  });

  it("nests", () => {
    const nested = [at("a", { each: [{ source: "$.w", destination: "b", each }] })];
    expect(run(nested, '{"v":[{"w":[{"n":1}]}]}')).toBe('{"a":[{"b":[{"m":1}]}]}');
  });

  it.each(["{}", '"x"', "1", "null"])(
    "%s is no array, and fails with reason source, whatever on_error says",
    (value) => {
      expect(failure([at("a", { each, on_error: "skip" })], `{"v":${value}}`)).toMatchObject({
        rule: 0,
        reason: "source",
      });
    },
  );

  it("a default may give the array; with nothing, nothing is written", () => {
    expect(run([at("a", { each, default: [{ n: 5 }] })], "{}")).toBe('{"a":[{"m":5}]}');
    expect(run([at("a", { each })], "{}")).toBe("{}");
  });

  it("a failure carries the outer rule's index and names the inner one", () => {
    const found = failure([{ value: 1, destination: "z" }, at("a", { each })], '{"v":[{"n":1},{"n":"secret"}]}');
    expect(found).toMatchObject({ rule: 1, reason: "cast" });
    expect(found.message).toBe("each[0] on element 1 of $.v, for a: cannot cast a string from $.n to integer, for m");
    expect(run([at("a", { each, on_error: "skip" })], '{"v":[{"n":"x"}]}')).toBe("{}");
  });

  it("the array it gives can be cast and written inside of", () => {
    expect(run([at("a", { each, cast: "string" })], '{"v":[{"n":1}]}')).toBe('{"a":"[{\\"m\\":1}]"}');
    expect(run([at("a", { each }), { value: 1, destination: "a[0].x" }], '{"v":[{"n":1}]}')).toBe(
      '{"a":[{"m":1,"x":1}]}',
    );
  });
});

describe("templates", () => {
  const render = (template: string, record: string) =>
    (JSON.parse(run([{ template, destination: "t" }], record)) as { t: string }).t;

  it.each([
    ["", "{}", ""],
    ["plain }} text } {", "{}", "plain }} text } {"],
    ["{{$.a}}", '{"a":"x"}', "x"],
    ["a {{ \t\n$.a\r\n}} b", '{"a":"x"}', "a x b"],
    ["{{ $.a }}", "{}", ""],
    ["{{ $.a }}", '{"a":null}', ""],
    ["{{ $.a }}", '{"a":true}', "true"],
    ["{{ $.a }}", '{"a":1.50}', "1.5"],
    ["{{ $.a }}", '{"a":12345678901234567890}', "12345678901234567890"],
    ["{{ $.a }}", '{"a":{"b": [1, "x"]}}', '{"b":[1,"x"]}'],
    ["{{ $.a }}", '{"a":"{{ $.b }}","b":"no"}', "{{ $.b }}"],
    ["{{ $.a[*] }}", '{"a":[1,2]}', "[1,2]"],
    ["{{ $.a[*] }}", '{"a":[]}', ""],
    ["{{ $.a[*] | default('none') }}", '{"a":[]}', "none"],
    ["{{ $.a | default('d') }}", "{}", "d"],
    ["{{ $.a | default('d') }}", '{"a":null}', ""],
    ["{{ $.a | upper | default('d') }}", "{}", "d"],
    ["{{ $.a | default('d') | upper }}", "{}", "D"],
    ['{{ $.a | default("}} | it\'s \\n") }}', "{}", "}} | it's \n"],
    ["{{$.a|trim|upper}}", '{"a":"\\ufeff straße\\u2003"}', "STRASSE"],
    ["{{ $.a | lower }}", '{"a":"ÀİI"}', "ài̇i"],
    ["{{ $.a | json }}", '{"a":"x\\"y"}', '"x\\"y"'],
    ["{{ $.a | json }}", '{"a":null}', "null"],
    ["{{ $.a | json }}", "{}", ""],
    ["{{ $.a | json }}", '{"a":12345678901234567890}', "12345678901234567890"],
    ["{{ $.a | upper | json }}", '{"a":"x"}', '"X"'],
    ["{{ $.a | upper }}", '{"a":{"b":"x"}}', '{"B":"X"}'],
    ["{{ $['}}'] }}", '{"}}":"x"}', "x"],
    ["{{ $.a[?@.x == '|' || @.y] | json }}", '{"a":[{"x":"|"}]}', '[{"x":"|"}]'],
    ["{{ $.a }}}", '{"a":1}', "1}"],
    ["{{{ $.a }}".slice(1), '{"a":1}', "1"],
  ])("%j over %s gives %j", (template, record, expected) => {
    expect(render(template, record)).toBe(expected);
  });

  it.each([
    "{{}}",
    "{{ }}",
    "{{ $.a",
    "{{ $.a }",
    "a {{",
    "{{ a }}",
    "{{ $.a | }}",
    "{{ $.a | size }}",
    "{{ $.a | upper() }}",
    "{{ $.a | default }}",
    "{{ $.a | default(1) }}",
    "{{ $.a $.b }}",
    "{{ $.first-name }}",
    "{{ 'x' }}",
    "{{{ $.a }}}",
  ])("%j is refused", (template) => {
    expect(() => compileMapping([{ template, destination: "t" }])).toThrow(SluiceError);
  });
});

describe("messages", () => {
  it("name both paths and the value's type, never the value", () => {
    const found = failure([at("a.b", { cast: "integer" })], '{"v":"hunter2"}');
    expect(found).toMatchObject({ rule: 0, reason: "cast", code: "VALIDATION_ERROR" });
    expect(found.message).toBe("cannot cast a string from $.v to integer, for a.b");
    expect(failure([{ template: "x{{ $.v }}", destination: "t", cast: "date" }], '{"v":"hunter2"}').message).toBe(
      "cannot cast a string from x{{ $.v }} to date, for t",
    );
  });
});

describe("a list of rules that is not in order", () => {
  const errors = (rules: unknown) => {
    try {
      compileMapping(rules);
    } catch (error) {
      if (error instanceof SluiceError) return error.errors.map(({ path, message }) => `${path}: ${message}`);
      throw error;
    }
    return [];
  };

  it.each([
    [{}, ": expected a list of rules, found an object"],
    [[1], "[0]: a rule is an object, found a number"],
    [[{ destination: "a" }], "[0]: a rule needs one of source, template, value, transform, drop"],
    [[{ source: "$.a" }], '[0]: a rule needs a "destination"'],
    [
      [{ source: "$.a", value: null, destination: "a" }],
      "[0].value: a rule has one of source, template, value, not source, value",
    ],
    [[{ source: 1, destination: "a" }], "[0].source: expected a text, found a number"],
    [[{ source: "$.a", destination: null }], "[0].destination: expected a text, found null"],
    [
      [{ source: "$.a", destination: "[0]" }],
      "[0].destination: a record is an object: a path in it begins with a name",
    ],
    [[{ source: "$.a", destination: "a", cast: "int" }], '[0].cast: unknown cast "int"; did you mean "integer"?'],
    [
      [{ source: "$.a", destination: "a", cast: 1 }],
      "[0].cast: unknown cast a number; known are string, number, integer, boolean, timestamp, date, json",
    ],
    [[{ source: "$.a", destination: "a", on_error: "default" }], '[0].on_error: on_error "default" needs a default'],
    [[{ source: "$.a", destination: "a", when: " " }], "[0].when: the predicate is empty (at character 2)"],
    [[{ drop: "a", on_error: "skip" }], '[0].on_error: a drop is a rule of its own; only "when" stands beside it'],
    [[{ value: 1, destination: "a", each: [] }], '[0].each: each stands beside a "source"'],
    [[{ source: "$.a", destination: "a", each: {} }], "[0].each: expected a list of rules, found an object"],
    [
      [{ source: "$.a", destination: "a", each: [{ drop: "$.x" }] }],
      '[0].each[0].drop: a field path does not begin with "$"; write "x" (at character 1)',
    ],
    [[{ value: Number.NaN, destination: "a" }], "[0].value: expected a JSON value"],
  ])("%j is refused", (rules, message) => {
    expect(errors(rules)).toEqual([message]);
  });

  it("an unknown field is refused with the nearest known name", () => {
    expect(errors([{ sorce: "$.a", source: "$.a", destination: "a" }])).toEqual([
      '[0].sorce: unknown field "sorce"; did you mean "source"?',
    ]);
  });

  it("all errors are collected, each with its path", () => {
    const found = errors([{ source: "$.", destination: "a..b" }, { drop: "" }]);
    expect(found.map((text) => text.split(":")[0])).toEqual(["[0].source", "[0].destination", "[1].drop"]);
  });

  it("a misleading when is a warning", () => {
    const { warnings } = compileMapping([at("a", { when: "$.active" })]);
    expect(warnings).toEqual([
      {
        path: "[0].when",
        message: "$.active asks whether it exists, not whether it is true; for that write $.active == true",
      },
    ]);
  });

  it.each([
    ["$.items[*]", ["$.items[*] asks whether there is any, not what they are; to say so write count($.items[*]) > 0"]],
    ["!$..id", ["$..id asks whether there is any, not what they are; to say so write count($..id) > 0"]],
    ["$.tags[?@ == 'vip']", []],
    ["count($.items[*]) > 0", []],
  ])("of several places, %s is misleading unless it has a filter or a count", (when, messages) => {
    expect(compileMapping([at("a", { when })]).warnings.map(({ message }) => message)).toEqual(messages);
  });
});

it("500 rules make functions small enough to be optimised, and all of them run", () => {
  const rules = Array.from({ length: 500 }, (_, i) =>
    at(`f${i}.x`, { cast: "integer", when: `$.v == ${i} || $.v > 3` }),
  );
  const mapping = compileMapping(rules);
  expect(Object.keys(mapping.apply({ v: 4 }))).toHaveLength(500);
  expect(mapping.apply({ v: 3 })).toEqual({ f3: { x: 3 } });
});
