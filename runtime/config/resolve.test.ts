import { expect, test } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { parseDuration } from "./duration.ts";
import { completeIntegration, resolveIntegration } from "./resolve.ts";

const source = { connector: "in", stream: "a" };
const destination = { connector: "out", stream: "b" };
const spec = (more: JsonObject = {}): JsonObject => ({ source, destination, ...more });

test("the delivery's defaults are those of the language", () => {
  expect(resolveIntegration(spec()).delivery).toEqual({
    ordering: "none",
    key: [],
    batch: { records: 500, bytes: 100_000, lingerMs: 50 },
    retry: { maxAttempts: 12, initialMs: 1_000, maxMs: 300_000, multiplier: 2, jitter: 0.2 },
    circuitBreaker: { failurePercent: 50, windowMs: 60_000, minimumCalls: 10, openForMs: 30_000, halfOpenRequests: 1 },
    rateLimit: { perMinute: null, burst: null, perDay: null },
    timeout: { connectMs: 5_000, readMs: 30_000, totalMs: 60_000 },
    idempotency: { key: null, windowMs: null },
    alertDepth: null,
  });
});

test("a mapping_spec without steps is one map step", () => {
  const rules = [{ source: "$.a", destination: "b" }];
  const { steps, destinations } = resolveIntegration(spec({ mapping_spec: rules }));
  expect(steps).toMatchObject([{ id: "map", type: "map", needs: ["source"], mapping: rules }]);
  expect(destinations[0]!.needs).toEqual(["map"]);
});

test("with neither mapping_spec nor steps a record passes from the source to the destination", () => {
  const { steps, destinations } = resolveIntegration(spec());
  expect(steps).toEqual([]);
  expect(destinations[0]!.needs).toEqual(["source"]);
});

test("rules of a mapping reach the pipeline as they were written", () => {
  const rules = [{ source: "$", destination: "*" }, { drop: "a" }];
  expect(resolveIntegration(spec({ mapping_spec: rules })).steps[0]).toMatchObject({ mapping: rules });
});

test("a step without needs follows the one before, and steps come out in the order of their needs", () => {
  const steps = [
    { id: "late", type: "filter", where: "$.a", needs: ["early"] },
    { id: "early", type: "filter", where: "$.b", needs: ["source"] },
    { id: "last", type: "filter", where: "$.c" },
  ];
  const resolved = resolveIntegration(spec({ pipeline_spec: { steps } }));
  expect(resolved.steps.map(({ id, needs }) => [id, needs])).toEqual([
    ["early", ["source"]],
    ["last", ["early"]],
    ["late", ["early"]],
  ]);
  expect(resolved.destinations[0]!.needs).toEqual(["last"]);
});

test("a destination without an id is called as its connector", () => {
  const destinations = [
    { ...destination, id: "first" },
    { ...destination, connector: "other" },
  ];
  const { destinations: resolved } = resolveIntegration({ source, destinations });
  expect(resolved.map(({ id }) => id)).toEqual(["first", "other"]);
});

test("a schedule means UTC, catches up once and skips an overlap unless it says otherwise", () => {
  const trigger = { type: "schedule", cron: "*/5 * * * *" };
  expect(resolveIntegration(spec({ trigger })).trigger).toEqual({
    ...trigger,
    timezone: "UTC",
    misfire: "once",
    overlap: "skip",
  });
  expect(resolveIntegration(spec()).trigger).toEqual({ type: "manual" });
});

test("the long form resolves to the same as the short one", () => {
  const short = spec({ mapping_spec: [], delivery: { retry: { max: "1h" } } });
  expect(resolveIntegration(completeIntegration(short))).toEqual(resolveIntegration(short));
});

test("a spec is not changed by resolving it", () => {
  const given = spec({ delivery: { retry: {} }, mapping_spec: [] });
  const before = structuredClone(given);
  resolveIntegration(given);
  expect(given).toEqual(before);
});

test.each([
  ["250ms", 250],
  ["5s", 5_000],
  ["10m", 600_000],
  ["2h", 7_200_000],
  ["30d", 2_592_000_000],
  ["5", undefined],
  ["1.5s", undefined],
  ["-5s", undefined],
  ["5 s", undefined],
  ["5S", undefined],
  ["", undefined],
])("the duration %j is %j milliseconds", (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});
