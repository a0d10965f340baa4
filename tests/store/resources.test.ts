import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore, type PostgresStore } from "../../adapters/postgres/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { ConflictError } from "../../runtime/ports/store.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { addIntegration, newStore, settlement, uuidV7 } from "./fixtures.ts";
import { sql } from "./sql.ts";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
let store: PostgresStore;
beforeAll(async () => {
  server = testServer();
  store = await newStore(server);
});
afterAll(async () => {
  await store.close();
  await server.remove();
});

const connector = (name: string, change = {}) => ({
  id: uuidV7(),
  name,
  type: "postgres",
  config: { host: "127.0.0.1" } as JsonObject,
  sealed: null,
  owner: null,
  ...change,
});

test("a connector comes back as it was created, by id and by name", async () => {
  const config = parseJson(
    '{"b":1,"a":{"__proto__":{"x":1},"nul":"\\u0000","big":12345678901234567890.10}}',
  ) as JsonObject;
  const sealed = Buffer.from([0, 1, 255]);
  const row = await store.connectors.create(connector("whole", { config, sealed, owner: "team" }));
  expect(row).toMatchObject({ name: "whole", type: "postgres", owner: "team", version: 1 });
  expect(row.createdAt).toBeInstanceOf(Date);
  const read = (await store.connectors.get(row.id))!;
  expect(read).toEqual(row);
  expect(await store.connectors.byName("whole")).toEqual(row);
  expect(JSON.stringify(read.config)).toBe(JSON.stringify(config));
  expect(Buffer.from(read.sealed!)).toEqual(sealed);
});

test("a taken name is a conflict that says so, for connectors and integrations, on create and update", async () => {
  await store.connectors.create(connector("taken"));
  const other = await store.connectors.create(connector("other"));
  const conflict = new ConflictError("a connector of this name exists already");
  await expect(store.connectors.create(connector("taken"))).rejects.toThrow(conflict);
  await expect(store.connectors.update(other.id, { ...other, name: "taken" })).rejects.toThrow(conflict);
  await addIntegration(store, { name: "taken-too" });
  await expect(addIntegration(store, { name: "taken-too" })).rejects.toBeInstanceOf(ConflictError);
});

test("an update counts the version up, and with a version that does not match is refused", async () => {
  const row = await store.connectors.create(connector("versioned"));
  const change = { name: "versioned", type: row.type, config: { host: "::1" }, sealed: null };
  expect(await store.connectors.update(row.id, change, 1)).toMatchObject({ version: 2, config: { host: "::1" } });
  await expect(store.connectors.update(row.id, change, 1)).rejects.toThrow("is at version 2");
  expect(await store.connectors.update(row.id, change)).toMatchObject({ version: 3 });
});

test("of two updates of one version at the same time, one is refused", async () => {
  const row = await addIntegration(store);
  const results = await Promise.allSettled(
    [1, 2, 3, 4].map((n) => store.integrations.update(row.id, { ...row, spec: { n } }, row.version)),
  );
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect((await store.integrations.get(row.id))!.version).toBe(2);
});

test("what does not exist is null or false, also where the id is none at all", async () => {
  for (const id of [uuidV7(), "not-an-id", ""]) {
    expect(await store.connectors.get(id)).toBeNull();
    expect(await store.connectors.update(id, connector("x"))).toBeNull();
    expect(await store.connectors.remove(id)).toBe(false);
    expect(await store.integrations.get(id)).toBeNull();
    expect(await store.integrations.version(id, 1)).toBeNull();
    expect(await store.integrations.remove(id)).toBe(false);
    expect(await store.runs.get(id)).toBeNull();
    expect(await store.runs.list(id, { limit: 5, cursor: null, status: null })).toEqual({
      items: [],
      nextCursor: null,
    });
    expect(await store.deadLetters.get(id)).toBeNull();
  }
});

test.each([
  ["source", { source: { connector: "used" } }],
  ["one of several sources", { sources: [{ connector: "a" }, { connector: "used" }] }],
  ["destination", { destination: { connector: "used" } }],
  ["one of several destinations", { destinations: [{ connector: "a" }, { connector: "used" }] }],
  ["enrich step", { pipeline_spec: { steps: [{ type: "map" }, { type: "enrich", connector: "used" }] } }],
])("a connector that an integration uses as %s is neither removed nor renamed", async (_use, spec: JsonObject) => {
  const used = await store.connectors.create(connector("used"));
  const user = await addIntegration(store, { spec });
  await expect(store.connectors.remove(used.id)).rejects.toThrow(
    new ConflictError(`connector used cannot be removed while it is used by ${user.name}`),
  );
  const renamed = store.connectors.update(used.id, { ...used, name: "free" });
  await expect(renamed).rejects.toThrow("cannot be renamed");
  await store.integrations.remove(user.id);
  expect(await store.connectors.remove(used.id)).toBe(true);
  expect(await store.connectors.get(used.id)).toBeNull();
});

test("former versions of an integration stay readable", async () => {
  const first = await addIntegration(store, { spec: { v: 1 } });
  await store.integrations.update(first.id, { name: "renamed", spec: { v: 2 }, enabled: false });
  expect(await store.integrations.version(first.id, 1)).toEqual(first);
  expect(await store.integrations.version(first.id, 2)).toEqual(await store.integrations.get(first.id));
  expect(await store.integrations.version(first.id, 3)).toBeNull();
});

test("of many texts those are told that are the name or the id of an integration", async () => {
  const { id, name } = await addIntegration(store, { name: "asked-for" });
  const texts = ["none", name, id, uuidV7(), "no uuid"];
  expect(await store.integrations.existing(texts)).toEqual([name, id]);
  expect(await store.integrations.existing([])).toEqual([]);
});

test("removing an integration takes its checkpoints, cursor and claims along, and leaves later commits stale", async () => {
  const { id } = await addIntegration(store);
  const checkpoint = { consumer: "steps", settled: [1], state: null, progress: null };
  await store.checkpoints.commit([settlement(id, { checkpoints: [checkpoint] })]);
  await store.checkpoints.saveCursor(id, "a", { at: 1 });
  const claim = await store.claims.put(id, Buffer.from("large"));
  expect(await store.integrations.remove(id)).toBe(true);
  expect(await store.integrations.version(id, 1)).toBeNull();
  expect(await store.checkpoints.load(id)).toEqual([]);
  expect(await store.checkpoints.loadCursor(id, "a")).toBeNull();
  expect(await store.claims.get(claim)).toBeNull();
  expect(await store.checkpoints.commit([settlement(id, { checkpoints: [checkpoint] })])).toEqual({ stale: [id] });
  await store.checkpoints.saveCursor(id, "a", { at: 2 });
  expect(await store.checkpoints.loadCursor(id, "a")).toBeNull();
});

test("a list walks all rows once, newest first, though rows are added meanwhile", async () => {
  const mine = await newStore(server);
  const ids: string[] = [];
  for (let n = 0; n < 7; n++) ids.unshift((await mine.connectors.create(connector(`c${n}`))).id);
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await mine.connectors.list({ limit: 3, cursor });
    seen.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor;
    await mine.connectors.create(connector(`new-${seen.length}`));
  } while (cursor !== null);
  expect(seen).toEqual(ids);
  await mine.close();
});

test("the last page says that it is the last, also where it is full or empty", async () => {
  const mine = await newStore(server);
  expect(await mine.integrations.list({ limit: 2, cursor: null })).toEqual({ items: [], nextCursor: null });
  await addIntegration(mine);
  await addIntegration(mine);
  const page = await mine.integrations.list({ limit: 2, cursor: null });
  expect(page.items).toHaveLength(2);
  expect(page.nextCursor).toBeNull();
  expect(await mine.integrations.all()).toEqual(page.items.toReversed());
  await mine.close();
});

test.each(["x", "", "../..", "AAAA"])("a cursor that no list gave (%j) is refused by its path", async (cursor) => {
  await expect(store.connectors.list({ limit: 1, cursor })).rejects.toMatchObject({
    code: "VALIDATION_ERROR",
    errors: [{ path: "cursor" }],
  });
});

test("all of a transaction is done or nothing of it", async () => {
  const failed = store.transaction(async (tx) => {
    await tx.connectors.create(connector("half-done"));
    expect(await tx.connectors.byName("half-done")).not.toBeNull();
    await addIntegration(tx, { name: "half-done" });
    throw new Error("changed my mind");
  });
  await expect(failed).rejects.toThrow("changed my mind");
  expect(await store.connectors.byName("half-done")).toBeNull();
  expect(await store.integrations.byName("half-done")).toBeNull();
  const made = await store.transaction(async (tx) => {
    await tx.connectors.create(connector("done"));
    return addIntegration(tx, { name: "done" });
  });
  expect(await store.integrations.get(made.id)).toEqual(made);
});

test("a failure that is caught within a transaction does not pass for success", async () => {
  const swallowed = store.transaction(async (tx) => {
    await tx.connectors.create(connector("swallowed"));
    await tx.claims.put("no uuid", Buffer.alloc(1)).catch(() => {});
  });
  await expect(swallowed).rejects.toThrow("rolled back");
  expect(await store.connectors.byName("swallowed")).toBeNull();
});

test("a claim of 20 MB comes back byte for byte, until it is removed", async () => {
  const { id } = await addIntegration(store);
  const bytes = Buffer.alloc(20 * 1024 * 1024, Buffer.from([0, 255, 92, 120, 10]));
  const claim = await store.claims.put(id, bytes);
  expect(bytes.equals((await store.claims.get(claim))!)).toBe(true);
  await store.claims.remove([claim, uuidV7()]);
  expect(await store.claims.get(claim)).toBeNull();
});

test("keys are known by their hash, until they are revoked or have expired", async () => {
  const hash = Buffer.alloc(32, 1);
  const key = {
    name: "first",
    prefix: "slc_abc",
    role: "admin",
    scopes: null,
    owner: null,
    expiresAt: null,
    rateLimit: null,
    hash,
  };
  expect(await store.apiKeys.byHash(hash)).toBeNull();
  const id = uuidV7();
  expect(await store.apiKeys.ensure({ ...key, id })).toBe(true);
  expect(await store.apiKeys.ensure({ ...key, id: uuidV7(), name: "again" })).toBe(false);
  expect(await store.apiKeys.byHash(hash)).toMatchObject({ id, name: "first", lastUsedAt: null });
  const texts = [hash, Buffer.alloc(32, 9)].map((each) => Buffer.from(each).toString("base64"));
  const found = await store.apiKeys.byHashes(texts);
  expect([...found].map(([text, row]) => [text, row.id])).toEqual([[texts[0], id]]);
  await store.apiKeys.used([id]);
  expect((await store.apiKeys.get(id))?.lastUsedAt).toBeInstanceOf(Date);
  expect(await store.apiKeys.revoke(id)).toBe(true);
  expect(await store.apiKeys.revoke(id)).toBe(false);
  expect(await store.apiKeys.byHash(hash)).toBeNull();
  expect(await store.apiKeys.byHashes(texts)).toEqual(new Map());
  const old = { ...key, id: uuidV7(), hash: Buffer.alloc(32, 2), expiresAt: new Date(Date.now() - 1000) };
  await store.apiKeys.create(old);
  expect(await store.apiKeys.byHash(old.hash)).toBeNull();
});

test("no error of the store holds a parameter of its query", async () => {
  const row = connector("leaky", { id: "not-an-id", config: { password: "hunter2" } });
  const error: unknown = await store.connectors.create(row).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(Error);
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("hunter2");
});

test("how an integration does is kept, but not what a former owner says of it", async () => {
  const { id, name, spec, version } = await addIntegration(store);
  const circuits = { crm: { since: 1, until: 2, reason: "refused", failureRatio: 0.5 } };
  const health = async () => {
    const { health, healthReason } = (await store.integrations.get(id))!;
    return [health, healthReason];
  };
  expect(await health()).toEqual(["ok", null]);
  await store.integrations.setHealth(id, 3, { status: "waiting", reason: "crm: away", circuits, losses: null });
  expect(await health()).toEqual(["waiting", "crm: away"]);
  expect((await store.integrations.version(id, version))!.circuits).toEqual(circuits);
  await store.checkpoints.commit([settlement(id, { epoch: 4 })]);
  await store.integrations.setHealth(id, 3, { status: "ok", reason: null, circuits: {}, losses: null });
  expect(await health()).toEqual(["waiting", "crm: away"]);
  await store.integrations.setHealth(id, 4, { status: "stopped", reason: "it failed", circuits: {}, losses: null });
  expect(await health()).toEqual(["stopped", "it failed"]);
  // An error of a far side may hold what Postgres takes in no text: it would be tried for ever.
  await store.integrations.setHealth(id, 4, { status: "stopped", reason: "a \0 b", circuits: {}, losses: null });
  expect(await health()).toEqual(["stopped", "a \ufffd b"]);
  // A change, or enabling it, begins anew.
  await store.integrations.update(id, { name, spec, enabled: true }, version);
  expect(await health()).toEqual(["ok", null]);
});

test("what was lost is kept until it was seen, and what comes later as well", async () => {
  const { id, version } = await addIntegration(store);
  const losses = { at: Date.now(), reasons: ["its log was lost"] };
  await store.integrations.setHealth(id, 3, { status: "degraded", reason: "lost", circuits: {}, losses });
  for (const row of [await store.integrations.get(id), await store.integrations.version(id, version)]) {
    expect(row).toMatchObject({ losses, lossesSeen: null });
  }
  expect(await store.integrations.seeLosses(id)).toMatchObject({ lossesSeen: losses.at });
  const later = { ...losses, at: losses.at + 1 };
  await store.integrations.setHealth(id, 3, { status: "degraded", reason: "lost", circuits: {}, losses: later });
  expect(await store.integrations.get(id)).toMatchObject({ losses: later, lossesSeen: losses.at });
  expect(await store.integrations.seeLosses(uuidV7())).toBeNull();
});

test("what was taken in hand and never let go is counted, until it is let go", async () => {
  const { id: integrationId } = await addIntegration(store);
  const [one, other] = ["r1", "r2"].map((mark) => ({ integrationId, marks: [mark] }));
  const both = { integrationId, marks: ["r2", "r1"] };
  expect(await store.suspects.take(one!)).toEqual([0]);
  expect(await store.suspects.take(both)).toEqual([0, 1]);
  await store.suspects.letGo(one!);
  expect(await store.suspects.take(both)).toEqual([1, 0]);
  expect(await store.suspects.left(integrationId, "r")).toEqual(expect.arrayContaining(["r1", "r2"]));
  expect(await store.suspects.left(integrationId, "r2")).toEqual(["r2"]);
  await store.suspects.letGo(both);
  expect(await store.suspects.take(other!)).toEqual([0]);
  await store.integrations.remove(integrationId);
  expect(await store.suspects.take(one!)).toEqual([0]);
});

test("an installation takes ten thousand connectors and as many integrations, and no more", async () => {
  const url = await server.url();
  const full = await openStore({ url });
  const rows = "select gen_random_uuid(), 'n' || n, '{}'::json from generate_series(1, 9999) n";
  await sql(url, `insert into sluice.connectors (id, name, config, type) select *, 'blackhole' from (${rows})`);
  await sql(url, `insert into sluice.integrations (id, name, spec, enabled) select *, false from (${rows})`);
  await full.connectors.create(connector("last"));
  await addIntegration(full);
  await expect(full.connectors.create(connector("more"))).rejects.toThrow("there are 10,000 connectors, and no more");
  await expect(addIntegration(full)).rejects.toThrow("there are 10,000 integrations, and no more");
  await full.close();
});
