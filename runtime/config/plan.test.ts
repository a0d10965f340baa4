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
    {
      path: "source",
      message: "the cursor is reset: the next run reads the source from its start",
      destructive: true,
    },
  ]);
});

test("a source that is read in full each time has no cursor to lose", () => {
  const source = { connector: "in", stream: "a" };
  const other = { connector: "in", stream: "b" };
  expect(plan(integration({ source }), integration({ source: other })).notes).toEqual([
    { path: "source", message: "the next run reads another source", destructive: false },
  ]);
});

test("a change elsewhere keeps the cursor of an incremental source, and says so", () => {
  const notes = plan(integration(), integration({ metadata: { owner: "x" } })).notes;
  expect(notes).toEqual([
    {
      path: "source",
      message: "the cursor is kept: the next run goes on where the last one ended",
      destructive: false,
    },
  ]);
});

test("of several sources each keeps its cursor, and the one that is read no more gives it up", () => {
  const source = (stream: string, mode = "incremental") => ({ connector: "in", stream, mode, cursor_field: "at" });
  const sources = (...list: JsonObject[]) => integration({ source: undefined as never, sources: list });
  const { notes } = plan(sources(source("a"), source("b")), sources(source("a"), source("c", "full")));
  expect(notes.map(({ path, message, destructive }) => [path, message, destructive])).toEqual([
    ["sources", "the cursor of a of in is kept: the next run goes on where the last one ended", false],
    ["sources", "b of in is read no more: its cursor is given up", true],
    ["sources", "c of in is new: it is read from its start", false],
  ]);
  expect(losses(integration(), sources(source("a"), source("b")))).toEqual([]);
});

test("versions count up where something changes", () => {
  const before = { ...integration(), version: 3 };
  expect(plan(before, integration({ enabled: false })).version).toEqual({ before: 3, after: 4 });
  expect(plan(before, integration()).version).toEqual({ before: 3, after: 3 });
  expect(planChanges([], [integration()])[0]!.version).toEqual({ before: null, after: 1 });
});

test("a new integration says that its logs are made, and that its first run begins at the start", () => {
  expect(planChanges([], [integration()])[0]!.notes).toEqual([
    { path: "", message: "its logs, ingest and deliver, are made with its first run", destructive: false },
    { path: "source", message: "its first run reads the source from the start", destructive: false },
  ]);
});

const losses = (before: Item, after: Item) =>
  plan(before, after)
    .notes.filter(({ destructive }) => destructive)
    .map(({ path, message }) => `${path}: ${message}`);

test("a destination that goes away is marked as destructive, one that is added is not", () => {
  const destination = { connector: "elsewhere", stream: "b" };
  expect(losses(integration(), integration({ destination }))).toEqual([
    "destination: destination out is removed: records that still wait for it become dead letters",
  ]);
  const both = { destination: undefined as never, destinations: [{ connector: "out", stream: "b" }, destination] };
  const { notes } = plan(integration(), integration(both));
  expect(notes.map(({ path, message }) => `${path}: ${message}`)).toContain(
    "destinations[1]: destination elsewhere is new: it gets what is read from now on",
  );
  expect(losses(integration(), integration(both))).toEqual([]);
});

test("a destination that is replaced with each run, and one that is upserted by another key, are marked", () => {
  const destination = (change: JsonObject) =>
    integration({ destination: { connector: "out", stream: "b", ...change } });
  expect(losses(destination({}), destination({ mode: "replace" }))).toEqual([
    "destination.mode: destination out replaces what b of out holds with each run",
  ]);
  expect(losses(destination({ mode: "replace" }), destination({}))).toEqual([]);
  const upsert = (...key: string[]) => destination({ mode: "upsert", key });
  expect(losses(upsert("id"), upsert("email", "name"))).toEqual([
    "destination.key: what destination out wrote by the key id may not be found by email, name, and be there twice",
  ]);
  expect(losses(destination({}), upsert("id"))).toEqual([]);
});

test("a destination that writes elsewhere from now on says what stays", () => {
  const destination = { connector: "out", stream: "c" };
  expect(plan(integration(), integration({ destination })).notes.at(-1)).toEqual({
    path: "destination",
    message: "destination out writes to c of out from now on: b of out stays as it is",
    destructive: false,
  });
});

test("an aggregate that is removed or groups in another way is marked, and not one whose emit changes", () => {
  const aggregate = (change: JsonObject) => ({
    id: "totals",
    type: "aggregate",
    key: ["shop"],
    window: { count: 10 },
    measures: { n: { count: true } },
    ...change,
  });
  const steps = (...list: JsonObject[]) => integration({ pipeline_spec: { steps: list } });
  const before = steps(aggregate({}));
  expect(losses(before, steps())).toEqual([
    "pipeline_spec.steps: the aggregate totals is removed: groups that are still open are lost",
  ]);
  expect(losses(before, steps(aggregate({ window: { count: 20 } })))).toEqual([
    "pipeline_spec.steps[0]: the aggregate totals groups in another way: groups that are still open are lost",
  ]);
  expect(losses(before, steps(aggregate({ emit: [{ source: "$.n", destination: "n" }] })))).toEqual([]);
});
