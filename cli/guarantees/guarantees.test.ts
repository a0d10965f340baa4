import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../../runtime/config/index.ts";
import { guaranteesOf, promises, type Surroundings } from "./index.ts";

const clone = new URL("../../", import.meta.url);
const types: Readonly<Record<string, string>> = { crm: "postgres", files: "file", none: "blackhole" };
const here: Surroundings = { typeOf: (name) => types[name], nats: "embedded", postgres: "embedded" };

const source = { connector: "files", stream: "in.ndjson" };
const toTable = { connector: "crm", stream: "users", mode: "upsert", key: ["id"] };
const toFile = { connector: "files", stream: "out.ndjson" };
const sums = { id: "sums", type: "aggregate", key: ["status"], window: { count: 10, duration: "90s" }, measures: {} };

function about(name: string, spec: JsonObject, surroundings = here) {
  const found = guaranteesOf(resolveIntegration({ name: "shop", source, destination: toTable, ...spec }), surroundings);
  return found.find((each) => each.about === name)!;
}

test.each(Object.entries(promises))("the tests that hold %s exist", (_, { heldBy }) => {
  for (const held of heldBy) {
    const file = new URL(held, clone);
    expect(existsSync(file), held).toBe(true);
    if (held.endsWith(".test.ts")) continue;
    const within = readdirSync(file, { recursive: true });
    expect(within.some((each) => String(each).endsWith(".test.ts"))).toBe(true);
  }
});

test("each test that docs/guarantees.md names is one of a promise", () => {
  const page = readFileSync(new URL("docs/guarantees.md", clone), "utf8");
  const named = [...page.matchAll(/`((?:actors|runtime|tests|adapters|connectors|gateway|cli)\/[\w./-]+)`/g)];
  const held = new Set<string>(Object.values(promises).flatMap(({ heldBy }) => [...heldBy]));
  expect(named.length).toBeGreaterThan(20);
  expect(named.map(([, path]) => path!).filter((path) => !held.has(path))).toEqual([]);
});

test.each<[string, JsonObject, RegExp, string]>([
  ["postgres by upsert", { destination: toTable }, /^exactly once by upsert on id$/, "kill-node"],
  [
    "postgres by append",
    { destination: { connector: "crm", stream: "users", mode: "append" } },
    /^at least once/,
    "settler",
  ],
  ["a file that is replaced", { destination: { ...toFile, mode: "replace" } }, /^exactly once/, "kill-node"],
  ["a file by append", { destination: { ...toFile, mode: "append" } }, /^at least once/, "settler"],
  [
    "a file by append in strict order",
    { destination: { ...toFile, mode: "append" }, delivery: { ordering: "strict" } },
    /^exactly once/,
    "kill-ordered",
  ],
  [
    "windows to a file by append in strict order",
    {
      destination: { ...toFile, mode: "append" },
      delivery: { ordering: "strict" },
      pipeline_spec: { steps: [sums] },
    },
    /^at least once/,
    "settler",
  ],
  [
    "a blackhole",
    { destination: { connector: "none", stream: "x", mode: "upsert", key: ["id"] } },
    /^at least once/,
    "settler",
  ],
  [
    "an unknown type",
    { destination: { connector: "other", stream: "x", mode: "replace" } },
    /^at least once/,
    "settler",
  ],
])("duplicates in %s", (_, spec, promise, test) => {
  const found = about("duplicates", spec);
  expect(found.promise).toMatch(promise);
  expect(found.held_by.some((path) => path.includes(test))).toBe(true);
});

test("a file that is replaced is written exactly once where steps cut batches up, too", () => {
  const destination = { ...toFile, mode: "replace" };
  const slow = { steps: [{ id: "slow", type: "filter", where: "$.a == 1", rate_limit: 10 }] };
  expect(about("duplicates", { destination, pipeline_spec: slow }).promise).toMatch(/^exactly once/);
});

test("rows that Postgres gives again or too late are told where it is read incrementally", () => {
  const rows = { connector: "crm", stream: "users", mode: "incremental", cursor_field: "at" };
  expect(about("source crm", { source: rows }).limits).toHaveLength(2);
  expect(about("source files", { source: { ...source, mode: "incremental" } })).toMatchObject({
    promise: "in.ndjson, incremental: each run goes on where the last record in the log was",
    limits: [],
  });
});

test("idempotency keys make an append to Postgres exactly once", () => {
  const destination = { connector: "crm", stream: "users", mode: "append" };
  const found = about("duplicates", { destination, delivery: { idempotency: { key: "event", window: "1h" } } });
  expect(found.promise).toMatch(/^exactly once within the window/);
  expect(found.limits).toContain("event confirmed within 1h is not written again");
  expect(found.limits).toContain("the steps give a record the same key again");
  expect(found.held_by).toContain("tests/connector-postgres/ownership.test.ts");
  expect(new Set(found.held_by).size).toBe(found.held_by.length);
});

test("who takes nothing of a paused owner is told, and who may", () => {
  const destinations = [
    { id: "a", ...toTable },
    { id: "b", ...toFile, mode: "replace" },
    { id: "c", ...toFile, mode: "append" },
  ];
  const { limits } = about("one owner", { destination: undefined, destinations } as unknown as JsonObject);
  expect(limits.map((limit) => limit.replace(/:? .*/, ""))).toEqual(["a", "b", "c"]);
  expect(limits.filter((limit) => limit.includes("takes nothing"))).toHaveLength(2);
});

test("elsewhere idempotency keys bound the duplicates of an append, and do not make it exactly once", () => {
  const destination = { ...toFile, mode: "append" };
  const found = about("duplicates", { destination, delivery: { idempotency: { key: "event", window: "1h" } } });
  expect(found.promise).toMatch(/^at least once: a crash repeats up to 10,000 records and what was in hand/);
  const strict = { ordering: "strict", idempotency: { window: "1h" } };
  const appended = about("duplicates", { destination: { ...toFile, mode: "append" }, delivery: strict });
  expect(appended.promise).toMatch(/^at least once/);
  expect(found.limits).toContain("event confirmed within 1h is not written again, but for crashes");
  expect(found.held_by).toContain("actors/idempotency.test.ts");
});

test("what a source in mode full appends again with each run is told, save where idempotency keys keep it out", () => {
  const destination = { ...toFile, mode: "append" };
  const again = expect.stringContaining("each run appends all of it again");
  const strict = { destination, delivery: { ordering: "strict" } };
  expect(about("duplicates", strict).limits).toContainEqual(again);
  expect(about("duplicates", { ...strict, source: { ...source, mode: "incremental" } }).limits).not.toContainEqual(
    again,
  );
  const remembered = { ordering: "strict", idempotency: { window: "1d" } };
  expect(about("duplicates", { destination, delivery: remembered }).limits).not.toContainEqual(again);
  expect(about("duplicates", {}).limits).not.toContainEqual(again);
});

test("several destinations have a promise each", () => {
  const destinations = [
    { id: "a", ...toTable },
    { id: "b", ...toFile, mode: "append" },
  ];
  const spec = { name: "shop", source, destinations };
  const found = guaranteesOf(resolveIntegration(spec), here).filter(({ about }) => about.startsWith("duplicates"));
  expect(found.map(({ about, promise }) => [about, promise.split(":")[0]])).toEqual([
    ["duplicates a", "exactly once by upsert on id"],
    ["duplicates b", "at least once"],
  ]);
});

test("order: none promises nothing and names no test; key names its fields, and the rows that it does not cover", () => {
  const none = about("order", { delivery: { ordering: "none" } });
  expect([none.promise.slice(0, 5), none.held_by]).toEqual(["none:", []]);
  expect(none.limits).toEqual([expect.stringContaining("need not be the newest")]);

  const key = about("order", { delivery: { ordering: "key", key: ["account"] } });
  expect(key.promise).toBe("records of equal account are written in the source's order");
  expect(key.limits).toContain("crm: records of one row may differ in account; those have no order");
  expect(key.held_by).toEqual(promises.order.heldBy);
  const covered = about("order", { delivery: { ordering: "key", key: ["id"] } });
  expect(covered.limits.join()).not.toContain("may differ");

  const sources = [source, { connector: "crm", stream: "users" }];
  const strict = about("order", { sources, delivery: { ordering: "strict" } });
  expect(strict.limits[0]).toContain("between sources there is no order");
});

test("what is dropped, discarded or stops the run is told", () => {
  const steps = [
    { id: "clean", type: "filter", where: "$.a > 1", on_error: "drop" },
    { id: "must", type: "filter", where: "$.a > 2", on_error: "stop" },
  ];
  const spec = { pipeline_spec: { steps }, schema: { contract: "discard_record" } };
  expect(about("loss", spec).limits).toEqual([
    expect.stringContaining("on_error: drop in clean"),
    expect.stringContaining("discard_record"),
  ]);
  expect(about("refusals", spec).limits).toEqual([expect.stringContaining("on_error: stop in must")]);
  expect(about("loss", {}).limits).toEqual([]);
});

test("windows, retries, circuit, limits and schedule are told with their settings", () => {
  const spec = {
    trigger: { type: "schedule", cron: "@hourly", misfire: "skip", overlap: "queue" },
    pipeline_spec: { steps: [sums] },
    delivery: {
      retry: { max_attempts: 7, initial: "250ms", max: "2m" },
      circuit_breaker: { failure_percent: 30, window: "10s", open_for: "1h" },
      rate_limit: { per_minute: 60, per_day: 900 },
      timeout: { total: "45s" },
    },
  };
  expect(about("window sums", spec).promise).toContain("closed after 10 records or 90s or the run's end");
  expect(about("retries", spec).promise).toContain("tried 7 times, 250ms to 2m apart");
  expect(about("circuit", spec).promise).toContain("30 % failures of 10 or more calls in 10s, for 1h");
  expect(about("limits", spec).promise).toBe("a write takes 45s at most; 60 calls in any minute, 900 a day (UTC)");
  expect(about("schedule", spec).promise).toContain("missed is skipped; while a run lasts, the next waits");
  expect(about("schedule", {})).toBeUndefined();
});

test("the scenarios of the fault suite are those of the integration's own configuration", () => {
  const append = { destination: { connector: "crm", stream: "users", mode: "append" } };
  const remembered = { ...append, delivery: { idempotency: { window: "1h" } } };
  const toFileStrict = { destination: { ...toFile, mode: "append" }, delivery: { ordering: "strict" } };
  const shown = (name: string, spec: JsonObject, surroundings = here) => about(name, spec, surroundings).shown_by;
  expect(shown("duplicates", {}).load).toBe("upsert");
  expect(shown("duplicates", append).load).toBe("append");
  expect(shown("duplicates", remembered).load).toBe("idempotent");
  expect(shown("duplicates", toFileStrict).load).toBe("strict");
  expect(shown("order", toFileStrict)).toMatchObject({ load: "strict" });
  expect(shown("order", {})).toEqual({ scenarios: [], load: null });
  // A file is not reached over a network.
  expect(shown("loss", {}).scenarios).toContain("half-open-destination");
  expect(shown("loss", toFileStrict).scenarios).not.toContain("half-open-destination");
  expect(shown("loss", toFileStrict).scenarios).toContain("half-open-store");
  expect(shown("loss", {}).scenarios).not.toContain("cluster-leader");
  expect(shown("loss", {}, { ...here, nats: "replicated" }).scenarios).toContain("cluster-leader");
  expect(shown("lost data", {}).scenarios).not.toContain("deliver-log-lost");
  expect(shown("limits", {}).scenarios).toEqual([]);
  expect(shown("loss", {}).scenarios).not.toContain("kill-plugin");
  const toPlugin = { destination: { connector: "other", stream: "x", mode: "append" } };
  expect(shown("loss", toPlugin).scenarios).toContain("kill-plugin");
});

test("durability is promised of the servers that are sluice's own", () => {
  expect(about("durability", {})).toMatchObject({ limits: [], held_by: ["tests/embedded/servers.test.ts"] });
  const external = about("durability", {}, { ...here, nats: "external", postgres: "external" });
  expect(external.held_by).toEqual([]);
  expect(external.promise).toContain("SLUICE_NATS_URL) confirms as it is configured");
  expect(external.limits[0]).toContain("every two minutes");
  const cluster = about("durability", {}, { ...here, nats: "replicated", postgres: "external" });
  expect(cluster).toMatchObject({ held_by: ["tests/chaos/suite/cluster.test.ts"] });
  expect(cluster.promise).toContain("what most of the servers have");
});
