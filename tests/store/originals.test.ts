import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../adapters/postgres/index.ts";
import type { NewDeadLetter, RunRow, Store } from "../../runtime/ports/store.ts";
import { addIntegration, addRun, deadLetter, newStore, settlement, uuidV7 } from "./fixtures.ts";
import { sql } from "./sql.ts";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeAll(() => {
  server = testServer();
});
afterAll(() => server.remove());

const all = { limit: 20_000, cursor: null, resolved: null };
const large = (size: number) => JSON.stringify({ items: "x".repeat(size) });

/** Children of one record, as a step left them. */
function childrenOf(run: RunRow, count: number, raw: string, change: Partial<NewDeadLetter> = {}): NewDeadLetter[] {
  const bytes = Buffer.from(raw);
  return Array.from({ length: count }, (_, n) => deadLetter(run, { raw: bytes, child: String(n), ...change }));
}

const commit = (store: Store, run: RunRow, deadLetters: readonly NewDeadLetter[]) =>
  store.checkpoints.commit([settlement(run.integrationId, { deadLetters })]);

const stored = async (url: string) => {
  const [row] = await sql<{ letters: string; originals: string }>(
    url,
    `select (select coalesce(sum(length(raw) + coalesce(length(state), 0)), 0) from sluice.dead_letter_records) as letters,
            (select count(*) from sluice.dead_letter_originals) as originals`,
  );
  return { letters: Number(row!.letters), originals: Number(row!.originals) };
};

test("10,000 children of a record of 1 MB are 1 MB, and each dead letter is whole", async () => {
  const url = await server.url();
  const store = await openStore({ url });
  const integration = await addIntegration(store);
  const run = await addRun(store, integration);
  const raw = large(1_000_000);
  // What the step that cut it up refused had the whole record for its state.
  const letters = childrenOf(run, 10_000, raw, { state: raw });
  for (let times = 0; times < 2; times++) await commit(store, run, letters);
  expect(await stored(url)).toEqual({ letters: 0, originals: 1 });
  expect((await store.deadLetters.list(integration.id, all)).items).toHaveLength(10_000);
  for (const { id } of [letters[0]!, letters[9_999]!]) {
    const letter = (await store.deadLetters.get(id))!;
    expect(Buffer.from(letter.raw).equals(Buffer.from(raw))).toBe(true);
    expect([letter.payload, letter.state]).toEqual([JSON.parse(raw), JSON.parse(raw)]);
  }
  // A page of a thousand is read with one copy.
  const page = await store.replays.unresolved(integration.id, {}, null, 1_000);
  expect(page).toHaveLength(1_000);
  expect(new Set(page.map(({ raw }) => raw)).size).toBe(1);
  expect(page[999]).toMatchObject({ child: "999", state: raw });
  await store.close();
});

test("what is short, or of another record, run or content stays with its dead letter", async () => {
  const url = await server.url();
  const store = await openStore({ url });
  const run = await addRun(store, await addIntegration(store));
  const other = await addRun(store, (await store.integrations.get(run.integrationId))!);
  const state = large(2_000);
  const letters = [
    ...childrenOf(run, 3, large(10), { state: null }),
    ...childrenOf(run, 1, large(2_000), { recordId: "record-2", state: null }),
    ...childrenOf(other, 1, large(2_000), { recordId: "record-2", state: null }),
    ...childrenOf(run, 2, large(3_000), { recordId: "record-3", state: null }),
    deadLetter(run, { recordId: "record-3", raw: Buffer.from(large(3_000).replace("x", "y")), state: null }),
    // The children's own, but for two.
    ...childrenOf(run, 1, large(20), { recordId: "record-4", state: large(4_000) }),
    ...childrenOf(run, 2, large(20), { recordId: "record-4", state }),
  ];
  await commit(store, run, letters);
  expect((await stored(url)).originals).toBe(2);
  for (const { id, raw, state } of letters) {
    const letter = (await store.deadLetters.get(id))!;
    expect([Buffer.from(letter.raw).toString(), letter.state]).toEqual([String(raw), state && JSON.parse(state)]);
  }
  await store.close();
});

test("a replay that fails changes the state of its dead letter and of none that shared it", async () => {
  const store = await newStore(server);
  const integration = await addIntegration(store);
  const run = await addRun(store, integration);
  const whole = large(2_000);
  const letters = childrenOf(run, 3, whole, { state: whole });
  await commit(store, run, letters);
  const [first, second] = letters as [NewDeadLetter, NewDeadLetter];
  const job = (await store.replays.open({
    id: uuidV7(),
    runId: uuidV7(),
    integrationId: integration.id,
    integrationVersion: 1,
    options: { from: null, version: "current", rate: null },
    filter: { ids: [first.id] },
    actor: "somebody",
  }))!;
  const replayOf = { jobId: job.id, deadLetterId: first.id };
  await commit(store, run, [deadLetter(run, { raw: Buffer.from("{}"), state: '{"now":1}', replayOf })]);
  expect((await store.deadLetters.get(first.id))!.state).toEqual({ now: 1 });
  expect((await store.deadLetters.get(second.id))!.state).toEqual(JSON.parse(whole));
  const page = await store.replays.page(job.id, 1, null, 10);
  expect(page.letters.map(({ raw }) => String(raw))).toEqual([whole]);
  await store.close();
});

test("originals go with the day of their dead letters; what still waits for a try keeps its own", async () => {
  const day = 86_400_000;
  const url = await server.url();
  const store = await openStore({ url, retentionDays: 90 });
  const integration = await addIntegration(store);
  const run = await addRun(store, integration);
  const midnight = Math.ceil(Date.now() / day) * day;
  const raw = large(2_000);
  const around = [-2, -1, 0, 1].map((ms) => childrenOf(run, 1, raw, { id: uuidV7(midnight + ms) })[0]!);
  const retries = childrenOf(run, 3, raw).map((letter, n) => ({
    letter: { ...letter, destination: "a", state: "{}" },
    dueAt: n,
    outId: String(n),
    ingestedAt: 0,
    fullRead: false,
  }));
  await store.checkpoints.commit([settlement(integration.id, { deadLetters: around, retries })]);
  expect((await stored(url)).originals).toBe(3);
  const due = () => store.retries.due(integration.id, "a", 10, { records: 10, bytes: 1_000_000 });
  const waiting = await due();
  expect(waiting.map(({ letter }) => String(letter.raw))).toEqual([raw, raw, raw]);
  expect(waiting[0]?.letter.raw).toBe(waiting[2]?.letter.raw);
  // Today is past retention, tomorrow is not.
  await store.maintain(new Date(midnight + 90 * day));
  expect(await store.deadLetters.get(around[1]!.id)).toBeNull();
  expect(String((await store.deadLetters.get(around[2]!.id))!.raw)).toBe(raw);
  expect((await stored(url)).originals).toBe(1);
  expect((await due()).map(({ letter }) => String(letter.raw))).toEqual([raw, raw, raw]);
  await store.close();
});
