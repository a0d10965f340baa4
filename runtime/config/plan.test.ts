import { expect, test } from "vitest";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { type Item, planChanges } from "./plan.ts";

const integration = (change: JsonObject = {}): Item => ({
  kind: "integration",
  name: "shop",
  value: {
    source: { connector: "in", stream: "a", mode: "incremental", cursor_field: "at" },
    destination: { connector: "out", stream: "b" },
    ...change,
  },
});
const plan = (before: Item, after: Item) => planChanges([before], [after])[0]!;

test("what is not there is created, what is the same is unchanged, and nothing is deleted", () => {
  const other: Item = { kind: "connector", name: "in", value: { type: "file", config: {} } };
  expect(planChanges([integration(), other], [integration()]).map(({ action }) => action)).toEqual(["unchanged"]);
  expect(planChanges([other], [integration()]).map(({ action }) => action)).toEqual(["create"]);
});

test("a connector and an integration of one name are two things", () => {
  expect(planChanges([{ ...integration(), kind: "connector" }], [integration()])[0]!.action).toBe("create");
});

test("the order of an object's fields is no change", () => {
  const swapped = integration({ destination: { stream: "b", connector: "out" } });
  expect(plan(integration(), swapped).action).toBe("unchanged");
});

test("fields that differ are told by path, with what was and what will be", () => {
  const { action, fields } = plan(
    integration({ enabled: true, mapping_spec: [{ source: "$.a", destination: "x" }] }),
    integration({ mapping_spec: [{ source: "$.b", destination: "x", cast: "string" }], "odd key": 1 }),
  );
  expect(action).toBe("update");
  expect(fields).toEqual([
    { path: "enabled", before: true },
    { path: "mapping_spec[0].source", before: "$.a", after: "$.b" },
    { path: "mapping_spec[0].cast", after: "string" },
    { path: '["odd key"]', after: 1 },
  ]);
});

test("another stream resets the cursor, which is marked as destructive", () => {
  const source = { connector: "in", stream: "other", mode: "incremental", cursor_field: "at" };
  expect(plan(integration(), integration({ source })).notes).toEqual([
    { message: "the cursor is reset: the next run reads the source from its start", destructive: true },
  ]);
});

test("a change elsewhere keeps the cursor of an incremental source, and says so", () => {
  const destination = { connector: "out", stream: "c" };
  expect(plan(integration(), integration({ destination })).notes).toEqual([
    { message: "the cursor is kept: the next run goes on where the last one ended", destructive: false },
  ]);
});

test("a destination that goes away is marked as destructive", () => {
  const destination = { connector: "elsewhere", stream: "b" };
  const notes = plan(integration(), integration({ destination })).notes;
  expect(notes.filter(({ destructive }) => destructive).map(({ message }) => message)).toEqual([
    "destination out is removed: records that still wait for it are not delivered",
  ]);
});
