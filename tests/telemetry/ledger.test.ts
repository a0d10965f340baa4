import { readFileSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { expect, inject, test } from "vitest";
import { killNode, strike, wholeRun } from "../chaos/chaos.ts";
import { TestNode } from "../support/node.ts";
import { copyRules, seededRandom, writeRecords } from "../support/records.ts";
import { connectNats } from "../support/servers.ts";
import { type Entry, samples } from "./support.ts";

const source = { connector: "files", stream: "in.ndjson" };

async function nodeWithFile(records: number, env: NodeJS.ProcessEnv = {}): Promise<TestNode> {
  const node = await TestNode.start({ env });
  writeRecords(join(node.files, "in.ndjson"), records);
  await node.api.connector("files", "file", { path: node.files });
  return node;
}

function logged(node: TestNode, message: string): Entry[] {
  const lines = readFileSync(join(node.dataDir, "sluice.log"), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Entry).filter(({ msg }) => msg === message);
}

async function imbalance(node: TestNode): Promise<number | undefined> {
  return samples((await node.api.text("/metrics")).text, "sluice_ledger_imbalance")[0]?.value;
}

test("the ledger balances over several destinations although the node is killed in between", async () => {
  const records = 100_000;
  const node = await nodeWithFile(records);
  await node.api.connector("nowhere", "blackhole", {});
  const destinations = [
    { id: "file", connector: "files", stream: "out.ndjson", mode: "replace" },
    { id: "hole", connector: "nowhere", stream: "any" },
  ];
  const id = await node.api.integration({ name: "two", source, destinations, ...copyRules });
  const blow = { records, times: 2, random: seededRandom(), blow: killNode };
  const [run] = (await strike(node, [await node.api.run(id)], blow)).runs;
  expect(run).toMatchObject(wholeRun(records, ["file", "hole"]));
  await expect.poll(() => logged(node, "run ended").length).toBe(1);
  expect(await imbalance(node)).toBe(0);
  // Every tenth is filtered.
  const out = records * 0.9;
  const passed = { published: out, inherited: 0, confirmed: out, failed: 0, pending: 0, deferred: 0 };
  expect(run).toMatchObject({
    ledger: {
      balanced: true,
      imbalances: [],
      steps: { source: { in: records, out: records } },
      destinations: { file: passed, hole: passed },
    },
  });
  const counted = samples((await node.api.text("/metrics")).text, "sluice_ledger_records_total");
  const confirmed = counted.filter(({ labels }) => labels.destination === "hole" && labels.kind === "confirmed");
  // Of this life of the node.
  expect(confirmed[0]?.value).toBeGreaterThan(0);
  expect(logged(node, "the ledger does not balance")).toEqual([]);
  expect(logged(node, "run goes on").length).toBeGreaterThan(0);
});

test("records that vanish from the log are told: by the metric, in the log with their place, and the run fails", async () => {
  const node = await nodeWithFile(5_000, { SLUICE_NATS_URL: inject("natsUrl") });
  await node.api.connector("slow", "blackhole", { latency: "3s" });
  const destination = { connector: "slow", stream: "any" };
  const id = await node.api.integration({ name: "lossy", source, destination, ...copyRules });
  const runId = await node.api.run(id);
  const stream = `SLUICE_IN_${id.replaceAll("-", "")}`;
  const manager = await jetstreamManager(await connectNats());
  const state = async () => (await manager.streams.info(stream)).state;
  await expect.poll(async () => (await state()).messages, { interval: 10 }).toBeGreaterThan(5);
  await node.kill();
  const batches: number[] = [];
  const { first_seq, last_seq } = await state();
  for (let seq = last_seq; seq >= first_seq; seq--) {
    const message = await manager.streams.getMessage(stream, { seq });
    if (message?.subject.includes(".batch.")) batches.push(seq);
  }
  // Not the last: that one says where the source stands.
  expect(batches.length).toBeGreaterThan(1);
  await manager.streams.deleteMessage(stream, batches[1] as number);
  await node.start();
  const run = await node.api.until(runId, ({ status }) => status !== "running");
  expect(run).toMatchObject({ status: "failed", error: { code: "INTERNAL_ERROR" } });
  expect(run.error?.message).toMatch(/ledger does not balance/);
  const found = {
    step: "source",
    between: "source and steps",
    expected: 5_000,
    sequences: [expect.any(Number), expect.any(Number)],
  };
  expect(run).toMatchObject({ ledger: { balanced: false, imbalances: [found] } });
  expect(await imbalance(node)).toBeGreaterThan(0);
  expect(logged(node, "the ledger does not balance")).toContainEqual(
    expect.objectContaining({ integration: "lossy", run: runId, ...found }),
  );
  const { health_reason } = await node.api.call<{ health_reason: string }>("GET", `/v1/integrations/${id}`);
  expect(health_reason).toMatch(/the ledger does not balance/);
});
