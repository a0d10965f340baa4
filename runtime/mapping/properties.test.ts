import fc from "fast-check";
import { afterAll, describe, expect, it, vi } from "vitest";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { SluiceError } from "../errors/index.ts";
import { parseJson } from "../record/index.ts";
import {
  compileMapping,
  compilePredicate,
  compileQuery,
  MappingFailure,
  parseFieldPath,
  type RunScript,
} from "./index.ts";
import { applyReference, ReferenceFailure, type ScriptName, type SpecRule, scripts } from "./testing/reference.ts";

const runs = 2000;
// Many runs on a machine that may be busy: a limit for what hangs, not a measure of speed.
vi.setConfig({ testTimeout: 120_000 });
// Few names, so that paths meet values and each other.
const name = fc.constantFrom("a", "b", "c", "__proto__", "constructor", "length", "toString");
const scalar = fc.constantFrom<Json>(
  null,
  true,
  false,
  0,
  1,
  -2,
  1.5,
  1e15,
  "",
  "a",
  " 7 ",
  "1.0",
  "x y",
  "yes",
  "é😀",
);

const { value: json } = fc.letrec<{ value: Json; list: Json[]; object: JsonObject }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, scalar, tie("list"), tie("object")),
  list: fc.array(tie("value"), { maxLength: 3 }),
  // Never empty: to json-p3 {} equals [].
  object: fc
    .array(fc.tuple(name, tie("value")), { minLength: 1, maxLength: 4 })
    .map(
      (members) =>
        JSON.parse(`{${members.map(([key, value]) => `"${key}":${JSON.stringify(value)}`).join(",")}}`) as JsonObject,
    ),
}));
const record = fc
  .array(fc.tuple(name, json), { maxLength: 5 })
  .map(
    (members) =>
      JSON.parse(`{${members.map(([key, value]) => `"${key}":${JSON.stringify(value)}`).join(",")}}`) as JsonObject,
  );

const steps = (choices: readonly fc.Arbitrary<string>[], most = 3) =>
  fc.array(fc.oneof(...choices), { minLength: 1, maxLength: most }).map((parts) => parts.join(""));
const singularStep = [name.map((n) => `.${n}`), name.map((n) => `['${n}']`), fc.constantFrom("[0]", "[1]", "[-1]")];
const singular = steps(singularStep).map((path) => `$${path}`);
// json-p3 matches patterns against numbers and objects as well, so match() and search() are not compared.
const filter = fc.constantFrom(
  "[?@.a]",
  "[?@.b == 1]",
  "[?@ > 0]",
  "[?length(@) == 1]",
  "[?@ == 'a']",
  "[?!@.a || @.b != null]",
);
const many = steps([
  ...singularStep,
  filter,
  fc.constantFrom(".*", "[*]", "..a", "..*", "[::-1]", "[1:]", "['a','b']", "..[0]"),
]);
const source = fc.oneof(
  fc.constant("$"),
  singular,
  many.map((path) => `$${path}`),
);

const operand = fc.oneof(singular, fc.constantFrom("1", "0", "null", "true", "'a'", "''", "1.5"));
const operator = fc.constantFrom("==", "!=", "<", "<=", ">", ">=");
const test = fc.oneof(
  fc.tuple(operand, operator, operand).map((parts) => parts.join(" ")),
  singular,
  fc.tuple(singular, fc.constantFrom("== 1", "> 0")).map(([path, rest]) => `length(${path}) ${rest}`),
);
const predicate = fc
  .array(fc.tuple(fc.constantFrom("", "!"), test, fc.constantFrom(" && ", " || ")), { minLength: 1, maxLength: 3 })
  .map((terms) => terms.map(([not, term, join], i) => `${i > 0 ? join : ""}${not}(${term})`).join(""));

const fieldPath = fc
  .tuple(
    name,
    fc.array(
      fc.oneof(
        name.map((n) => `.${n}`),
        name.map((n) => `["${n}"]`),
        fc.constantFrom("[0]", "[2]"),
      ),
      { maxLength: 2 },
    ),
  )
  .map(([first, rest]) => first + rest.join(""));
const template = fc
  .array(
    fc.oneof(
      fc.constantFrom("text ", "}}", "é"),
      fc
        .tuple(
          fc.oneof(singular, fc.constantFrom("$.a[*]", "$..b")),
          fc.array(fc.constantFrom("upper", "lower", "trim", "json", "default('d')"), { maxLength: 2 }),
        )
        .map(([path, filters]) => `{{ ${[path, ...filters].join(" | ")} }}`),
    ),
    { maxLength: 3 },
  )
  .map((parts) => parts.join(""));

type When = NonNullable<SpecRule["when"]>;
const script = fc.constantFrom(...(Object.keys(scripts) as ScriptName[]));

const write = (inner: fc.Arbitrary<SpecRule[]> | undefined, when: fc.Arbitrary<When>) =>
  fc
    .record(
      {
        from: fc.oneof(
          source.map((s) => ({ source: s })),
          template.map((t) => ({ template: t })),
          json.map((value) => ({ value })),
        ),
        destination: fc.oneof({ weight: 4, arbitrary: fieldPath }, { weight: 1, arbitrary: fc.constant("*") }),
        cast: fc.constantFrom("string" as const, "number" as const, "integer" as const, "boolean" as const),
        default: json,
        when,
        on_error: fc.constantFrom("fail" as const, "default" as const, "skip" as const),
        each: inner ?? fc.constant([]),
      },
      { requiredKeys: ["from", "destination"] },
    )
    .map(
      ({ from, each, on_error, ...rest }): SpecRule => ({
        ...from,
        ...rest,
        ...(on_error !== undefined && (on_error !== "default" || rest.default !== undefined) && { on_error }),
        ...(each !== undefined && inner !== undefined && "source" in from && { each }),
      }),
    );
const drop = (when: fc.Arbitrary<When>) =>
  fc.record({ drop: fieldPath, when }, { requiredKeys: ["drop"] }) as fc.Arbitrary<SpecRule>;
const rulesOf = (inner: fc.Arbitrary<SpecRule[]> | undefined): fc.Arbitrary<SpecRule[]> =>
  fc.array(fc.oneof({ weight: 5, arbitrary: write(inner, predicate) }, { weight: 1, arbitrary: drop(predicate) }), {
    maxLength: 6,
  });
const rules = rulesOf(rulesOf(undefined));

const anyWhen: fc.Arbitrary<When> = fc.oneof(
  predicate,
  script.map((js) => ({ js })),
);
const scriptedRulesOf = (inner: fc.Arbitrary<SpecRule[]> | undefined): fc.Arbitrary<SpecRule[]> => {
  const transformed = fc.tuple(write(inner, anyWhen), script).map(([rule, transform]) => ({ ...rule, transform }));
  const alone = fc
    .tuple(write(undefined, anyWhen), script)
    .map(([{ source: _source, template: _template, value: _value, ...rest }, transform]) => ({ ...rest, transform }));
  return fc.array(fc.oneof(write(inner, anyWhen), transformed, alone, drop(anyWhen)), { maxLength: 6 });
};
const scriptedRules = scriptedRulesOf(scriptedRulesOf(undefined));

/** The scripts of the reference as a sandbox would run them: what goes in and comes out is a copy. */
const runScript: RunScript = async ({ source, kind }, calls) =>
  calls.map((call) => {
    const copy = JSON.parse(JSON.stringify({ value: call.value, record: call.record })) as { record: Json };
    const result = scripts[source as ScriptName](copy);
    if (result === undefined) return { ok: false, code: "VALIDATION_ERROR", message: "failed" };
    return { ok: true, value: kind === "predicate" ? Boolean(result.gives) : result.gives };
  });

/** The JSON text of a result, or the reason of a failure. */
function outcome(work: () => JsonObject): string {
  try {
    return JSON.stringify(work());
  } catch (error) {
    if (error instanceof MappingFailure || error instanceof ReferenceFailure) return `failed: ${error.reason}`;
    throw error;
  }
}

afterAll(() => {
  // No test of this file may have reached a prototype.
  const names = [Object, Array, String, Number].flatMap(({ prototype }) => Object.keys(prototype));
  expect(names).toEqual([]);
});

describe("a compiled mapping", () => {
  it(`equals the reference interpreter on ${runs} random specs and records, and leaves the record as it was`, () => {
    const seen = { mapped: 0, failed: 0 };
    fc.assert(
      fc.property(rules, record, (spec, given) => {
        const before = JSON.stringify(given);
        const mapping = compileMapping(spec);
        const result = outcome(() => mapping.apply(given));
        expect(result).toBe(outcome(() => applyReference(spec, given)));
        expect(JSON.stringify(given)).toBe(before);
        // Nothing of one record stays behind for the next, in constants for example.
        expect(outcome(() => mapping.apply(given))).toBe(result);
        seen[result.startsWith("failed") ? "failed" : "mapped"]++;
      }),
      { numRuns: runs },
    );
    console.log(`random specs: ${seen.mapped} mapped, ${seen.failed} failed, all as the reference`);
    expect(Math.min(seen.mapped, seen.failed)).toBeGreaterThan(runs / 20);
  });

  it(`with scripts equals it on ${runs} random specs and batches, each record by itself`, async () => {
    const seen = { mapped: 0, failed: 0 };
    await fc.assert(
      fc.asyncProperty(scriptedRules, fc.array(record, { minLength: 1, maxLength: 4 }), async (spec, batch) => {
        const before = JSON.stringify(batch);
        const fates = await compileMapping(spec).applyAll(batch, () => ({}), runScript);
        for (const [i, fate] of fates.entries()) {
          const result = fate instanceof MappingFailure ? `failed: ${fate.reason}` : JSON.stringify(fate);
          expect(result).toBe(outcome(() => applyReference(spec, batch[i] as JsonObject)));
          seen[result.startsWith("failed") ? "failed" : "mapped"]++;
        }
        expect(JSON.stringify(batch)).toBe(before);
      }),
      { numRuns: runs },
    );
    console.log(`random specs with scripts: ${seen.mapped} mapped, ${seen.failed} failed, all as the reference`);
    expect(Math.min(seen.mapped, seen.failed)).toBeGreaterThan(runs / 20);
  });

  it("any JSON whatever as rules is compiled or refused with a configuration error", () => {
    const anything = fc.oneof(
      fc.json().map(parseJson),
      fc.array(
        fc.dictionary(
          fc.constantFrom(
            "source",
            "destination",
            "when",
            "each",
            "drop",
            "value",
            "cast",
            "template",
            "transform",
            "x",
          ),
          fc.jsonValue(),
        ),
      ),
    );
    fc.assert(
      fc.property(anything, (spec) => {
        try {
          const mapping = compileMapping(spec);
          if (!mapping.scripted) mapping.apply({});
        } catch (error) {
          if (!(error instanceof SluiceError || error instanceof MappingFailure)) throw error;
        }
      }),
      { numRuns: runs },
    );
  });
});

describe("the parsers", () => {
  const fragment = fc.constantFrom(
    "$",
    "@",
    ".",
    "..",
    "[",
    "]",
    "?",
    "(",
    ")",
    "*",
    ":",
    ",",
    "'",
    '"',
    "\\",
    "\\u",
    "d800",
    "a",
    "é",
    "-",
    "0",
    "1",
    "1e9",
    " ",
    "\n",
    "&&",
    "||",
    "!",
    "==",
    "<",
    "length",
    "match",
    "count",
    "true",
    "{{",
    "}}",
    "|",
    "upper",
    "default",
    "\0",
    "\ud800",
    "__proto__",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fragment, { maxLength: 20 }).map((parts) => parts.join("")),
  );

  it.each<[string, (text: string) => unknown, string]>([
    ["JSONPath", compileQuery, "PathError"],
    ["field paths", parseFieldPath, "PathError"],
    ["predicates", compilePredicate, "SluiceError"],
    ["templates", (template) => compileMapping([{ template, destination: "a" }]).apply({}), "SluiceError"],
  ])("%s: any text is read or refused with a message", (_name, parse, expected) => {
    fc.assert(
      fc.property(text, (given) => {
        try {
          parse(given);
        } catch (error) {
          expect((error as Error).name).toBe(expected);
          expect((error as Error).message).not.toBe("");
        }
      }),
      { numRuns: runs },
    );
  });
});
