import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { wholeRun } from "../chaos/chaos.ts";
import { TestNode } from "../support/node.ts";
import { copyRules, kept, landedInFile, writeRecords } from "../support/records.ts";

const records = 20_000;

test("an integration whose log was lost runs on a new one, whatever the store remembers of the old", async () => {
  const node = await TestNode.start();
  writeRecords(join(node.files, "in.ndjson"), records);
  await node.api.connector("files", "file", { path: node.files });
  const id = await node.api.integration({
    name: "lost",
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "files", stream: "out.ndjson", mode: "replace" },
    ...copyRules,
  });
  for (let n = 0; n < 3; n++) expect(await node.api.runAndWait(id)).toMatchObject(wholeRun(records, ["files"]));
  await node.kill();
  rmSync(join(node.dataDir, "nats", "jetstream"), { recursive: true });
  await node.start();
  // Before anybody needs it: it is said that nothing is as it was.
  const health = async () => await node.api.call("GET", `/v1/integrations/${id}`);
  await expect.poll(health, { timeout: 60_000 }).toMatchObject({
    health: "degraded",
    health_reason: expect.stringMatching(/^its log was lost.* go on from their cursors/),
  });
  expect(await node.api.runAndWait(id)).toMatchObject(wholeRun(records, ["files"]));
  await expect.poll(health, { timeout: 60_000 }).toMatchObject({ health: "ok", health_reason: null });
  const landed = await landedInFile(join(node.files, "out.ndjson"), records);
  expect(landed).toEqual({ total: kept(records), missing: 0, duplicates: 0, strange: 0 });
});
