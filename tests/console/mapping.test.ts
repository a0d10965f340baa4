import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { consoleTests, expectAccessible, shoot } from "../support/browser.ts";
import { cuttable } from "../support/cuttable.ts";

const { node, visit } = consoleTests();

const people = [
  { id: 1, name: "Ada", address: { city: "London" }, joined: "2024-01-02", tags: ["a", "b"] },
  { id: 2, name: "Bob", address: { city: "Paris" }, joined: "soon", tags: [] },
  { id: 3, name: "<img src=x onerror=alert(1)>", address: { city: "Rome" }, joined: "2024-03-04", tags: ["c"] },
];

beforeAll(async () => {
  const { api, files } = node();
  writeFileSync(join(files, "people.ndjson"), people.map((each) => `${JSON.stringify(each)}\n`).join(""));
  await api.connector("files", "file", { path: files, format: "ndjson" });
  await api.connector("warehouse", "blackhole", {});
});

const first = { source: "$.id", destination: "id" };
let made = 0;
/** From a file of people to the warehouse. */
async function integration(change: object = {}): Promise<{ id: string; name: string }> {
  const name = `people-${++made}`;
  const id = await node().api.integration({
    name,
    source: { connector: "files", stream: "people.ndjson" },
    destination: { connector: "warehouse", stream: "people" },
    mapping_spec: [first],
    ...change,
  });
  return { id, name };
}

const save = "Save as a new version";
const rules = (page: Page) => page.getByRole("textbox", { name: "Rules", exact: true });
const result = (page: Page) => page.getByRole("textbox", { name: "What the rules make of it" });
const outcome = (page: Page, word: string) => page.getByRole("status", { name: "Outcome" }).getByText(word);
const spec = (id: string) =>
  node().api.call<{ version: number; mapping_spec: unknown }>("GET", `/v1/integrations/${id}`);

/** In the place of all that stands there. */
async function write(page: Page, value: unknown): Promise<void> {
  await rules(page).focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(typeof value === "string" ? value : JSON.stringify(value, null, 2));
}

test("a rule that is typed shows what it makes of the sample, paths are completed, and it is saved as a version", async () => {
  const { id, name } = await integration();
  const page = await visit({ path: `/integrations/${id}` });
  await page.getByRole("link", { name: "map", exact: true }).click();
  await page.getByRole("heading", { name: `Mapping of ${name}`, level: 1 }).waitFor();
  await page.getByText("1 of 3").waitFor();
  await outcome(page, "mapped").waitFor();
  await expect.poll(() => result(page).textContent()).toBe('{  "id": 1}');
  await page.getByRole("button", { name: save }).and(page.getByTitle("Nothing is changed")).waitFor();

  await page.getByRole("button", { name: "Add a rule" }).click();
  const options = page.getByRole("option");
  await options.filter({ hasText: "$.address.city" }).waitFor();
  await page.keyboard.type("addr");
  await expect.poll(() => options.filter({ hasText: "$.name" }).count()).toBe(0);
  await shoot(page, "mapping-completion");
  await options.filter({ hasText: "$.address.city" }).click();
  await expect.poll(() => rules(page).textContent()).toContain('"source": "$.address.city"');
  for (let key = 0; key < '", "destination": "'.length; key++) await page.keyboard.press("ArrowRight");
  await page.keyboard.type("town");
  await page.keyboard.press("Escape");
  await expect.poll(() => result(page).textContent()).toBe('{  "id": 1,  "town": "London"}');
  await page.getByRole("button", { name: "Next record" }).click();
  await expect.poll(() => result(page).textContent()).toBe('{  "id": 2,  "town": "Paris"}');
  expect(new URL(page.url()).search).toBe("?step=map&record=2");
  await expectAccessible(page);
  await shoot(page, "mapping");

  await rules(page).focus();
  await page.keyboard.press("ControlOrMeta+s");
  await page.getByText("Saved as version 2").waitFor();
  expect(await spec(id)).toMatchObject({
    version: 2,
    mapping_spec: [first, { source: "$.address.city", destination: "town" }],
  });
});

test("a mistake stands at its rule, and what the rules made before it stays in sight", async () => {
  const { id } = await integration();
  const page = await visit({ path: `/integrations/${id}/mapping?record=2` });
  await outcome(page, "mapped").waitFor();
  await write(page, [first, { source: "$.name", destination: "name", cast: "intger" }]);
  const findings = page.getByRole("region", { name: "Rules" }).getByRole("listitem");
  await findings.filter({ hasText: "Rule 2 cast" }).waitFor();
  await expect.poll(() => page.locator(".cm-lintRange-error").allTextContents()).toContain('"cast"');
  await outcome(page, "before the change").waitFor();
  expect(await result(page).textContent()).toBe('{  "id": 2}');
  await expectAccessible(page);
  await shoot(page, "mapping-wrong");
  await findings.getByRole("button", { name: "Rule 2" }).click();
  await expect.poll(() => page.locator(".cm-activeLine").allTextContents()).toContain('    "cast": "intger"');

  await write(page, "[{");
  await page.getByText("This is no JSON yet").first().waitFor();
  await page.getByRole("button", { name: save }).and(page.getByTitle("Some of it is no JSON yet")).waitFor();
  expect(await result(page).textContent()).toBe('{  "id": 2}');

  // As the pages about mapping show rules.
  await write(page, "- { source: $.id, destination: id }\n- { source: $.name, destination: title }\n");
  await page.getByRole("button", { name: "Turn it into JSON" }).click();
  await expect.poll(() => result(page).textContent()).toBe('{  "id": 2,  "title": "Bob"}');

  // What a record of the sample breaks is told by the record.
  await write(page, [first, { source: "$.joined", destination: "joined", cast: "date" }]);
  await findings.filter({ hasText: "Rule 2" }).getByRole("button", { name: "record 2" }).waitFor();
  await outcome(page, "failed").waitFor();
  await page.locator(".cm-lintRange-error").first().waitFor();
  await page.getByRole("button", { name: "Next record" }).click();
  await outcome(page, "mapped").waitFor();
  await findings.getByRole("button", { name: "record 2" }).click();
  await outcome(page, "failed").waitFor();
});

test("a payload with markup is text, and pasted records take the place of the sample", async () => {
  const { id } = await integration({ mapping_spec: [{ source: "$", destination: "*" }] });
  const page = await visit({ path: `/integrations/${id}/mapping?record=3` });
  await expect.poll(() => result(page).textContent()).toContain("<img src=x onerror=alert(1)>");
  expect(await page.locator("main img").count()).toBe(0);
  const sample = page.getByRole("textbox", { name: "Record of the sample" });
  await sample.focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText('{"big":12345678901234567890}\n{"big":2}\n');
  await page.getByText("3 of 4").waitFor();
  // Every digit is kept there and back.
  await expect.poll(() => result(page).textContent()).toBe('{  "big": 12345678901234567890}');
  await sample.focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText("nothing");
  await page.getByRole("region", { name: "Sample" }).getByRole("alert").waitFor();
});

test("what breaks keeps a version from being saved, until it is to be saved all the same", async () => {
  const { id } = await integration();
  const page = await visit({ path: `/integrations/${id}/mapping` });
  await outcome(page, "mapped").waitFor();
  const wrong = [first, { source: "$.nmae", destination: "name" }];
  await write(page, wrong);
  await page.getByRole("button", { name: save }).click();
  const dialog = page.getByRole("dialog", { name: "This breaks" });
  await dialog.getByText("did you mean $.name?").waitFor();
  await expectAccessible(page);
  await shoot(page, "mapping-breaks");
  await dialog.getByRole("button", { name: "Go on editing" }).click();
  expect(await spec(id)).toMatchObject({ version: 1 });
  await page.getByRole("button", { name: save }).click();
  await dialog.getByRole("button", { name: "Save all the same" }).click();
  await page.getByText("Saved as version 2").waitFor();
  expect(await spec(id)).toMatchObject({ version: 2, mapping_spec: wrong });
});

test("of two who write rules the second one sees what the first changed, and keeps it", async () => {
  const { id } = await integration();
  const { key } = await node().api.call<{ key: string }>("POST", "/v1/api-keys", { name: "Grace", role: "editor" });
  const path = `/integrations/${id}/mapping`;
  const [ada, grace] = [await visit({ path }), await visit({ path, key })];
  for (const page of [ada, grace]) await outcome(page, "mapped").waitFor();
  const named = [first, { source: "$.name", destination: "name" }];
  await write(ada, named);
  // Somebody changes something else: it is in what saving makes.
  const body = await node().api.call<object>("GET", `/v1/integrations/${id}`);
  await node().api.call("PUT", `/v1/integrations/${id}`, { ...body, delivery: { batch: { records: 6 } } });
  await ada.getByText("Somebody changed it while you edit version 1: it is at version 2.").waitFor();
  await grace.getByText("version 2", { exact: true }).waitFor();
  await write(grace, [{ source: "$.id", destination: "number" }]);
  await grace.getByRole("button", { name: save }).click();
  await grace.getByText("Saved as version 3").waitFor();

  await ada.getByText("it is at version 3").waitFor();
  await ada.getByRole("button", { name: save }).click();
  const dialog = ada.getByRole("dialog", { name: "Somebody else changed it" });
  await dialog.getByText("Grace saved version 3 while you edited version 1").waitFor();
  await dialog.getByRole("tab", { name: "What mine would change of theirs" }).click();
  await expect.poll(() => dialog.getByRole("textbox").textContent()).toContain('"destination": "number"');
  await expectAccessible(ada);
  await shoot(ada, "mapping-conflict");
  await dialog.getByRole("button", { name: "Put mine over theirs" }).click();
  await ada.getByText("Saved as version 4").waitFor();
  expect(await spec(id)).toMatchObject({ mapping_spec: named, delivery: { batch: { records: 6 } } });
});

test("of several map steps each has its rules, which see what comes into the step, and are saved together", async () => {
  const steps = [
    { id: "near", type: "filter", where: "$.address.city != 'Paris'" },
    { id: "shape", type: "map", mapping: [{ source: "$.address.city", destination: "place.town" }] },
    { id: "flat", type: "map", mapping: [{ source: "$.place.town", destination: "town" }] },
  ];
  const { id } = await integration({ mapping_spec: undefined, pipeline_spec: { steps } });
  const page = await visit({ path: `/integrations/${id}/mapping?step=flat` });
  await expect.poll(() => result(page).textContent()).toBe('{  "town": "London"}');
  await page.getByRole("button", { name: "Next record" }).click();
  await outcome(page, "not reached").waitFor();
  await page.getByRole("button", { name: "Record before" }).click();
  await page.getByRole("button", { name: "Add a rule" }).click();
  await page.getByRole("option").filter({ hasText: "$.place.town" }).waitFor();
  expect(await page.getByRole("option").filter({ hasText: "$.address" }).count()).toBe(0);
  await page.keyboard.press("Escape");
  await write(page, [{ template: "in {{ $.place.town }}", destination: "town" }]);
  await expect.poll(() => result(page).textContent()).toBe('{  "town": "in London"}');
  await page.getByRole("button", { name: "Step" }).click();
  await page.getByRole("option", { name: "shape" }).click();
  await expect.poll(() => result(page).textContent()).toContain('"place"');
  await write(page, [{ source: "$.name", destination: "place.town" }]);
  await expect.poll(() => result(page).textContent()).toContain('"Ada"');
  await page.getByRole("button", { name: save }).click();
  await page.getByText("Saved as version 2").waitFor();
  expect(await spec(id)).toMatchObject({
    pipeline_spec: {
      steps: [
        steps[0],
        { mapping: [{ source: "$.name", destination: "place.town" }] },
        { mapping: [{ template: "in {{ $.place.town }}", destination: "town" }] },
      ],
    },
  });
});

test("an integration without rules begins with all fields, and what is not saved is not left without a word", async () => {
  const { id } = await integration({ mapping_spec: undefined });
  const page = await visit({ path: `/integrations/${id}/mapping` });
  await page.getByText("There is no mapping yet").waitFor();
  await expectAccessible(page);
  await shoot(page, "mapping-none");
  await page.getByRole("button", { name: "Begin with a rule for each field" }).click();
  await expect.poll(() => rules(page).textContent()).toContain('{ "source": "$.joined", "destination": "joined" }');
  await page.getByRole("button", { name: "Discard changes" }).click();
  await page.getByRole("button", { name: "Begin with all fields" }).click();
  await expect.poll(() => result(page).textContent()).toContain('"Ada"');
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByRole("dialog", { name: "Leave without saving?" }).getByRole("button", { name: "Leave" }).click();
  await expect.poll(() => new URL(page.url()).pathname).toBe("/");
});

test("a source that cannot be read says why, and a record that is written takes its place", async () => {
  const { id } = await integration({ source: { connector: "files", stream: "gone.ndjson" } });
  const page = await visit({ path: `/integrations/${id}/mapping` });
  await page.getByText("Nothing could be read from the source").waitFor();
  await page.getByText("gone.ndjson").waitFor();
  await expectAccessible(page);
  await shoot(page, "mapping-no-sample");
  await page.getByRole("button", { name: "Write or paste one" }).click();
  const sample = page.getByRole("textbox", { name: "Record of the sample" });
  await sample.focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText('{"id":7}');
  await expect.poll(() => result(page).textContent()).toBe('{  "id": 7}');
});

test("an integration that records are sent to is tried with what is pasted", async () => {
  const auth = { scheme: "bearer", secrets: ["a-long-enough-secret"] };
  const { id } = await integration({ source: undefined, trigger: { type: "webhook", auth } });
  const page = await visit({ path: `/integrations/${id}/mapping` });
  await page.getByText("Records are sent to this integration").waitFor();
  expect(await page.getByRole("button", { name: "Read from the source" }).count()).toBe(0);
  await page.getByRole("button", { name: "Write or paste one" }).click();
  await outcome(page, "mapped").waitFor();
});

test("a record of 20 MB is shown by its beginning, and does not keep the others from being tried", async () => {
  const large = (size: number) => JSON.stringify({ id: 1, text: "x".repeat(size) });
  writeFileSync(join(node().files, "large.ndjson"), `{"id":0}\n${large(20_000_000)}\n${large(15_000_000)}\n`);
  const { id } = await integration({ source: { connector: "files", stream: "large.ndjson" } });
  const page = await visit({ path: `/integrations/${id}/mapping` });
  await outcome(page, "mapped").waitFor();
  await page.getByText("the longest record is 16.0 MiB").waitFor();
  await page.getByRole("button", { name: "Next record" }).click();
  await page.getByText("It has 15.0 MB").waitFor();
  await page.getByText("The record cannot be tried.").waitFor();
  await expectAccessible(page);
  await write(page, [{ source: "$.id", destination: "number" }]);
  await page.getByRole("button", { name: "Record before" }).click();
  await expect.poll(() => result(page).textContent()).toBe('{  "number": 0}');
  await page.getByRole("textbox", { name: "Record of the sample" }).focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.evaluate(`{
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", JSON.stringify({ text: "x".repeat(20_000_000) }));
    document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }`);
  await page.getByText("It has 20.0 MB").waitFor();
  await page.getByRole("button", { name: "Take this record out" }).click();
  await page.getByText("It has 15.0 MB").waitFor();
});

test("a server that is away is told, what it said last stays, and the rules are tried when it is back", async () => {
  const { id } = await integration();
  const line = await cuttable(Number(new URL(node().url).port));
  const page = await visit({ url: line.url, path: `/integrations/${id}/mapping` });
  await outcome(page, "mapped").waitFor();
  line.cut();
  await page.getByText("offline", { exact: true }).waitFor();
  await write(page, [{ source: "$.name", destination: "name" }]);
  await page.getByRole("alert").getByText("the server cannot be reached").waitFor();
  expect(await result(page).textContent()).toBe('{  "id": 1}');
  await rules(page).focus();
  await page.keyboard.press("ControlOrMeta+s");
  await page.getByText("NO_ANSWER").waitFor();
  line.mend();
  await expect.poll(() => result(page).textContent()).toBe('{  "name": "Ada"}');
  expect(await page.getByRole("region", { name: "Result" }).getByRole("alert").count()).toBe(0);
});

test("a viewer sees the rules and no button that would be refused", async () => {
  const { key } = await node().api.call<{ key: string }>("POST", "/v1/api-keys", { name: "looker", role: "viewer" });
  const { id, name } = await integration();
  const page = await visit({ path: `/integrations/${id}/mapping`, key });
  await page.getByRole("heading", { name: `Mapping of ${name}`, level: 1 }).waitFor();
  const shown = page.getByRole("textbox", { name: "Rules of map" });
  await expect.poll(() => shown.textContent()).toContain('"$.id"');
  expect(await shown.getAttribute("aria-readonly")).toBe("true");
  expect(await page.getByRole("main").getByRole("button").count()).toBe(0);
  await expectAccessible(page);
  await shoot(page, "mapping-viewer");
});
