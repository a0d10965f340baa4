import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { consoleTests, expectAccessible, shoot } from "../support/browser.ts";

const { node, visit } = consoleTests();

/** Three records: one arrives at both destinations, one is refused by a rule, one is left out. */
async function orders(): Promise<string> {
  const { api, files } = node();
  const records = [
    { n: 1, customer: { email: "ada@example.com", name: "<b>Ada</b> & sons" }, kind: "order" },
    { n: "four", customer: { email: "kurt@example.com" }, kind: "order" },
    { n: 3, customer: { email: "alan@example.com" }, kind: "note" },
  ];
  writeFileSync(join(files, "orders.ndjson"), records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  await api.connector("files", "file", { path: files });
  await api.connector("warehouse", "blackhole", {});
  const id = await api.integration({
    name: "orders",
    source: { connector: "files", stream: "orders.ndjson" },
    destinations: [
      { id: "warehouse", connector: "warehouse", stream: "orders" },
      { id: "copy", connector: "files", stream: "copy.ndjson" },
    ],
    pipeline_spec: {
      steps: [
        { id: "orders", type: "filter", where: "$.kind == 'order'" },
        {
          id: "shape",
          type: "map",
          mapping: [
            { source: "$.n", destination: "n", cast: "integer" },
            { source: "$.customer.email", destination: "email" },
            { source: "$.customer.name", destination: "name" },
          ],
        },
      ],
    },
  });
  await api.runAndWait(id);
  return id;
}

test("a record is followed by a value that stands in it, to each step and destination, and its dead letter", async () => {
  const id = await orders();
  const page = await visit({ path: "/" });
  await page.getByRole("link", { name: "Follow a record" }).click();
  await page.getByRole("heading", { name: "Follow a record" }).waitFor();
  await expectAccessible(page);
  await shoot(page, "follow-empty");

  // The only integration is chosen already.
  await page.getByRole("button", { name: /^orders/ }).waitFor();
  await page.getByRole("textbox", { name: "Record" }).fill("ada@example.com");
  await page.keyboard.press("Enter");
  await page.getByText("Found once").waitFor();
  expect(new URL(page.url()).search).toBe(`?integration=${id}&record=ada%40example.com`);
  const record = page.getByRole("region", { name: "Record", exact: true });
  await record.getByText("delivered", { exact: true }).first().waitFor();
  for (const word of ["Read or received", "In the log", "Delivered"]) await record.getByText(word).first().waitFor();
  const outcomes = record.getByRole("region", { name: "Destinations" }).getByRole("row");
  await expect
    .poll(() => outcomes.allTextContents())
    .toEqual([
      expect.stringContaining("Outcome"),
      expect.stringContaining("warehousedelivered"),
      expect.stringContaining("copydelivered"),
    ]);
  // What changed, with markup as the text that it is.
  await record.getByText("left it as it was").waitFor();
  await record.getByText("<b>Ada</b> & sons").first().waitFor();
  expect(await record.locator("b").count()).toBe(0);
  await expectAccessible(page);
  await shoot(page, "follow");

  await page.getByRole("textbox", { name: "Record" }).fill("four");
  await page.getByRole("button", { name: "Follow", exact: true }).click();
  await record.getByText("dead letter", { exact: true }).first().waitFor();
  await record.getByText("VALIDATION_ERROR").first().waitFor();
  await record.getByText("It came to no destination.").waitFor();
  await expectAccessible(page);
  await shoot(page, "follow-dead-letter");

  // The URL is the view: back leads to the one before.
  await page.goBack();
  await page.getByText("ada@example.com").first().waitFor();
  await page.goto(`/follow?integration=${id}&record=alan%40example.com`);
  await record.getByText("filtered", { exact: true }).waitFor();
  await page.goto(`/follow?integration=${id}&record=nobody`);
  await page.getByText("Nothing was found").waitFor();
  await expectAccessible(page);
});
