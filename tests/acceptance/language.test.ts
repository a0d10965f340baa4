import { describe, expect, it } from "vitest";
import { casts } from "./casts.ts";
import { fieldPaths, noFieldPaths } from "./fields.ts";
import { noQueries, queries } from "./paths.ts";
import { noPredicates, predicates } from "./predicates.ts";
import { refused } from "./refused-rules.ts";
import { rules } from "./rules.ts";
import { fateOf, fatesOf, refusalsOf } from "./table.ts";
import { noTemplates, templates } from "./templates.ts";

/** Rules that hold one. */
const rule = (fields: object): string => JSON.stringify([fields]);

describe("casts", () => {
  it.each(Object.entries(casts))("%s", async (cast, rows) => {
    const lines = rows.map(([value]) => `{"v":${value}}`);
    const fates = await fatesOf(rule({ source: "$.v", destination: "o", cast }), lines);
    const wanted = rows.map(([, result]) => (result === null ? "cast 0" : `{"o":${result}}`));
    expect(fates.map((fate, i) => [rows[i]?.[0], fate])).toEqual(wanted.map((fate, i) => [rows[i]?.[0], fate]));
  });
});

describe("JSONPath", () => {
  it.each(queries)("%s on %s gives %s", (source, document, result) => {
    expect(fateOf(rule({ source, destination: "o" }), document)).toBe(result === "nothing" ? "{}" : `{"o":${result}}`);
  });

  it.each(noQueries)("%j is refused", (source) => {
    expect(refusalsOf(rule({ source, destination: "o" }))).toEqual([expect.stringMatching(/^\[0\]\.source: /)]);
  });
});

describe("predicates", () => {
  it.each(predicates)("%s on %s: %s", (when, record, holds) => {
    expect(fateOf("[]", record, when)).toBe(holds ? "{}" : null);
    expect(fateOf(rule({ value: 1, destination: "o", when }), record)).toBe(holds ? '{"o":1}' : "{}");
  });

  it.each(noPredicates)("%j is refused", (when) => {
    expect(refusalsOf(rule({ value: 1, destination: "o", when }))).toEqual([expect.stringMatching(/^\[0\]\.when: /)]);
  });
});

describe("field paths", () => {
  it.each(fieldPaths)("%s makes %s, and dropped leaves nothing of its own", (destination, result) => {
    expect(fateOf(rule({ value: 1, destination }), "{}")).toBe(result);
    const kept = fateOf(JSON.stringify([{ value: 1, destination }, { drop: destination }]), "{}");
    expect(kept).not.toContain("1}");
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
  });

  it.each(noFieldPaths)("%j is refused", (path) => {
    for (const [field, rest] of [["destination", { value: 1 }] as const, ["drop", {}] as const]) {
      const refusals = refusalsOf(rule({ ...rest, [field]: path }));
      expect(refusals).toEqual([expect.stringMatching(new RegExp(`^\\[0\\]\\.${field}: `))]);
    }
  });

  it("$.a is refused with the hint a", () => {
    expect(refusalsOf(rule({ value: 1, destination: "$.a" }))[0]).toContain('"a"');
    expect(refusalsOf(rule({ value: 1, destination: "$.a.b[0]" }))[0]).toContain('"a.b[0]"');
    expect(refusalsOf(rule({ drop: "$['odd key']" }))[0]).toContain("['odd key']");
  });

  it("a path of 1,000 parts is written, a longer one refused", () => {
    const path = (parts: number) => Array(parts).fill("a").join(".");
    expect(fateOf(rule({ value: 1, destination: path(1000) }), "{}")).toBe(
      `${'{"a":'.repeat(1000)}1${"}".repeat(1000)}`,
    );
    expect(refusalsOf(rule({ value: 1, destination: path(1001) }))).toEqual([
      expect.stringContaining("more than 1000"),
    ]);
    expect(refusalsOf(rule({ drop: `a${"[0]".repeat(20_000)}` }))).toEqual([expect.stringContaining("more than 1000")]);
  });

  it("the last index is 65,535, and all before it are null", () => {
    const record = JSON.parse(fateOf(rule({ value: 1, destination: "a[65535]" }), "{}") ?? "");
    expect(record.a.length).toBe(65_536);
    expect(record.a.indexOf(1)).toBe(65_535);
    expect(record.a.every((item: unknown, i: number) => item === (i === 65_535 ? 1 : null))).toBe(true);
  });
});

describe("rules", () => {
  it.each(rules)("%s on %s: %s", (list, record, fate) => {
    expect(fateOf(list, record)).toBe(fate);
  });

  it("a constant that a record changed is whole again for the next", async () => {
    const list = [
      { value: { x: [] }, destination: "a" },
      { source: "$.none", default: { y: {} }, destination: "b" },
      { source: "$.n", destination: "a.x[0]" },
      { source: "$.n", destination: "b.y.z", when: "$.n == 1" },
    ];
    expect(await fatesOf(JSON.stringify(list), ['{"n":1}', '{"n":2}'])).toEqual([
      '{"a":{"x":[1]},"b":{"y":{"z":1}}}',
      '{"a":{"x":[2]},"b":{"y":{}}}',
    ]);
  });

  it.each(refused)("%s is refused at %s", (list, ...paths) => {
    const found = refusalsOf(list).map((refusal) => refusal.slice(0, refusal.indexOf(":")));
    expect(found).toEqual(paths);
  });
});

describe("templates", () => {
  it.each(templates)("%s on %s gives %j", (template, record, text) => {
    expect(fateOf(rule({ template, destination: "o" }), record)).toBe(JSON.stringify({ o: text }));
  });

  it.each(noTemplates)("%j is refused", (template) => {
    expect(refusalsOf(rule({ template, destination: "o" }))).toEqual([
      expect.stringMatching(/^\[0\]\.template: .+ \(at character \d+\)$/),
    ]);
  });
});
