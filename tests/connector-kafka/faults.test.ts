import { randomUUID } from "node:crypto";
import { expect, test, vi } from "vitest";
import { TestNode } from "../support/node.ts";
import { tempDir } from "../support/temp-dir.ts";
import { useKafka } from "./cluster.ts";

// Limits for what hangs, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 480_000, hookTimeout: 240_000 });

const cluster = useKafka();
const patience = { timeout: 150_000, interval: 250 };
const partitions = 6;

/** A node whose integration `orders` reads the topic in the group, endlessly, and writes it by key to a topic of its own. */
async function startMember(input: string, output: string, group: string): Promise<TestNode> {
  const node = await TestNode.start({ folder: tempDir(), env: { SLUICE_KAFKA_BROKERS: cluster.broker.address } });
  await node.api.connector("kafka", "kafka", { group, session_timeout: "6s", write: { id_header: "id" } });
  await node.api.integration({
    name: "orders",
    source: { connector: "kafka", stream: input, mode: "incremental" },
    destination: { connector: "kafka", stream: output, mode: "upsert", key: ["id"] },
    trigger: { type: "event" },
    delivery: { retry: { initial: "200ms", max: "1s", max_attempts: 100 } },
  });
  return node;
}

test("nodes in a group are killed, and so is the broker while they rebalance: each message is delivered, and those under way alone twice", async () => {
  const input = await cluster.topic(partitions);
  const outputs = [await cluster.topic(partitions), await cluster.topic(partitions)];
  let sent = 0;
  const send = async (count: number) => {
    const messages = Array.from({ length: count }, (_, index) => {
      const id = sent + index;
      return { value: JSON.stringify({ id, text: "x".repeat(200) }), partition: id % partitions };
    });
    await cluster.produce(input, messages);
    sent += count;
  };
  const written = async (output: string) => {
    const offsets = await cluster.admin.fetchTopicOffsets(output);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  };
  /** All that was sent is in one of the outputs. */
  const arrived = async () => {
    await vi.waitFor(async () => {
      const counts = await Promise.all(outputs.map(written));
      expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(sent);
    }, patience);
    await vi.waitFor(async () => {
      const found = new Set<number>();
      for (const output of outputs)
        for (const value of await cluster.values(output)) found.add((value as { id: number }).id);
      expect(found.size).toBe(sent);
    }, patience);
  };
  const group = `g-${randomUUID()}`;
  const first = await startMember(input, outputs[0]!, group);
  await startMember(input, outputs[1]!, group);
  // Both have a share.
  await vi.waitFor(async () => {
    await send(60);
    for (const output of outputs) expect(await written(output)).toBeGreaterThan(0);
  }, patience);

  // The first dies with messages in hand; the second takes its partitions over.
  await send(10_000);
  await vi.waitFor(async () => expect(await written(outputs[0]!)).toBeGreaterThan(500), {
    timeout: 150_000,
    interval: 5,
  });
  await first.kill();
  await send(3_000);
  await arrived();

  // It comes back, and gets a share again.
  const before = await written(outputs[0]!);
  await first.start();
  await vi.waitFor(async () => {
    await send(60);
    expect(await written(outputs[0]!)).toBeGreaterThan(before);
  }, patience);

  // The broker dies in the middle of a rebalance: the group waits for the member that died, and the new one for the group.
  await send(10_000);
  await first.kill();
  await first.start();
  await vi.waitFor(
    async () => {
      const { groups } = await cluster.admin.describeGroups([group]);
      expect(groups[0]?.state).toBe("PreparingRebalance");
    },
    { timeout: 60_000, interval: 5 },
  );
  await cluster.broker.kill();
  await cluster.broker.start();
  await send(600);
  await arrived();

  const values: { readonly id: string; readonly record: string }[] = [];
  for (const output of outputs) {
    for (const { value, headers } of await cluster.messages(output)) {
      values.push({ id: (JSON.parse(String(value)) as { id: number }).id.toString(), record: String(headers?.id) });
    }
  }
  const twice = values.length - new Set(values.map(({ id }) => id)).size;
  process.stderr.write(`kafka faults: ${sent} messages, ${twice} of them delivered twice\n`);
  // What is known by its record id to be the same was written again; the rest was read by both.
  expect(twice).toBeLessThan(sent / 2);
});
