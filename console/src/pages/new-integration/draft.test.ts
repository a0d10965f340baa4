import { expect, test } from "vitest";
import { bodyOf, nameOf } from "./body.ts";
import { changed, type Draft, empty, keepable, wantOf } from "./draft.ts";
import type { Match } from "./suggest.ts";

const match = (destination: string, source: string | null, cast: Match["cast"] = null): Match => ({
  destination,
  source,
  cast,
  takes: "anything",
  isRequired: false,
  why: "same name",
});
const draft: Draft = {
  ...empty,
  source: {
    ...empty.source,
    connector: { id: "1", name: "files", type: "file" },
    stream: "People (old).ndjson",
  },
  destination: {
    ...empty.destination,
    connector: { id: "2", name: "warehouse", type: "postgres" },
    stream: "people",
    mode: "upsert",
    fields: "tenant, id",
  },
  mapping: {
    rule: "match",
    matches: [match("id", "$.id", "integer"), match("name", "$.name"), match("note", null)],
    left: [],
  },
};

test("a draft becomes an integration that is not enabled yet", () => {
  expect(bodyOf(draft)).toEqual({
    name: "people-old-to-warehouse",
    source: { connector: "files", stream: "People (old).ndjson" },
    destination: { connector: "warehouse", stream: "people", mode: "upsert", key: ["tenant", "id"] },
    trigger: { type: "manual" },
    mapping_spec: [
      { source: "$.id", destination: "id", cast: "integer" },
      { source: "$.name", destination: "name" },
    ],
    enabled: false,
  });
  expect(bodyOf({ ...draft, mapping: { rule: "copy", matches: [match("id", "$.id")], left: [] } })).not.toHaveProperty(
    "mapping_spec",
  );
});

test("webhooks have no source, and a name all the same", () => {
  const body = bodyOf({ ...draft, trigger: { ...draft.trigger, type: "webhook", scheme: "github", secret: "s" } });
  expect(body).toMatchObject({
    name: "webhooks-to-warehouse",
    trigger: { type: "webhook", auth: { scheme: "github", secrets: ["s"] } },
  });
  expect(body).not.toHaveProperty("source");
});

test("a name is one that the server takes, whatever streams and connectors are called", () => {
  const long = { ...draft, source: { ...draft.source, stream: `${"Ä".repeat(40)}${"-x".repeat(60)}` } };
  for (const each of [draft, long, empty]) expect(nameOf(each)).toMatch(/^[a-z0-9][a-z0-9-]{0,62}$/);
});

test("secrets do not stay in the browser, and references do", () => {
  const form = { name: "db", config: { host: "db", password: "hunter2", token: "${env:SLUICE_SECRET_T}", other: 1 } };
  const schema = {
    type: "object",
    properties: { password: { type: "string", writeOnly: true }, token: { type: "string", writeOnly: true } },
  };
  const secret = { ...draft.trigger, secret: "hunter2" };
  const given: Draft = { ...draft, source: { ...draft.source, type: "db", form }, trigger: secret };
  const keptDraft = keepable(given, new Map([["db", schema]]));
  expect(JSON.stringify(keptDraft)).not.toContain("hunter2");
  expect(keptDraft.source.form.config).toEqual({ host: "db", token: "${env:SLUICE_SECRET_T}", other: 1 });
  expect(keepable(given, new Map()).source.form.config).toEqual({});
});

test("a mapping is suggested anew for another stream, and kept for another name or mode", () => {
  expect(changed(draft, { name: "other" }).mapping).toBe(draft.mapping);
  expect(changed(draft, { source: { ...draft.source, mode: "incremental" } }).mapping).toBe(draft.mapping);
  expect(changed(draft, { source: { ...draft.source, stream: "orders" } }).mapping).toBeNull();
});

test("each step says what it wants", () => {
  expect(wantOf(empty, "source")).toBe("Choose where records come from");
  expect(wantOf({ ...draft, source: { ...draft.source, stream: " " } }, "source")).toBe("Choose a stream");
  expect(wantOf({ ...draft, destination: { ...draft.destination, fields: "" } }, "destination")).toBe("Name the key");
  expect(
    (["source", "destination", "mapping", "schedule", "review"] as const).map((step) => wantOf(draft, step)),
  ).toEqual([null, null, null, null, null]);
});
