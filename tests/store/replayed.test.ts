import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore, type PostgresStore } from "../../adapters/postgres/index.ts";
import type { NewDeadLetter, RunRow } from "../../runtime/ports/store.ts";
import { addIntegration, addRun, deadLetter, settlement, uuidV7 } from "./fixtures.ts";
import { sql } from "./sql.ts";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
let url: string;
let store: PostgresStore;
beforeAll(async () => {
  server = testServer();
  url = await server.url();
  store = await openStore({ url });
});
afterAll(async () => {
  await store.close();
  await server.remove();
});

const at = "2026-11-21T10:00:00.123Z";
const attempt = (message: string) => ({ at, code: "BUSINESS_RULE" as const, message });
const odd = ["a NUL \0 here", "half a pair \ud83d", "a whole one 😀"];
const replaced = ["a NUL \ufffd here", "half a pair \ufffd", "a whole one 😀"];

const commit = (run: RunRow, deadLetters: readonly NewDeadLetter[]) =>
  store.checkpoints.commit([settlement(run.integrationId, { deadLetters })]);

/** A dead letter, and a job that replays it. */
async function replayed(change: Partial<NewDeadLetter>) {
  const integration = await addIntegration(store);
  const run = await addRun(store, integration);
  const letter = deadLetter(run, change);
  await commit(run, [letter]);
  const job = (await store.replays.open({
    id: uuidV7(),
    runId: uuidV7(),
    integrationId: integration.id,
    integrationVersion: 1,
    options: { from: null, version: "current", rate: null },
    filter: { ids: [letter.id] },
    actor: "somebody",
  }))!;
  const replayOf = { jobId: job.id, deadLetterId: letter.id };
  const fails = (failure: Partial<NewDeadLetter>) => commit(run, [deadLetter(run, { ...failure, replayOf })]);
  const messages = async () => (await store.deadLetters.get(letter.id))!.attempts.map(({ message }) => message);
  return { letter, fails, messages };
}

test("a replay that fails again with any text is entered as an attempt more", async () => {
  for (const [n, message] of odd.entries()) {
    const tried = await replayed({ attempts: [attempt("first")] });
    expect(await tried.fails({ message, attempts: [] })).toEqual({ stale: [] });
    expect(await tried.messages()).toEqual(["first", replaced[n]]);
    const once = await replayed({ attempts: [attempt("first")] });
    const errors = [{ path: "$.name", message }];
    expect(await once.fails({ message, attempts: [attempt("second"), attempt(message)], errors })).toEqual({
      stale: [],
    });
    expect(await once.messages()).toEqual(["first", "second", replaced[n]]);
  }
});

test("the failure of a dead letter without attempts is the first of them", async () => {
  const { letter, fails, messages } = await replayed({ message: 'refused "here"', attempts: [] });
  await fails({ attempts: [attempt("again")] });
  expect(await messages()).toEqual(['refused "here"', "again"]);
  const { attempts, firstFailedAt } = (await store.deadLetters.get(letter.id))!;
  expect(attempts[0]).toEqual({ code: letter.code, message: letter.message, at: firstFailedAt.toISOString() });
});

test("attempts that a former version kept as they were do not keep the next one out", async () => {
  const { letter, fails, messages } = await replayed({ attempts: [attempt("first")] });
  const before = JSON.stringify(odd.map(attempt));
  await sql(url, "update sluice.dead_letter_records set attempts = $1::json where id = $2", [before, letter.id]);
  expect(await fails({ attempts: [attempt("again")] })).toEqual({ stale: [] });
  expect(await messages()).toEqual([...odd, "again"]);
});
