import { randomUUIDv7 } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { consoleTests, expectAccessible, shoot, signIn } from "../support/browser.ts";
import { insertDeadLetters } from "../support/history.ts";
import { watchRows } from "../support/watch-rows.ts";

const { node, visit } = consoleTests({ env: { SLUICE_TRACE_URL: "http://127.0.0.1:16686/trace/{trace_id}" } });

/** Two fail at the first step that changes them, each in its own way; one has markup in it. */
const people = [
  { n: 1, name: "Ada", email: "ada@example.com" },
  { n: "two", name: "<img src=x onerror=alert(1)>", email: "bob@example.com" },
  { n: "three", name: "Cy", email: "cy@example.com" },
  { n: 4, name: "Dee", email: "dee@example.com" },
];

const rules = [
  { source: "$.n", destination: "n", cast: "integer" },
  { source: "$.name", destination: "name" },
  { source: "$.email", destination: "email" },
];

beforeAll(async () => {
  const { api, files } = node();
  await api.connector("files", "file", { path: files });
  await api.connector("warehouse", "blackhole", {});
});

const traceId = "0af7651916cd43dd8448eb211c80319c";

let made = 0;
interface Made {
  readonly id: string;
  readonly name: string;
  /** What arrived, in the order of names. */
  readonly arrived: () => { name: string; n: number }[];
}

/** From a file of people to another one: those whose number is none are dead letters. */
async function integration(change: object = {}, records: readonly object[] = people): Promise<Made> {
  const { api, files } = node();
  const name = `people-${++made}`;
  writeFileSync(join(files, `${name}.ndjson`), records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  const id = await api.integration({
    name,
    source: { connector: "files", stream: `${name}.ndjson` },
    destination: { connector: "files", stream: `${name}-out.ndjson` },
    pipeline_spec: {
      steps: [
        { id: "known", type: "filter", where: "$.email != null" },
        { id: "shape", type: "map", mapping: rules },
      ],
    },
    ...change,
  });
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, "x-request-id": "asked-by-hand" };
  const run = await api.call<{ id: string }>("POST", `/v1/integrations/${id}/run`, undefined, headers);
  await api.ended(run.id);
  const path = join(files, `${name}-out.ndjson`);
  const arrived = () => {
    const lines = existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
    return lines.map((line) => JSON.parse(line)).sort((a, b) => (a.name < b.name ? -1 : 1));
  };
  return { id, name, arrived };
}

const rowsOf = (page: Page, label: string) => page.getByRole("grid", { name: label }).locator("[data-index]");
const editor = (page: Page) => page.getByRole("textbox", { name: "The record" });

async function write(page: Page, text: string): Promise<void> {
  await editor(page).focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(text);
}

test("from sign-in to a corrected dead letter that a replay brought to its destination", async () => {
  const { id, name, arrived } = await integration();
  expect(arrived().map(({ n }) => n)).toEqual([1, 4]);
  const page = await visit({ path: `/integrations/${id}`, key: null });
  await signIn(page, node().token);
  await page.getByRole("link", { name: "2", exact: true }).click();
  await page.getByRole("heading", { name: `Dead letters of ${name}` }).waitFor();
  const groups = rowsOf(page, "Groups of dead letters");
  await expect.poll(() => groups.count()).toBe(1);
  await groups.getByText("step shape, rule 0").waitFor();
  await page.getByText("2 open").waitFor();
  await expectAccessible(page);
  await shoot(page, "dead-letters");

  await groups.first().click();
  const letters = rowsOf(page, "Dead letters");
  await expect.poll(() => letters.count()).toBe(2);
  await expectAccessible(page);
  await shoot(page, "dead-letters-group");
  await letters.filter({ hasText: ".ndjson:2" }).click();
  await page.getByRole("heading", { name: "Dead letter", level: 1 }).waitFor();
  expect(await page.getByRole("link", { name: "Trace" }).getAttribute("href")).toMatch(
    new RegExp(`/trace/${traceId}$`),
  );
  await page.getByTitle("asked-by-hand", { exact: true }).waitFor();
  // Markup is the text that it is.
  await expect.poll(() => editor(page).textContent()).toContain('"<img src=x onerror=alert(1)>"');
  expect(await page.locator("main img").count()).toBe(0);
  await page.getByText("It would fail again at shape").waitFor();
  // The error stands at the field that the rule reads.
  await expect.poll(() => page.locator(".cm-lintRange-error").textContent()).toBe('"n"');
  await page.getByText("cannot cast").first().waitFor();
  await expectAccessible(page);
  await shoot(page, "dead-letter");

  await write(page, JSON.stringify({ ...people[1], n: 2 }, null, 2));
  await page.getByText(/^It would pass, to files/).waitFor();
  // A replay would take what is saved.
  await page
    .getByRole("button", { name: "Replay", exact: true })
    .and(page.getByTitle(/^Save the correction/))
    .waitFor();
  await page.getByRole("tab", { name: "What is corrected" }).click();
  await shoot(page, "dead-letter-changes");
  await page.getByRole("button", { name: "Save the correction" }).click();
  await page.getByText("The correction is saved").waitFor();
  await page.getByText("corrected", { exact: true }).first().waitFor();

  await page.getByRole("button", { name: "Replay", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Replay this dead letter" });
  await dialog.getByText("It would now pass").waitFor();
  await expectAccessible(page);
  await shoot(page, "dead-letter-replay");
  await dialog.getByRole("button", { name: "Replay 1" }).click();
  await page.getByText("1 of 1 replayed").waitFor();
  await page.getByText("replayed", { exact: true }).first().waitFor();
  await expect.poll(() => arrived().map(({ n }) => n)).toEqual([2, 1, 4]);
  await page.getByText("Delivered by a replay").waitFor();
  expect(await page.getByRole("button", { name: "Save the correction" }).count()).toBe(0);
  await expectAccessible(page);
  await shoot(page, "dead-letter-replayed");
});

const keyOf = async (name: string, role: string): Promise<string> =>
  (await node().api.call<{ key: string }>("POST", "/v1/api-keys", { name, role })).key;

interface Listed {
  readonly id: string;
  readonly position: { readonly ordinal: number };
}

/** The dead letter of a line of the file. */
async function letterOf(id: string, line: number): Promise<string> {
  const { items } = await node().api.call<{ items: Listed[] }>("GET", `/v1/integrations/${id}/dead-letter`);
  return items.find(({ position }) => position.ordinal === line)?.id ?? "";
}

test("a group is tried before it is replayed, and what fails again is told", async () => {
  const { id, arrived } = await integration();
  const { api } = node();
  const config = await api.call<Record<string, unknown>>("GET", `/v1/integrations/${id}`);
  // The rule is put right, for one of the two.
  const lenient = [{ source: "$.n", destination: "n", cast: "integer", when: "$.name != 'Cy'" }, ...rules.slice(1)];
  const steps = [{ id: "shape", type: "map", mapping: lenient }];
  await api.call("PUT", `/v1/integrations/${id}`, { ...config, pipeline_spec: { steps } });
  const page = await visit({ path: `/integrations/${id}/dead-letters` });
  await page.getByRole("button", { name: /^Replay all of: cannot cast/ }).click();
  const dialog = page.getByRole("dialog", { name: "Replay these dead letters" });
  await dialog.getByText("Of 2, 1 would now pass the steps of version 2, 1 would fail again.").waitFor();
  await dialog.getByText("cannot cast a string from $.n to integer").waitFor();
  await dialog.getByRole("button", { name: "Under the version" }).click();
  await page.getByRole("option", { name: "The one each failed under" }).click();
  await dialog.getByText("Of 2, 0 would now pass the steps of their own versions, 2 would fail again.").waitFor();
  await dialog.getByRole("button", { name: "They enter at" }).click();
  await page.getByRole("option", { name: "Where it failed" }).click();
  await dialog.getByText("2 enter where they were refused: only the replay can tell.").waitFor();
  await dialog.getByRole("button", { name: "They enter at" }).click();
  await page.getByRole("option", { name: "Where each is missing" }).click();
  await dialog.getByRole("button", { name: "Under the version" }).click();
  await page.getByRole("option", { name: "The current one" }).click();
  await dialog.getByText("Of 2, 1 would now pass the steps of version 2").waitFor();
  await dialog.getByLabel("Records a second at most").fill("none");
  await dialog.getByRole("button", { name: "Replay 2" }).and(page.getByTitle("Records a second are")).waitFor();
  await dialog.getByLabel("Records a second at most").fill("1");
  await expectAccessible(page);
  await shoot(page, "dead-letters-replay");
  await dialog.getByRole("button", { name: "Replay 2" }).click();
  await page.getByText("2 of 2 replayed").waitFor();
  await page.getByText("1 failed again").waitFor();
  expect(arrived().map(({ name }) => name)).toEqual(["Ada", "Cy", "Dee"]);
  await page.getByText("1 open").waitFor();
  await page.getByRole("tab", { name: "Replays" }).click();
  await rowsOf(page, "Replays").getByText("at most 1/s").waitFor();
  await expectAccessible(page);
  await shoot(page, "dead-letters-replays");
});

test("a replay is paused, goes on and is cancelled while one looks", async () => {
  const many = Array.from({ length: 40 }, (_, index) => ({ n: "none", name: `p${index}`, email: "a@example.com" }));
  const { id } = await integration({}, many);
  await node().api.call("POST", `/v1/integrations/${id}/dead-letter/replay-all`, { rate: 1 });
  const page = await visit({ path: `/integrations/${id}/dead-letters` });
  const replay = page.getByRole("region", { name: "Replay" });
  await replay.getByRole("button", { name: "Pause" }).click();
  await replay.getByText("paused", { exact: true }).waitFor();
  await expectAccessible(page);
  await shoot(page, "dead-letters-paused");
  await replay.getByRole("button", { name: "Resume" }).click();
  await replay.getByText("running", { exact: true }).waitFor();
  await replay.getByText(/[1-9]\d* failed again/).waitFor();
  await replay.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Cancel the replay" }).click();
  await replay.waitFor({ state: "hidden" });
  await page.getByRole("tab", { name: "Replays" }).click();
  await rowsOf(page, "Replays").getByText("cancelled", { exact: true }).waitFor();
});

test("of two who correct the same dead letter the second one sees what the first wrote, and decides", async () => {
  const { id } = await integration();
  const letter = await letterOf(id, 2);
  const path = `/integrations/${id}/dead-letters?letter=${letter}`;
  const [ada, grace] = [await visit({ path }), await visit({ path, key: await keyOf("Grace", "operator") })];
  const corrected = async () =>
    (await node().api.call<{ corrected: { n: number } }>("GET", `/v1/dead-letter/${letter}`)).corrected;
  for (const page of [ada, grace]) await editor(page).waitFor();
  await write(ada, '{"n": 5}');
  await write(grace, '{"n": 6}');
  // Who may correct it may try it.
  await grace.getByText(/^It would pass, to files/).waitFor();
  await grace.getByRole("button", { name: "Save the correction" }).click();
  await grace.getByText("The correction is saved").waitFor();
  await ada.getByRole("button", { name: "Save the correction" }).click();
  const dialog = ada.getByRole("dialog", { name: "Somebody else corrected it" });
  await dialog.getByText("Grace saved another record while you corrected it").waitFor();
  await dialog.getByRole("tab", { name: "What mine would change of theirs" }).click();
  await expect.poll(() => dialog.getByRole("textbox").textContent()).toMatch(/6.*5/);
  await expectAccessible(ada);
  await shoot(ada, "dead-letter-conflict");
  expect(await corrected()).toEqual({ n: 6 });
  await dialog.getByRole("button", { name: "Put mine over theirs" }).click();
  await ada.getByText("The correction is saved").waitFor();
  expect(await corrected()).toEqual({ n: 5 });

  // Discarded meanwhile: what was written is not lost without a word, and nothing is written over it.
  await write(ada, '{"n": 7}');
  await node().api.call("PATCH", `/v1/dead-letter/${letter}`, { resolution: "discarded", reason: "a duplicate" });
  await ada.getByRole("button", { name: "Save the correction" }).click();
  const resolved = ada.getByRole("dialog", { name: "It is resolved by now" });
  await resolved.getByText("data folder discarded it while you corrected it").waitFor();
  await resolved.getByRole("button", { name: "Show how it is now" }).click();
  await ada.getByText("a duplicate").waitFor();
  expect(await ada.getByRole("button", { name: "Discard" }).count()).toBe(0);
});

test("a dead letter is discarded with a reason, and found among the resolved ones by the URL", async () => {
  const { id } = await integration();
  const page = await visit({ path: `/integrations/${id}/dead-letters?letter=${await letterOf(id, 3)}` });
  await write(page, '{"n": 1}');
  await page.getByRole("link", { name: "Dead letters", exact: true }).last().click();
  await page.getByRole("dialog", { name: "Leave without saving?" }).getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Drop changes" }).click();
  await page.getByRole("button", { name: "Discard" }).click();
  const dialog = page.getByRole("dialog", { name: "Discard this dead letter?" });
  await dialog.getByRole("button", { name: "Discard" }).and(page.getByTitle("Say why")).waitFor();
  await dialog.getByLabel("Reason").fill("<b>nobody</b> wants it");
  await expectAccessible(page);
  await shoot(page, "dead-letter-discard");
  await dialog.getByRole("button", { name: "Discard" }).click();
  await page.getByText("<b>nobody</b> wants it").waitFor();
  await page.getByText("discarded", { exact: true }).first().waitFor();
  await page.goto(`/integrations/${id}/dead-letters?view=records&resolved=true`);
  await rowsOf(page, "Dead letters").getByText("discarded", { exact: true }).waitFor();
  await page.getByRole("button", { name: "State" }).click();
  await page.getByRole("option", { name: "All" }).click();
  await expect.poll(() => rowsOf(page, "Dead letters").count()).toBe(2);
  await page.getByRole("button", { name: "Code" }).click();
  await page.getByRole("option", { name: "TIMEOUT" }).click();
  await page.getByText("No dead letter is like this").waitFor();
  await expect.poll(() => new URL(page.url()).searchParams.get("code")).toBe("TIMEOUT");
  await expectAccessible(page);
  await shoot(page, "dead-letters-none");
});

test("a correction that meets no server is not lost, and is saved once that is back", async () => {
  const { id } = await integration();
  const letter = await letterOf(id, 3);
  const page = await visit({ path: `/integrations/${id}/dead-letters?letter=${letter}` });
  await editor(page).waitFor();
  await page.context().setOffline(true);
  await write(page, '{"n": 3, "big": 12345678901234567890.5}');
  await page.getByRole("button", { name: "Save the correction" }).click();
  await page.getByText("the server cannot be reached").first().waitFor();
  await page.context().setOffline(false);
  await page.getByRole("button", { name: "Save the correction" }).click();
  await page.getByText("The correction is saved").waitFor();
  // Every digit is kept.
  expect((await node().api.text(`/v1/dead-letter/${letter}`)).text).toContain("12345678901234567890.5");
  await expect.poll(() => editor(page).textContent()).toContain("12345678901234567890.5");
});

test("a viewer sees the dead letter and its steps, and no button that would be refused", async () => {
  const { id } = await integration();
  const key = await keyOf("looker", "viewer");
  const page = await visit({ path: `/integrations/${id}/dead-letters`, key });
  await rowsOf(page, "Groups of dead letters").first().waitFor();
  const noButton = async (...names: (string | RegExp)[]) => {
    for (const name of names) expect(await page.getByRole("button", { name }).count()).toBe(0);
  };
  await noButton(/Replay/);
  await rowsOf(page, "Groups of dead letters").first().click();
  await rowsOf(page, "Dead letters").filter({ hasText: ".ndjson:2" }).click();
  await editor(page).waitFor();
  expect(await editor(page).getAttribute("aria-readonly")).toBe("true");
  await page.getByRole("group", { name: "shape" }).or(page.getByText("refused it")).first().waitFor();
  await noButton(/Replay/, "Discard", "Save the correction", "Drop changes");
  await expectAccessible(page);
});

test("all integrations that have dead letters are on one page, those with most first", async () => {
  const { id, name } = await integration();
  const page = await visit();
  await page.getByRole("link", { name: "Dead letters", exact: true }).click();
  const rows = rowsOf(page, "Integrations with dead letters");
  await rows.filter({ hasText: name }).waitFor();
  await expectAccessible(page);
  await shoot(page, "dead-letters-everywhere");
  await rows.filter({ hasText: name }).getByRole("link").click();
  await page.getByRole("heading", { name: `Dead letters of ${name}` }).waitFor();
  expect(new URL(page.url()).pathname).toBe(`/integrations/${id}/dead-letters`);
});

test("100,000 dead letters are scrolled, each in its place, and no more are in the page than are in sight", async ({
  annotate,
}) => {
  const { id } = await integration({}, people.slice(0, 1));
  await insertDeadLetters(node().databaseUrl(), id, 100_000);
  const page = await visit({ path: `/integrations/${id}/dead-letters` });
  const groups = rowsOf(page, "Groups of dead letters");
  await groups.first().getByText("33,334").waitFor();
  await page.getByRole("tab", { name: "Records" }).click();
  const rows = rowsOf(page, "Dead letters");
  await rows.first().waitFor();
  const watch = await watchRows(page, "Dead letters", "Record");
  await page.getByRole("grid", { name: "Dead letters" }).hover();
  await expect
    .poll(
      async () => {
        await page.mouse.wheel(0, 900);
        return (await watch()).last;
      },
      { interval: 10, timeout: 180_000 },
    )
    .toBeGreaterThan(2_000);
  await rows.last().focus();
  // The keys still reach the row when it is scrolled out of sight.
  await page.mouse.wheel(0, -40_000);
  const first = async () => Number(await rows.first().getAttribute("data-index"));
  await expect.poll(first).toBeLessThan(1_500);
  await expect
    .poll(
      async () => {
        await page.keyboard.press("End");
        return (await watch()).last;
      },
      { interval: 10, timeout: 240_000 },
    )
    .toBeGreaterThan(20_000);
  await page.keyboard.press("Home");
  await expect.poll(() => page.evaluate("document.activeElement.dataset.index")).toBe("0");
  const { misplaced, mostRows, longestTaskMs } = await watch();
  await annotate(`longest task while it was scrolled: ${longestTaskMs} ms`);
  expect(misplaced).toEqual([]);
  expect(mostRows).toBeLessThan(120);
});

test("a record of 20 MB opens while the page stays at hand", async ({ annotate }) => {
  const { id } = await integration({}, people.slice(0, 1));
  const letter = await insertLarge(id, 20_000_000);
  const page = await visit({ path: `/integrations/${id}/dead-letters?view=records` });
  await rowsOf(page, "Dead letters").first().waitFor();
  await page.evaluate(`{
    globalThis.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration);
    }).observe({ type: "longtask" });
  }`);
  await rowsOf(page, "Dead letters").first().click();
  await page.getByText("The first 50.0 kB are shown.").waitFor();
  expect(new URL(page.url()).searchParams.get("letter")).toBe(letter);
  await page
    .getByRole("button", { name: "Correct it" })
    .and(page.getByTitle(/^It is larger than a request/))
    .waitFor();
  await page.getByRole("button", { name: "Show more" }).click();
  await page.getByText("The first 200 kB are shown.").waitFor();
  await annotate(`longest task while it was opened: ${await page.evaluate("globalThis.longest")} ms`);
  await expectAccessible(page);
  await shoot(page, "dead-letter-large");
});

/** A dead letter whose record has so many bytes. */
async function insertLarge(integrationId: string, bytes: number): Promise<string> {
  const client = new pg.Client({ connectionString: node().databaseUrl() });
  await client.connect();
  const id = randomUUIDv7();
  try {
    await client.query(
      `INSERT INTO sluice.dead_letter_records
         (id, run_id, integration_id, integration_version, record_id, step, code, message, raw, payload, position_base,
          position_ordinal, attempts, first_failed_at, last_attempted_at, fingerprint)
       SELECT $1, $1, $2, 1, 'large', 'shape', 'VALIDATION_ERROR', 'n is no number', convert_to(record, 'UTF8'),
         record::jsonb, 'large.ndjson', 1, '[]', now(), now(), 'large'
       FROM (SELECT '{"n":"none","lines":[' || string_agg('"' || repeat('x', 990) || '"', ',') || ']}' AS record
             FROM generate_series(1, $3::int / 993)) AS given`,
      [id, integrationId, bytes],
    );
  } finally {
    await client.end();
  }
  return id;
}
