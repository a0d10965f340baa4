import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { Run } from "../support/api.ts";
import { sluice } from "../support/cli.ts";
import { TestNode } from "../support/node.ts";

const patience = { timeout: 90_000, interval: 50 };
vi.setConfig({ testTimeout: 240_000 });

test("what is read all the time goes on over its runs, a kill -9, a change and a disabling, without a gap", async () => {
  const node = await TestNode.start({ env: { SLUICE_TEST_EVENT_RUN_MS: "2000" } });
  const { api } = node;
  await api.connector("ticker", "generator", { rate: 400, template: { id: "{{ index }}" } });
  await api.connector("files", "file", { path: node.files });
  const body = {
    name: "ticks",
    source: { connector: "ticker", stream: "ticks" },
    destination: { connector: "files", stream: "ticks.ndjson" },
    trigger: { type: "event" },
  };
  const id = await api.integration(body);
  const runs = async () => {
    const { items } = await api.call<{ items: Run[] }>("GET", `/v1/integrations/${id}/runs?limit=200`);
    return items.toReversed();
  };
  const ended = async () => (await runs()).filter(({ status }) => status !== "running");
  const endedAfter = (count: number) =>
    expect.poll(async () => (await ended()).length, patience).toBeGreaterThanOrEqual(count);
  const ids = () => {
    const file = join(node.files, "ticks.ndjson");
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
    return lines.map((line) => (JSON.parse(line) as { id: number }).id);
  };

  // Nobody has started it. A run for each window, each from where the one before ended, and none twice.
  await endedAfter(3);
  const before = ids();
  expect(before).toEqual(before.map((_, index) => index));
  expect(await api.call("GET", `/v1/integrations/${id}`)).toMatchObject({ health: "ok", next_fire_at: null });
  // Between two runs, one that is asked for is the next.
  const asked = async () => (await api.request<object>("POST", `/v1/integrations/${id}/run`)).body;
  const detail = expect.stringContaining("it is read all the time (trigger event), and each hour has a run");
  await expect.poll(asked, patience).toMatchObject({ code: "CONFLICT", detail });

  await node.kill();
  await node.start();
  const begun = (await ended()).length;
  await endedAfter(begun + 2);

  // The new version is read from where the former one stood.
  await api.call("PUT", `/v1/integrations/${id}`, { ...body, mapping_spec: [{ source: "$.id", destination: "id" }] });
  await expect.poll(async () => (await runs()).at(-1), patience).toMatchObject({ integration_version: 2 });

  await api.call("PUT", `/v1/integrations/${id}/disable`);
  await expect.poll(async () => (await runs()).every(({ status }) => status === "success"), patience).toBe(true);
  const all = await runs();
  const read = all.reduce((sum, { records_in }) => sum + records_in, 0);
  expect(new Set(ids())).toEqual(new Set(Array.from({ length: read }, (_, index) => index)));
  expect(all.every(({ trigger }) => trigger === "event")).toBe(true);
  const count = all.length;
  const refused = await sluice(node, "run", "ticks");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("ticks is disabled") });
  expect((await runs()).length).toBe(count);
});
