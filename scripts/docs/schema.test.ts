import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { checkCron } from "../../adapters/cron/index.ts";
import { createValidator } from "../../adapters/json-schema/index.ts";
import { connectorTypes } from "../../cli/connector-types.ts";
import type { Json } from "../../connectors/sdk/index.ts";
import { checkConfig, publishedSchema } from "../../runtime/config/index.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const validator = createValidator();
const schema = publishedSchema(connectorTypes, validator);
// As an editor reads it: strictly by the draft, and unknown keywords are annotations.
const ajv = new Ajv2020({ strict: false, logger: false });
formats.default(ajv);
const fits = ajv.compile(schema);

function lint(config: Json, allConnectorsKnown = true): readonly string[] {
  const context = { validator, types: connectorTypes, existing: new Map(), allConnectorsKnown, checkCron };
  return checkConfig(config, context).errors.map(({ path: at, message }) => `${at}: ${message}`);
}

const isConfig = (value: unknown): boolean =>
  typeof value === "object" && value !== null && ("connectors" in value || "integrations" in value);

const examples = globSync("examples/**/*.{yaml,yml}", { cwd: root })
  .map((name) => ({ name, text: readFileSync(path.join(root, name), "utf8") }))
  .filter(({ text }) => isConfig(parse(text)));

/** Configurations in the pages, which may leave some connectors out. */
const shownInDocs = globSync(["*.md", "docs/**/*.md", "examples/**/*.md"], { cwd: root }).flatMap((name) =>
  [...readFileSync(path.join(root, name), "utf8").matchAll(/^```yaml\n(.*?)^```$/gms)]
    .map(([, text]) => ({ name, text: text! }))
    .filter(({ text }) => text.startsWith("connectors:") && isConfig(parse(text))),
);

const whole = parse(`
connectors:
  - { name: files, type: file, config: { path: ./data, format: ndjson, create: true } }
  - { name: pg, type: postgres, config: { database: d, user: u, password: "\${file:pg}", port: "\${env:SLUICE_SECRET_PORT}", ssl: { verify: false } } }
  - { name: hole, type: blackhole, config: { latency: 5ms, fail: { ratio: 0.5, code: TIMEOUT } } }
  - { name: gen, type: generator }
integrations:
  - name: all
    source: { connector: pg, stream: t, mode: incremental, cursor_field: updated_at }
    trigger: { type: schedule, cron: "*/5 * * * *", timezone: Europe/Berlin, misfire: skip, overlap: queue }
    mapping_spec:
      - { source: $.id, destination: id, cast: integer, on_error: default, default: 0, when: $.a == 1 }
      - { template: "{{ $.first }} {{ $.last | upper }}", destination: name }
      - { value: null, destination: nothing }
      - { source: "$.items[*]", destination: items, each: [ { source: $.sku, destination: sku }, { drop: sku, when: $.x } ] }
      - { drop: secret }
    pipeline_spec:
      steps:
        - { id: active, type: filter, where: "$.active == true", on_error: drop }
        - { id: checked, type: validate, schema: { type: object } }
        - { id: lines, type: split, path: lines, as: line, keep_parent: true }
        - { id: mapped, type: map }
        - { id: scripted, type: transform, script: "(record) => record" }
        - { id: by-size, type: route, needs: [scripted], routes: [ { to: big, where: $.quantity > 100 } ], otherwise: small }
    destinations:
      - { id: big, connector: pg, stream: big, mode: upsert, key: [id], needs: [by-size] }
      - { id: small, connector: files, stream: small.ndjson, needs: [by-size] }
    delivery:
      ordering: key
      key: [id]
      batch: { records: 10, bytes: 1000, linger: 250ms }
      retry: { max_attempts: 3, initial: 5s, max: 10m, multiplier: 2, jitter: 0.1 }
      timeout: { connect: 1s }
    schema: { contract: freeze }
    metadata: { description: d, contacts: [a@b] }
    enabled: false
  - { name: small, source: { connector: gen, stream: s }, destination: { connector: hole, stream: s } }
`) as Json;

describe("the published schema takes", () => {
  test.each(examples)("$name", ({ text }) => {
    expect([fits(parse(text)), fits.errors, lint(parse(text))]).toEqual([true, null, []]);
  });

  test.each(shownInDocs)("a configuration in $name", ({ text }) => {
    expect([fits(parse(text)), fits.errors, lint(parse(text), false)]).toEqual([true, null, []]);
  });

  test("a configuration with a bit of everything", () => {
    expect([fits(whole), fits.errors, lint(whole)]).toEqual([true, null, []]);
  });

  test("a connector type that is not known here, and what it may want", () => {
    expect(fits({ connectors: [{ name: "a", type: "of-a-plugin", config: { anything: [1] } }] })).toBe(true);
  });
});

test.each(examples)("$name tells editors where the schema is", ({ name, text }) => {
  const named = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1];
  expect(named).toBeDefined();
  const file = path.join(root, path.dirname(name), named!);
  expect(existsSync(file) && JSON.parse(readFileSync(file, "utf8")).$id).toBe(schema.$id);
});

const source = { connector: "gen", stream: "s" };
const destination = { connector: "hole", stream: "s" };
const integration = (change: object) => ({
  integrations: [{ name: "i", source, destination, ...change }],
});
const rule = (change: object) => integration({ mapping_spec: [change] });
const step = (change: object) => integration({ pipeline_spec: { steps: [change] } });
const connector = (type: string, config?: object) => ({ connectors: [{ name: "c", type, ...(config && { config }) }] });
const { connectors } = whole as { connectors: Json };

describe("the published schema and lint refuse", () => {
  test.each<[string, object]>([
    ["an unknown field at the top", { conectors: [] }],
    ["a list that is an object", { integrations: {} }],
    ["an unknown field of a connector", { connectors: [{ name: "c", type: "file", config: { path: "." }, pth: 1 }] }],
    ["an unknown field of a config", connector("file", { path: ".", fromat: "csv" })],
    ["a wrong word in a config", connector("file", { path: ".", format: "xml" })],
    ["a wrong type in a config", connector("postgres", { database: "d", user: "u", port: "5432" })],
    ["a config without what it needs", connector("file", {})],
    ["a connector that needs a config and has none", connector("file")],
    ["a postgres with a url and a host", connector("postgres", { url: "postgres://h/d", host: "h" })],
    ["a reference in an unknown field", connector("generator", { cuont: "$" + "{env:SLUICE_SECRET_A}" })],
    ["a reference beside a url", connector("postgres", { url: "postgres://h/d", host: "$" + "{env:SLUICE_SECRET_A}" })],
    ["a reference to another variable", connector("file", { path: "$" + "{env:HOME}" })],
    ["a reference out of the secrets", connector("file", { path: "$" + "{file:a/../../b}" })],
    ["a vault", connector("generator", { count: "$" + "{vault:a}" })],
    ["a name in capitals", { connectors: [{ name: "Files", type: "generator" }] }],
    ["no name", { integrations: [{ source, destination }] }],
    ["an unknown field", integration({ sorce: source })],
    ["no source", integration({ source: undefined })],
    ["a source and sources", integration({ sources: [source] })],
    ["no destination", integration({ destination: undefined })],
    ["a destination and destinations", integration({ destinations: [destination] })],
    ["a source without a stream", integration({ source: { connector: "gen" } })],
    ["an unknown mode", integration({ source: { ...source, mode: "delta" } })],
    ["upsert without a key", integration({ destination: { ...destination, mode: "upsert" } })],
    ["ordering by key without one", integration({ delivery: { ordering: "key" } })],
    ["a duration without a unit", integration({ delivery: { retry: { initial: 5 } } })],
    ["a duration of two units", integration({ delivery: { retry: { initial: "1m30s" } } })],
    ["a batch of none", integration({ delivery: { batch: { records: 0 } } })],
    ["a schedule without cron", integration({ trigger: { type: "schedule" } })],
    ["an unknown trigger", integration({ trigger: { type: "sometimes" } })],
    ["a webhook that does not say who may send", integration({ trigger: { type: "webhook" }, source: undefined })],
    ["a webhook with a source", integration({ trigger: { type: "webhook", auth: { scheme: "none" } } })],
    ["an unknown contract", integration({ schema: { contract: "strict" } })],
    ["an unknown step", step({ id: "a", type: "fliter", where: "$.a == 1" })],
    ["a step without an id", step({ type: "filter", where: "$.a == 1" })],
    ["a filter without where", step({ id: "a", type: "filter" })],
    ["another step's option", step({ id: "a", type: "filter", where: "$.a == 1", path: "x" })],
    ["an unknown on_error", step({ id: "a", type: "filter", where: "$.a == 1", on_error: "ignore" })],
    ["a route without routes", step({ id: "a", type: "route", routes: [] })],
    ["an unknown field of a rule", rule({ source: "$.a", dest: "a" })],
    ["a rule without a destination", rule({ source: "$.a" })],
    ["a rule without an origin", rule({ destination: "a" })],
    ["a rule with two origins", rule({ source: "$.a", value: 1, destination: "a" })],
    ["an unknown cast", rule({ source: "$.a", destination: "a", cast: "int" })],
    ["on_error default without one", rule({ source: "$.a", destination: "a", on_error: "default" })],
    ["each without a source", rule({ value: [], destination: "a", each: [] })],
    ["a fault within each", rule({ source: "$.a", destination: "a", each: [{ source: "$.a" }] })],
    ["a drop that writes", rule({ drop: "a", destination: "b" })],
    ["a predicate that is a number", rule({ source: "$.a", destination: "a", when: 1 })],
  ])("%s", (_, change) => {
    // As it is read from a file, where nothing is undefined.
    const config = JSON.parse(JSON.stringify({ connectors, ...change })) as Json;
    const refusals = lint(config).filter((line) => !line.includes("leads nowhere"));
    expect([fits(config), refusals.length > 0]).toEqual([false, true]);
  });
});

/** Every place in a value, as the container and the key. */
function places(value: Json): { readonly within: Record<string, Json>; readonly key: string }[] {
  if (typeof value !== "object" || value === null) return [];
  const within = value as Record<string, Json>;
  return Object.entries(within).flatMap(([key, below]) => [{ within, key }, ...places(below)]);
}

test("the published schema never refuses what lint takes", () => {
  const values: Json[] = [
    null,
    true,
    0,
    -1,
    1.5,
    "",
    "x",
    "5s",
    "a b",
    "$" + "{env:SLUICE_SECRET_A}",
    [],
    ["a"],
    {},
    { a: 1 },
  ];
  const change = fc.record({
    at: fc.nat(),
    how: fc.oneof(
      fc.constant({ kind: "drop" as const }),
      fc.constantFrom(...values).map((value) => ({ kind: "put" as const, value })),
      fc.constantFrom("name", "type", "mode", "x", "drop", "source").map((name) => ({ kind: "rename" as const, name })),
    ),
  });
  let taken = 0;
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), (changes) => {
      const config = structuredClone(whole);
      for (const { at, how } of changes) {
        const all = places(config);
        const place = all[at % Math.max(1, all.length)];
        if (place === undefined) continue;
        const { within, key } = place;
        const value = within[key]!;
        if (how.kind === "put") within[key] = structuredClone(how.value);
        else if (Array.isArray(within)) within.splice(Number(key), 1);
        else delete within[key];
        if (how.kind === "rename" && !Array.isArray(within)) within[how.name] = value;
      }
      if (lint(config).length > 0) return;
      taken++;
      expect([fits(config), fits.errors]).toEqual([true, null]);
    }),
    { numRuns: 600 },
  );
  expect(taken).toBeGreaterThan(30);
}, 60_000);
