import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import type { Locator, Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { consoleTests, expectAccessible, shoot } from "../support/browser.ts";

const { node, visit } = consoleTests();

const people = [
  { id: "1", fullName: "Ada <b>Lovelace</b>", email: "ada@example.com", note: "<script>alert(1)</script>" },
  { id: "2", fullName: "Grace Hopper", email: "grace@example.com", note: null },
];

beforeAll(async () => {
  writeFileSync(join(node().files, "people.ndjson"), people.map((each) => `${JSON.stringify(each)}\n`).join(""));
  await query("CREATE TABLE people (id bigint PRIMARY KEY, full_name text, email text, created_at timestamptz)");
});

async function query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: node().databaseUrl() });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** To the next step, once it is there. */
async function next(page: Page, title: string): Promise<void> {
  await page.getByRole("button", { name: `Next: ${title}` }).click();
  await page.getByRole("heading", { name: title, level: 2, exact: true }).waitFor({ state: "attached" });
}

/** Its list, behind which all else is hidden, may open late: it closes where the field is left. */
async function fillCombo(page: Page, name: string, text: string): Promise<void> {
  const input = page.getByRole("combobox", { name, exact: true });
  await input.fill(text);
  await input.blur();
  await expect.poll(() => page.getByRole("listbox").count()).toBe(0);
}

/** A field by its whole label, folded ones left out. */
const field = (page: Page, name: string) =>
  page
    .getByRole("textbox", { name, exact: true })
    .or(page.getByRole("combobox", { name, exact: true }))
    .or(page.locator("input[type=password]").and(page.getByLabel(name, { exact: true })));

test("from a file and a database to a first run: forms, samples, a suggested mapping, a check, and what arrives", async () => {
  const page = await visit();
  await page.getByText("There are no integrations yet").waitFor();
  await page.getByRole("link", { name: "New integration" }).first().click();
  await page.getByRole("heading", { name: "New integration", level: 1 }).waitFor();

  await page.getByRole("button", { name: /Connector/ }).click();
  await page.getByRole("option", { name: /A new connector/ }).click();
  await expectAccessible(page);
  await shoot(page, "new-integration-types");
  await page.getByRole("radio", { name: "Files" }).check({ force: true });
  await field(page, "Name").fill("people files");
  await page.getByRole("button", { name: "Save and test" }).click();
  // The server says what is wrong, at the fields, and the first of them has the focus.
  await page.getByRole("alert").waitFor();
  await expect.poll(() => page.evaluate("document.activeElement.getAttribute('aria-invalid')")).toBe("true");
  await expectAccessible(page);
  await shoot(page, "new-integration-errors");
  await field(page, "Name").fill("people-files");
  await field(page, "Path").fill(join(node().folder, "missing"));
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.getByText("It is saved, but it could not be reached as it is:").waitFor();
  await shoot(page, "new-integration-unreached");
  // It is there: after a reload it is changed, and not made once more.
  await page.reload();
  await expect.poll(() => field(page, "Path").inputValue()).toBe(join(node().folder, "missing"));
  await field(page, "Path").fill(node().files);
  // A connection that is lost is said, and the same again goes through once it is back.
  await page.context().setOffline(true);
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.getByText("the server cannot be reached").first().waitFor();
  await page.context().setOffline(false);
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.getByText("people-files is saved, and it answers").waitFor();
  await page.getByRole("region", { name: "Sample record" }).getByText("<script>alert(1)</script>").waitFor();
  expect(await page.getByRole("combobox", { name: "Stream" }).inputValue()).toBe("people.ndjson");
  await expectAccessible(page);
  await shoot(page, "new-integration-source");
  await next(page, "Destination");

  await page.getByRole("button", { name: /Connector/ }).click();
  await page.getByRole("option", { name: /A new connector/ }).click();
  await page.getByRole("radio", { name: "Postgres" }).check({ force: true });
  await field(page, "Name").fill("warehouse");
  const url = new URL(node().databaseUrl());
  await field(page, "Port").fill(url.port);
  await field(page, "Database").fill(url.pathname.slice(1));
  await field(page, "User").fill(url.username);
  await field(page, "Password").fill("wrong-so-far");
  await shoot(page, "new-integration-form");
  // What was put in outlives the page, but for secrets.
  await page.reload();
  expect(await field(page, "Database").inputValue()).toBe(url.pathname.slice(1));
  expect(await field(page, "Password").inputValue()).toBe("");
  expect(JSON.stringify(await page.evaluate("({ ...sessionStorage })"))).not.toContain("wrong-so-far");
  await field(page, "Password").fill(url.password);
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.getByText("warehouse is saved, and it answers").waitFor();
  await fillCombo(page, "Stream", "people");
  await page.getByRole("button", { name: /How it is written/ }).click();
  await page.getByRole("option", { name: /same key/ }).click();
  expect(await page.getByRole("combobox", { name: "Key" }).inputValue()).toBe("id");
  await expectAccessible(page);
  await shoot(page, "new-integration-destination");
  await next(page, "Mapping");

  const rules = page.getByRole("table", { name: "Mapping" }).getByRole("row");
  await rules.filter({ hasText: "full_name" }).getByText("similar name").waitFor();
  await rules.filter({ hasText: "created_at" }).getByText("no field of a similar name").waitFor();
  await page.getByText("Left out of the source: note").waitFor();
  await expectAccessible(page);
  await shoot(page, "new-integration-mapping");
  await next(page, "Schedule");

  await page.getByRole("button", { name: /It runs/ }).click();
  await page.getByRole("option", { name: /By a schedule/ }).click();
  await fillCombo(page, "Times", "99 * * * *");
  await page.getByRole("region", { name: "Next times" }).getByText(/./).first().waitFor();
  await fillCombo(page, "Times", "0 6 * * 1");
  await page
    .getByRole("region", { name: "Next times" })
    .getByText(/Monday/)
    .first()
    .waitFor();
  await expectAccessible(page);
  await shoot(page, "new-integration-schedule");
  await next(page, "Review and run");

  await page.getByText("The configuration is in order").waitFor();
  await expectAccessible(page);
  await shoot(page, "new-integration-review");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByText("2 of the first 2 records would be delivered").waitFor();
  expect(await query("SELECT * FROM people")).toEqual([]);
  await expectAccessible(page);
  await shoot(page, "new-integration-made");
  await page.reload();
  await page.getByRole("button", { name: "Enable and run" }).click();
  await page.getByText("2 records have arrived. people-to-warehouse works.").waitFor();
  await expectAccessible(page);
  await shoot(page, "new-integration-done");
  const rows = await query<{ id: string; full_name: string }>("SELECT id, full_name FROM people ORDER BY id");
  expect(rows).toEqual(people.map(({ id, fullName }) => ({ id, full_name: fullName })));
  await page.getByRole("link", { name: "To the integration" }).click();
  await page.getByRole("heading", { name: "people-to-warehouse", level: 1 }).waitFor();
});

/** Presses Tab until the focus is there. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  const focused = target.and(page.locator(":focus"));
  for (let pressed = 0; pressed < 60; pressed++) {
    if ((await focused.count()) > 0) return;
    // While a list is open all else is hidden, and Tab closes it.
    if ((await page.getByRole("listbox").count()) === 0) await target.waitFor();
    await page.keyboard.press("Tab");
  }
  throw new Error(`the keyboard does not reach ${target}`);
}

test("by keyboard alone, from one file to another", async () => {
  const page = await visit();
  const press = async (target: Locator, key = "Enter") => {
    await tabTo(page, target);
    await page.keyboard.press(key);
  };
  const type = async (name: string, text: string) => {
    await tabTo(page, field(page, name));
    await page.keyboard.type(text);
  };
  const choose = async (button: RegExp, option: string) => {
    await press(page.getByRole("button", { name: button }));
    const wanted = page.getByRole("option", { name: option });
    await wanted.waitFor();
    await page.keyboard.type(option);
    await expect.poll(() => wanted.and(page.locator(":focus")).count()).toBe(1);
    await page.keyboard.press("Enter");
  };
  await press(page.getByRole("link", { name: "New integration" }).first());
  await choose(/Connector/, "A new connector");
  await press(page.getByRole("radio", { name: "Files" }), "Space");
  await type("Name", "shelf");
  await type("Path", node().files);
  await page.keyboard.press("Enter");
  await page.getByText("shelf is saved, and it answers").waitFor();
  const stream = page.getByRole("combobox", { name: "Stream" });
  await tabTo(page, stream);
  if ((await stream.inputValue()) === "") {
    await page.keyboard.type("people.nd");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
  }
  expect(await stream.inputValue()).toBe("people.ndjson");
  await press(page.getByRole("button", { name: "Next: Destination" }));

  await choose(/Connector/, "shelf");
  await tabTo(page, stream);
  await page.keyboard.type("copy.ndjson");
  await page.keyboard.press("Escape");
  await page.getByText("It is not there yet.").waitFor();
  await press(page.getByRole("button", { name: "Next: Mapping" }));
  await page.getByText("Records go as they are").waitFor();
  await press(page.getByRole("button", { name: "Next: Schedule" }));
  await press(page.getByRole("button", { name: "Next: Review and run" }));
  await page.getByText("The configuration is in order").waitFor();
  await press(page.getByRole("button", { name: "Make it" }));
  await press(page.getByRole("button", { name: "Enable and run" }));
  await page.getByText("2 records have arrived. people-to-shelf works.").waitFor();
  const written = readFileSync(join(node().files, "copy.ndjson"), "utf8").trim().split("\n");
  expect(written.map((line) => JSON.parse(line))).toEqual(people);
});

test("webhooks are told where to send to, and what becomes of what they send", async () => {
  const { api, files } = node();
  await api.connector("inbox", "file", { path: files });
  const page = await visit({ path: "/new" });
  await page.getByRole("button", { name: /Connector/ }).click();
  await page.getByRole("option", { name: /Webhooks/ }).click();
  await page.getByLabel("A record as it will be sent (JSON)").fill('{"id":1,"by":"<i>hook</i>"}');
  await next(page, "Destination");
  await page.getByRole("button", { name: /Connector/ }).click();
  await page.getByRole("option", { name: /inbox/ }).click();
  await fillCombo(page, "Stream", "hooks.ndjson");
  await next(page, "Mapping");
  await next(page, "Schedule");
  await page
    .getByRole("button", { name: "Next: Review and run", disabled: true })
    .and(page.getByTitle("Give a secret"))
    .waitFor();
  await page.getByLabel("Secret").fill("not-to-be-shown");
  await expectAccessible(page);
  await shoot(page, "new-integration-webhook");
  await next(page, "Review and run");
  await page.getByText("The configuration is in order").waitFor();
  expect(await page.content()).not.toContain("not-to-be-shown");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByText("1 of the first 1 records would be delivered").waitFor();
  await page.getByRole("button", { name: "Enable", exact: true }).click();
  await page.getByText("webhooks-to-inbox is enabled and runs").waitFor();
  await page.getByText(`curl ${node().url}/v1/hooks/webhooks-to-inbox`).waitFor();
  await shoot(page, "new-integration-webhook-made");
});

test("a record of 15 MB, the largest that a file may hold, is shown by its beginning, and the page goes on", async () => {
  const { api, folder } = node();
  const path = join(folder, "large");
  mkdirSync(path);
  writeFileSync(join(path, "large.ndjson"), `${JSON.stringify({ id: 1, text: "<p>".repeat(5_000_000) })}\n`);
  await api.connector("large", "file", { path });
  const page = await visit({ path: "/new" });
  await page.getByRole("button", { name: /Connector/ }).click();
  await page.getByRole("option", { name: /^large/ }).click();
  await page.getByRole("button", { name: "Show more" }).waitFor();
  expect(await page.getByRole("region", { name: "Sample record" }).evaluate((shown) => shown.textContent?.length)).toBe(
    50_000,
  );
  await next(page, "Destination");
});

test("what the server refuses is said before anything is made, and why a first run fails is said, too", async () => {
  const { api, files } = node();
  await api.connector("outbox", "file", { path: files });
  await api.integration({
    name: "taken",
    source: { connector: "outbox", stream: "people.ndjson" },
    destination: { connector: "outbox", stream: "taken.ndjson" },
    enabled: false,
  });
  // A link leads no further than what was put in.
  const page = await visit({ path: "/new?step=review" });
  await page.getByText("Where do records come from?").waitFor();
  await expect.poll(() => new URL(page.url()).search).toBe("?step=source");
  await page.getByRole("button", { name: /Connector/ }).click();
  await page.getByRole("option", { name: /outbox/ }).click();
  await fillCombo(page, "Stream", "people.ndjson");
  await next(page, "Destination");
  await page.getByRole("button", { name: /Connector/ }).click();
  await page.getByRole("option", { name: /outbox/ }).click();
  await fillCombo(page, "Stream", "../outside.ndjson");
  await next(page, "Mapping");
  await next(page, "Schedule");
  await page.getByRole("button", { name: /It runs/ }).click();
  await page.getByRole("option", { name: /By a schedule/ }).click();
  await fillCombo(page, "Times", "99 * * * *");
  await page.getByText("Invalid value for minute: 99").waitFor();
  await next(page, "Review and run");
  await page.getByRole("alert").getByText("trigger.cron").waitFor();
  await page.getByRole("button", { name: "Make it", disabled: true }).waitFor();
  await expectAccessible(page);
  await shoot(page, "new-integration-refused");
  await page.getByRole("button", { name: "Back" }).click();
  await page.getByRole("button", { name: /It runs/ }).click();
  await page.getByRole("option", { name: /When it is asked to/ }).click();
  await next(page, "Review and run");
  await field(page, "Name").fill("taken");
  await page.getByText("there is one of this name already").first().waitFor();
  await field(page, "Name").fill("not-taken");
  await page.getByText("The configuration is in order").waitFor();
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByRole("button", { name: "Enable and run" }).click();
  await page
    .getByRole("region", { name: "First run" })
    .getByText(/outside\.ndjson/)
    .waitFor();
  await expectAccessible(page);
  await shoot(page, "new-integration-failed");
  await page.getByRole("link", { name: "Mend it in the configuration" }).waitFor();
  await page.getByRole("button", { name: "Begin anew" }).click();
  await page.getByText("Where do records come from?").waitFor();
});

test("a viewer is offered no new integration and no new connector", async () => {
  const { key } = await node().api.call<{ key: string }>("POST", "/v1/api-keys", { name: "looker", role: "viewer" });
  const page = await visit({ path: "/new", key });
  await page.getByText("Your role may not make integrations").waitFor();
  await page.goto("/");
  await page.getByRole("row", { name: /not-taken/ }).waitFor();
  expect(await page.getByRole("link", { name: "New integration" }).count()).toBe(0);
});
