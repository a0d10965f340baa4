import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { consoleTests, expectAccessible, shoot, signIn } from "../support/browser.ts";

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
  await api.runAndWait(id);
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
