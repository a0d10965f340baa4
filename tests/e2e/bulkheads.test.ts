import { expect, onTestFinished, test, vi } from "vitest";
import { serve } from "../support/http-server.ts";
import { TestNode } from "../support/node.ts";
import { samples } from "../telemetry/support.ts";

// Limits for what hangs, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 300_000 });
const patience = { timeout: 120_000, interval: 50 };

const integrations = 12;
const stuck = 2;
const records = 2_000;
/** Requests of a destination at once. */
const concurrency = 2;
const names = Array.from({ length: integrations }, (_, i) => (i < stuck ? `stuck-${i}` : `free-${i}`));
const free = names.slice(stuck);

test("two destinations that hang cost the ten beside them, of the same connector, no connection, no credit and no turn of the sandbox", async () => {
  const landed = new Map<string, Set<number>>();
  let held: { stream: string; answer: () => void }[] = [];
  let hangs = true;
  const server = await serve(async ({ path, body }) => {
    const stream = path.slice(1);
    if (hangs && stream.startsWith("stuck")) {
      await new Promise<void>((answer) => held.push({ stream, answer }));
    }
    const seen = landed.get(stream) ?? new Set();
    landed.set(stream, seen);
    for (const { n } of JSON.parse(body) as { n: number }[]) seen.add(n);
    return { status: 201 };
  });
  onTestFinished(() => server.close());
  const { api } = await TestNode.start({ env: { SLUICE_ALLOW_ADDRESSES: "127.0.0.0/8" } });
  await api.connector("numbers", "generator", { count: records, template: { n: "{{ index }}" } });
  const streams = Object.fromEntries(names.map((name) => [name, { append: { batch: { records: 100 } } }]));
  await api.connector("crm", "http", { base_url: server.url, concurrency, streams });
  const ids: string[] = [];
  for (const name of names) {
    ids.push(
      await api.integration({
        name,
        source: { connector: "numbers", stream: name },
        destination: { connector: "crm", stream: name },
        pipeline_spec: { steps: [{ id: "same", type: "transform", script: "(record) => record" }] },
        // What hangs does so for good.
        delivery: { timeout: { read: "1h", total: "1h" } },
      }),
    );
  }
  const credits = async () => {
    const all = samples((await api.text("/metrics")).text, "sluice_credit_available");
    return new Map(all.map(({ labels, value }) => [labels.integration, value]));
  };

  const runs: string[] = [];
  for (const id of ids) runs.push(await api.run(id));
  await expect.poll(() => held.length, patience).toBe(stuck * concurrency);
  for (const run of runs.slice(stuck)) {
    expect(await api.ended(run)).toMatchObject({ status: "success", records_out: records, records_failed: 0 });
  }
  // Once more, with those two stuck from beginning to end.
  const again: string[] = [];
  for (const id of ids.slice(stuck)) again.push(await api.run(id));
  for (const run of again) {
    expect(await api.ended(run)).toMatchObject({ status: "success", records_out: records, records_failed: 0 });
  }
  for (const name of free) expect(landed.get(name)?.size).toBe(records);
  // They hold their own requests and batches, and no more than those.
  expect(held.map(({ stream }) => stream).sort()).toEqual(["stuck-0", "stuck-0", "stuck-1", "stuck-1"]);
  const left = await credits();
  const whole = Math.max(...left.values());
  for (const name of free) expect(left.get(name)).toBe(whole);
  for (const name of names.slice(0, stuck)) expect(left.get(name)).toBeLessThan(whole);
  for (const run of runs.slice(0, stuck))
    expect(await api.runById(run)).toMatchObject({ status: "running", records_out: 0 });

  hangs = false;
  for (const { answer } of held) answer();
  held = [];
  for (const run of runs.slice(0, stuck)) {
    expect(await api.ended(run)).toMatchObject({ status: "success", records_out: records, records_failed: 0 });
  }
  for (const name of names) expect(landed.get(name)?.size).toBe(records);
});
