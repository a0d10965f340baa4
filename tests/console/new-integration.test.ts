import { writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import type { Page } from "playwright-core";
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
  await field(page, "Path").fill(node().files);
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.getByText("people-files is saved, and it answers").waitFor();
  await page.getByRole("region", { name: "Sample record" }).getByText("<script>alert(1)</script>").waitFor();
  expect(await page.getByRole("combobox", { name: "Stream" }).inputValue()).toBe("people.ndjson");
  await expectAccessible(page);
  await shoot(page, "new-integration-source");
  await page.getByRole("button", { name: "Next: Destination" }).click();

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
  await page.getByRole("combobox", { name: "Stream" }).fill("people");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: /How it is written/ }).click();
  await page.getByRole("option", { name: /same key/ }).click();
  expect(await page.getByRole("combobox", { name: "Key" }).inputValue()).toBe("id");
  await expectAccessible(page);
  await shoot(page, "new-integration-destination");
  await page.getByRole("button", { name: "Next: Mapping" }).click();

  const rules = page.getByRole("table", { name: "Mapping" }).getByRole("row");
  await rules.filter({ hasText: "full_name" }).getByText("similar name").waitFor();
  await rules.filter({ hasText: "created_at" }).getByText("no field of a similar name").waitFor();
  await page.getByText("Left out of the source: note").waitFor();
  await expectAccessible(page);
  await shoot(page, "new-integration-mapping");
  await page.getByRole("button", { name: "Next: Schedule" }).click();

  await page.getByRole("button", { name: /It runs/ }).click();
  await page.getByRole("option", { name: /By a schedule/ }).click();
  await field(page, "Times").fill("99 * * * *");
  await page.keyboard.press("Escape");
  await page.getByRole("region", { name: "Next times" }).getByText(/./).first().waitFor();
  await field(page, "Times").fill("0 6 * * 1");
  await page.keyboard.press("Escape");
  await page
    .getByRole("region", { name: "Next times" })
    .getByText(/Monday/)
    .first()
    .waitFor();
  await expectAccessible(page);
  await shoot(page, "new-integration-schedule");
  await page.getByRole("button", { name: "Next: Review and run" }).click();

  await page.getByText("Nothing is wrong with it").waitFor();
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
