import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresStore } from "../../adapters/postgres/index.ts";
import type { Json } from "../../connectors/sdk/index.ts";
import type { NewDeadLetter } from "../../runtime/ports/store.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { addIntegration, addRun, deadLetter, newStore, noCounts, settlement, uuidV7 } from "./fixtures.ts";
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

const all = { limit: 1000, cursor: null, resolved: null };
const checkpoint = (consumer: string, settled: number[], state: Json = null, progress: Json = null) => ({
  consumer,
  settled,
  state,
  progress,
});

async function fixture() {
  const integration = await addIntegration(store);
  return { integration, id: integration.id, run: await addRun(store, integration) };
}

/** Commits one dead letter and reads it back. */
async function kept(change: Partial<NewDeadLetter>) {
  const { id, run } = await fixture();
  const letter = deadLetter(run, change);
  await store.checkpoints.commit([settlement(id, { deadLetters: [letter] })]);
  return (await store.deadLetters.get(letter.id))!;
}

test("a commit keeps counters, checkpoints and dead letters of all integrations", async () => {
  const fleet = await Promise.all([fixture(), fixture(), fixture()]);
  const counts = { in: 9, out: 7, filtered: 1, failed: 1, byDestination: { crm: { out: 7, failed: 1 } } };
  const result = await store.checkpoints.commit(
    fleet.map(({ id, run }, n) =>
      settlement(id, {
        run: { id: run.id, counts: { ...counts, in: n }, waiting: n === 1 ? "postgres is away" : null },
        checkpoints: [checkpoint("steps", [n, 4]), checkpoint("crm", [], { bytes: 12 }, { records: 3 })],
        deadLetters: [deadLetter(run)],
      }),
    ),
  );
  expect(result).toEqual({ stale: [] });
  for (const [n, { id, run }] of fleet.entries()) {
    expect(await store.runs.get(run.id)).toMatchObject({
      counts: { ...counts, in: n },
      waiting: n === 1 ? "postgres is away" : null,
    });
    expect(await store.checkpoints.load(id)).toEqual([
      checkpoint("crm", [], { bytes: 12 }, { records: 3 }),
      checkpoint("steps", [n, 4]),
    ]);
    expect((await store.deadLetters.list(id, all)).items).toHaveLength(1);
  }
});

test("a flush that is repeated changes nothing", async () => {
  const { id, run } = await fixture();
  const flush = [
    settlement(id, {
      run: { id: run.id, counts: { ...noCounts, in: 3 }, waiting: null },
      checkpoints: [checkpoint("steps", [3])],
      deadLetters: [deadLetter(run), deadLetter(run)],
    }),
  ];
  await store.checkpoints.commit(flush);
  const before = [
    await store.runs.get(run.id),
    await store.checkpoints.load(id),
    await store.deadLetters.list(id, all),
  ];
  expect(await store.checkpoints.commit(flush)).toEqual({ stale: [] });
  expect([
    await store.runs.get(run.id),
    await store.checkpoints.load(id),
    await store.deadLetters.list(id, all),
  ]).toEqual(before);
});

test("of an integration whose epoch is stale nothing is written, and the others are committed", async () => {
  const [lost, fine] = [await fixture(), await fixture()];
  await store.checkpoints.commit([settlement(lost.id, { epoch: 7, checkpoints: [checkpoint("steps", [70])] })]);
  const flush = [lost, fine].map(({ id, run }) =>
    settlement(id, {
      epoch: 6,
      run: { id: run.id, counts: { ...noCounts, in: 6 }, waiting: null },
      checkpoints: [checkpoint("steps", [60])],
      deadLetters: [deadLetter(run)],
    }),
  );
  expect(await store.checkpoints.commit(flush)).toEqual({ stale: [lost.id] });
  expect(await store.checkpoints.load(lost.id)).toEqual([checkpoint("steps", [70])]);
  expect((await store.runs.get(lost.run.id))!.counts.in).toBe(0);
  expect((await store.deadLetters.list(lost.id, all)).items).toEqual([]);
  expect(await store.checkpoints.load(fine.id)).toEqual([checkpoint("steps", [60])]);
  expect((await store.deadLetters.list(fine.id, all)).items).toHaveLength(1);
});

test("owners that commit at the same time, in any order, never deadlock, and the later epoch wins", async () => {
  const fleet = await Promise.all(Array.from({ length: 10 }, fixture));
  const flush = (epoch: number) =>
    fleet.map(({ id }) => settlement(id, { epoch, checkpoints: [checkpoint("steps", [epoch])] }));
  const [first, second] = [flush(1), flush(2).toReversed()];
  await Promise.all([1, 2, 3, 4].flatMap(() => [store.checkpoints.commit(first), store.checkpoints.commit(second)]));
  for (const { id } of fleet) expect(await store.checkpoints.load(id)).toEqual([checkpoint("steps", [2])]);
});

test("a run that was finished keeps its counts, whatever a late flush says", async () => {
  const { id, run } = await fixture();
  await store.runs.finish(run.id, { status: "success", error: null, counts: { ...noCounts, in: 5 } });
  await store.checkpoints.commit([settlement(id, { run: { id: run.id, counts: noCounts, waiting: "late" } })]);
  expect(await store.runs.get(run.id)).toMatchObject({ status: "success", waiting: null, counts: { in: 5 } });
});

test("checkpoints and cursors keep every digit, NUL and lone surrogates", async () => {
  const { id } = await fixture();
  const text = '{"at":12345678901234567890.123,"nul":"\\u0000","half":"\\ud800"}';
  await store.checkpoints.commit([
    settlement(id, { checkpoints: [checkpoint("crm", [2 ** 53 - 1], parseJson(text))] }),
  ]);
  const [loaded] = await store.checkpoints.load(id);
  expect(loaded!.settled).toEqual([2 ** 53 - 1]);
  expect(JSON.stringify(loaded!.state)).toBe(text);
  expect(await store.checkpoints.loadCursor(id, "a")).toBeNull();
  await store.checkpoints.saveCursor(id, "a", { at: 1 });
  await store.checkpoints.saveCursor(id, "a", parseJson(text));
  expect(JSON.stringify(await store.checkpoints.loadCursor(id, "a"))).toBe(text);
});

test("each source has a cursor of its own", async () => {
  const { id } = await fixture();
  await store.checkpoints.saveCursor(id, "a", 1);
  await store.checkpoints.saveCursor(id, "b", 2);
  expect(await Promise.all(["a", "b", "c"].map((source) => store.checkpoints.loadCursor(id, source)))).toEqual([
    1,
    2,
    null,
  ]);
});

test("a group is kept as its last commit left it, whatever its key, and goes when its window closed", async () => {
  const { id } = await fixture();
  const key = JSON.stringify(["k".repeat(100_000), "\u0000"]);
  const group = (step: string, state: Json) => ({ step, key, state });
  await store.checkpoints.commit([settlement(id, { groups: [group("a", { n: 1 }), group("b", { n: 1 })] })]);
  await store.checkpoints.commit([settlement(id, { groups: [group("a", { n: 2 })] })]);
  expect(await store.checkpoints.loadGroups(id)).toEqual([group("a", { n: 2 }), group("b", { n: 1 })]);
  await store.checkpoints.commit([settlement(id, { groups: [group("b", null), group("c", null)] })]);
  expect(await store.checkpoints.loadGroups(id)).toEqual([group("a", { n: 2 })]);
});

test("a dead letter comes back whole, and in lists without what it carries", async () => {
  const attempts = [
    { at: "2026-11-21T10:00:00.123Z", code: "TIMEOUT" as const, message: "first" },
    { at: "2026-11-21T10:05:00.456Z", code: "VALIDATION_ERROR" as const, message: "second" },
  ];
  const { payload, raw, state, corrected, ...row } = await kept({
    attempts,
    step: null,
    destination: "crm",
    rule: null,
    traceId: "t",
  });
  expect(Buffer.from(raw).toString()).toBe('{"total":"many"}');
  expect([payload, state, corrected]).toEqual([{ total: "many" }, { total: "many" }, null]);
  expect(row).toMatchObject({
    ...{ recordId: "record-1", step: null, destination: "crm", rule: null, code: "VALIDATION_ERROR", traceId: "t" },
    ...{ position: { base: "orders.ndjson", ordinal: 7 }, attempts, fingerprint: "f1" },
    ...{ firstFailedAt: new Date(attempts[0]!.at), lastAttemptedAt: new Date(attempts[1]!.at) },
    ...{ resolved: false, resolution: null },
  });
  const { items } = await store.deadLetters.list(row.integrationId, all);
  expect(items).toEqual([row]);
});

test("a dead letter's payload and state keep the digits of their numbers", async () => {
  const text = '{"id":12345678901234567890,"price":0.1000000000000000055511151231257827}';
  const letter = await kept({ raw: Buffer.from(text), state: text });
  expect(JSON.stringify(letter.state)).toBe(text);
  expect(JSON.stringify(letter.payload)).toBe(text);
});

test.each([
  ["a NUL character", Buffer.from('{"a":"\\u0000"}')],
  ["a lone surrogate", Buffer.from('{"a":"\\ud800"}')],
  ["a number beyond numeric", Buffer.from('{"a":1e999999}')],
  ["bytes that are no UTF-8", Buffer.from([0x7b, 0xff, 0x00, 0xfe])],
  ["text that is no JSON", Buffer.from('{"a": oh no')],
  ["nothing at all", Buffer.alloc(0)],
  ["100,000 arrays in each other", Buffer.from("[".repeat(100_000) + "]".repeat(100_000))],
])("a dead letter with %s keeps its bytes, without a payload", async (_what, raw) => {
  const letter = await kept({ raw });
  expect(Buffer.from(letter.raw)).toEqual(raw);
  expect(letter.payload).toBeNull();
});

test("NUL and half a pair in any text of a dead letter are replaced, and a state that is no JSON is null", async () => {
  const nul = "a\0b";
  const half = "a\ud83d";
  const letter = await kept({
    ...{ message: nul, recordId: nul, step: nul, destination: nul, state: nul, fingerprint: nul, traceId: nul },
    ...{
      position: { base: nul, ordinal: 1 },
      attempts: [nul, half].map((message) => ({ at: "2026-11-21T10:00:00Z", code: "TIMEOUT" as const, message })),
      errors: [{ path: nul, message: half }],
    },
  });
  const replaced = "a\ufffdb";
  expect(letter).toMatchObject({
    ...{ message: replaced, recordId: replaced, step: replaced, destination: replaced, state: null },
    ...{ position: { base: replaced }, fingerprint: replaced, traceId: replaced },
  });
  expect(letter.attempts.map(({ message }) => message)).toEqual([replaced, "a\ufffd"]);
  expect(letter.errors).toEqual([{ path: replaced, message: "a\ufffd" }]);
});

test("a value that Postgres refuses costs only its own dead letter the value, and nobody the flush", async () => {
  const [bad, good] = [await fixture(), await fixture()];
  const poison = deadLetter(bad.run, {
    position: { base: "f", ordinal: 1.5 },
    attempts: [{ at: "never", code: "TIMEOUT", message: "" }],
  });
  const neighbour = deadLetter(bad.run, { state: '{"kept":true}' });
  const other = deadLetter(good.run);
  const flush = [
    settlement(bad.id, { checkpoints: [checkpoint("steps", [1])], deadLetters: [poison, neighbour] }),
    settlement(good.id, { checkpoints: [checkpoint("steps", [2])], deadLetters: [other] }),
  ];
  expect(await store.checkpoints.commit(flush)).toEqual({ stale: [] });
  const reduced = await store.deadLetters.get(poison.id);
  expect(reduced).toMatchObject({
    message: poison.message,
    position: { base: "f", ordinal: 0 },
    attempts: [],
    state: null,
  });
  expect(Buffer.from(reduced!.raw)).toEqual(poison.raw);
  expect(await store.deadLetters.get(neighbour.id)).toMatchObject({ state: { kept: true } });
  expect(await store.checkpoints.load(bad.id)).toHaveLength(1);
  expect(await store.checkpoints.load(good.id)).toHaveLength(1);
  expect(await store.deadLetters.get(other.id)).not.toBeNull();
  expect(await store.checkpoints.commit(flush)).toEqual({ stale: [] });
  expect((await store.deadLetters.list(bad.id, all)).items).toHaveLength(2);
});

test("an integration whose flush cannot be written at all is named, and the others are committed", async () => {
  const [bad, good] = [await fixture(), await fixture()];
  const counts = { ...noCounts, in: Number.NaN };
  const flush = [
    settlement(bad.id, { run: { id: bad.run.id, counts, waiting: null }, checkpoints: [checkpoint("steps", [1])] }),
    settlement(good.id, { checkpoints: [checkpoint("steps", [2])] }),
  ];
  expect(await store.checkpoints.commit(flush)).toEqual({
    stale: [],
    unwritable: [{ integrationId: bad.id, reason: expect.stringMatching(/^invalid input syntax .*NaN.* \(22P02\)$/) }],
  });
  expect(await store.checkpoints.load(bad.id)).toEqual([]);
  expect(await store.checkpoints.load(good.id)).toHaveLength(1);
});

test("so is one whose records are together longer than a text can be", async () => {
  const [bad, good] = [await fixture(), await fixture()];
  const toJSON = () => {
    throw new RangeError("Invalid string length");
  };
  const letter = { ...deadLetter(bad.run), destination: "a", state: "{}", toJSON };
  const retry = { letter, dueAt: 1, outId: "r", ingestedAt: 1, fullRead: false };
  const flush = [
    settlement(bad.id, { checkpoints: [checkpoint("steps", [1])], retries: [retry] }),
    settlement(good.id, { checkpoints: [checkpoint("steps", [2])] }),
  ];
  expect(await store.checkpoints.commit(flush)).toEqual({
    stale: [],
    unwritable: [{ integrationId: bad.id, reason: "Invalid string length" }],
  });
  expect(await store.checkpoints.load(bad.id)).toEqual([]);
  expect(await store.checkpoints.load(good.id)).toHaveLength(1);
});

test("dead letters of more bytes and rows than one statement takes are all kept", async () => {
  const { id, run } = await fixture();
  const deadLetters = Array.from({ length: 2_500 }, (_, n) =>
    deadLetter(run, {
      recordId: `r${n}`,
      raw: Buffer.from(`{"n":${n},"pad":"${"x".repeat(n < 12 ? 1_000_000 : 10)}"}`),
    }),
  );
  await store.checkpoints.commit([settlement(id, { deadLetters })]);
  expect(await store.runs.failedRecords(run.id)).toBe(2_500);
  for (const n of [0, 7, 8, 11, 999, 1_000, 2_499]) {
    const letter = await store.deadLetters.get(deadLetters[n]!.id);
    expect(Buffer.from(letter!.raw).equals(deadLetters[n]!.raw)).toBe(true);
    expect(letter!.payload).toMatchObject({ n });
  }
});

test("depths count the unresolved dead letters by integration", async () => {
  const mine = await newStore(server);
  const integration = await addIntegration(mine);
  expect(await mine.deadLetters.depths()).toEqual(new Map());
  const run = await addRun(mine, integration);
  const deadLetters = [deadLetter(run), deadLetter(run), deadLetter(run)];
  await mine.checkpoints.commit([settlement(integration.id, { deadLetters })]);
  expect(await mine.deadLetters.depths()).toEqual(new Map([[integration.id, 3]]));
  const unresolved = await mine.deadLetters.list(integration.id, { limit: 2, cursor: null, resolved: false });
  expect(unresolved.items.map(({ id }) => id)).toEqual([deadLetters[2]!.id, deadLetters[1]!.id]);
  const rest = await mine.deadLetters.list(integration.id, {
    limit: 2,
    cursor: unresolved.nextCursor,
    resolved: false,
  });
  expect(rest).toMatchObject({ items: [{ id: deadLetters[0]!.id }], nextCursor: null });
  const resolved = await mine.deadLetters.list(integration.id, { limit: 2, cursor: null, resolved: true });
  expect(resolved).toEqual({ items: [], nextCursor: null });
  await mine.close();
});

test("two runs of one integration settle in one flush", async () => {
  const { integration, id, run } = await fixture();
  const beside = await addRun(store, integration);
  const flush = [run, beside].map((each, n) =>
    settlement(id, {
      run: { id: each.id, counts: { ...noCounts, in: n + 1 }, waiting: null },
      deadLetters: [deadLetter(each)],
    }),
  );
  expect(await store.checkpoints.commit(flush)).toEqual({ stale: [] });
  expect((await store.runs.get(run.id))!.counts.in).toBe(1);
  expect((await store.runs.get(beside.id))!.counts.in).toBe(2);
  expect((await store.deadLetters.list(id, all)).items).toHaveLength(2);
});

test("an empty flush is no work, and an unknown integration is stale", async () => {
  expect(await store.checkpoints.commit([])).toEqual({ stale: [] });
  const id = uuidV7();
  expect(await store.checkpoints.commit([settlement(id)])).toEqual({ stale: [id] });
});
