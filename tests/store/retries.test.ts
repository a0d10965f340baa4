import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresStore } from "../../adapters/postgres/index.ts";
import type { ScheduledRetry } from "../../runtime/ports/retries.ts";
import type { IntegrationRow, RunRow } from "../../runtime/ports/store.ts";
import { addIntegration, addRun, deadLetter, newStore, settlement, uuidV7 } from "./fixtures.ts";
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

const all = { records: 100, bytes: 1_000_000 };
const ids = (retries: readonly ScheduledRetry[]) => retries.map(({ outId }) => outId);

async function begun(): Promise<{ row: IntegrationRow; run: RunRow }> {
  const row = await addIntegration(store);
  return { row, run: await addRun(store, row) };
}

function retryOf(run: RunRow, outId: string, dueAt: number, change: Partial<ScheduledRetry> = {}): ScheduledRetry {
  const letter = { ...deadLetter(run, { step: null, rule: null }), destination: "a", state: '{"n":1}' };
  return { letter, dueAt, outId, ingestedAt: 1_700_000_000_123, fullRead: false, ...change };
}

const commit = (row: IntegrationRow, retries: readonly ScheduledRetry[], retried: readonly string[] = []) =>
  store.checkpoints.commit([settlement(row.id, { retries, retried })]);

test("what is put off comes back whole when it is due, the earliest first, and never before", async () => {
  const { row, run } = await begun();
  const raw = Buffer.from([0, 255, 10, 34, 92]);
  const attempts = [{ at: "2026-11-21T10:00:00.123Z", code: "TIMEOUT" as const, message: 'a "quoted" \0 one' }];
  const odd = retryOf(run, "odd", 2_000, {
    letter: { ...retryOf(run, "", 0).letter, raw, attempts, state: '{"n":12345678901234567890.10,"t":"\\u0000"}' },
  });
  await commit(row, [retryOf(run, "late", 3_000), odd, retryOf(run, "first", 1_000)]);
  expect(await store.retries.waiting(row.id, "a")).toEqual({ count: 3, nextDue: 1_000 });
  expect(await store.retries.waiting(row.id, "b")).toEqual({ count: 0, nextDue: null });
  expect(ids(await store.retries.due(row.id, "a", 999, all))).toEqual([]);
  const due = await store.retries.due(row.id, "a", 2_000, all);
  expect(ids(due)).toEqual(["first", "odd"]);
  expect({ ...due[1], letter: { ...due[1]!.letter, raw: [...due[1]!.letter.raw] } }).toEqual({
    ...odd,
    letter: { ...odd.letter, raw: [...raw] },
  });
});

test("as many are given as the limits allow, but one at least", async () => {
  const { row, run } = await begun();
  const large = (outId: string, at: number) =>
    retryOf(run, outId, at, { letter: { ...retryOf(run, "", 0).letter, recordId: outId, raw: Buffer.alloc(100_000) } });
  await commit(row, [large("1", 1), large("2", 2), large("3", 3)]);
  const due = async (records: number, bytes: number) =>
    ids(await store.retries.due(row.id, "a", 10, { records, bytes }));
  expect(await due(2, 1_000_000)).toEqual(["1", "2"]);
  expect(await due(100, 250_000)).toEqual(["1", "2"]);
  expect(await due(100, 10)).toEqual(["1"]);
});

test("one that is put off again keeps its place in the table, one that is done leaves it; a repeated commit adds nothing", async () => {
  const { row, run } = await begun();
  const [again, done] = [retryOf(run, "again", 1), retryOf(run, "done", 2)];
  for (let times = 0; times < 2; times++) await commit(row, [again, done]);
  const later = { ...again, dueAt: 50, letter: { ...again.letter, message: "still not" } };
  for (let times = 0; times < 2; times++) await commit(row, [later], [done.letter.id]);
  const due = await store.retries.due(row.id, "a", 100, all);
  expect(due).toMatchObject([{ outId: "again", dueAt: 50, letter: { message: "still not" } }]);
});

test("what a stale owner puts off or is through with changes nothing", async () => {
  const { row, run } = await begun();
  const kept = retryOf(run, "kept", 1);
  await store.checkpoints.commit([settlement(row.id, { epoch: 2, retries: [kept] })]);
  const stale = settlement(row.id, { epoch: 1, retries: [retryOf(run, "stale", 1)], retried: [kept.letter.id] });
  expect(await store.checkpoints.commit([stale])).toEqual({ stale: [row.id] });
  expect(ids(await store.retries.due(row.id, "a", 100, all))).toEqual(["kept"]);
});

test("those of other destinations are orphaned, those of earlier full reads are dropped; all go with the integration", async () => {
  const { row, run } = await begun();
  const next = await addRun(store, row);
  const elsewhere = retryOf(run, "b", 1);
  await commit(row, [
    retryOf(run, "read again", 1, { fullRead: true }),
    retryOf(run, "kept", 2),
    retryOf(next, "own", 3, { fullRead: true }),
    { ...elsewhere, letter: { ...elsewhere.letter, destination: "b" } },
  ]);
  expect(ids(await store.retries.orphaned(row.id, ["a"], all))).toEqual(["b"]);
  await store.retries.dropRead(row.id, next.id);
  expect(ids(await store.retries.due(row.id, "a", 100, all))).toEqual(["kept", "own"]);
  await store.integrations.remove(row.id);
  expect(await store.retries.waiting(row.id, "a")).toEqual({ count: 0, nextDue: null });
});

test("a record is found among what was put off, whatever the texts of its neighbours hold", async () => {
  const { row, run } = await begun();
  const { letter } = retryOf(run, "", 0);
  const odd = (recordId: string, message: string) =>
    retryOf(run, recordId, 1, { letter: { ...letter, id: uuidV7(), recordId, message } });
  // A text that looks like the record's id, in another record.
  await commit(row, [odd("one", "a\0b"), odd("two", "a\ud83d"), odd("three", '"recordId":"one"')]);
  for (const id of ["one", "two", "three"]) {
    expect(ids(await store.retries.ofRecord(row.id, id))).toEqual([id]);
  }
  expect(await store.retries.ofRecord(row.id, "four")).toEqual([]);
});
