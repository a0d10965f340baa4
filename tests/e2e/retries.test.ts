import { expect, test } from "vitest";
import { TestNode } from "../support/node.ts";

const records = 3_000;

test("records that wait for their next try outlive the node, hold nobody up and are counted once", async () => {
  const node = await TestNode.start();
  const { api } = node;
  await api.connector("numbers", "generator", { count: records });
  await api.connector("shaky", "blackhole", { fail: { ratio: 0.2, code: "UNAVAILABLE" } });
  await api.connector("steady", "blackhole", {});
  const id = await api.integration({
    name: "shaky",
    source: { connector: "numbers", stream: "numbers" },
    destinations: [
      { id: "shaky", connector: "shaky", stream: "all" },
      { id: "steady", connector: "steady", stream: "all" },
    ],
    delivery: { retry: { max_attempts: 100, initial: "1500ms", max: "1500ms" } },
  });
  const run = await api.run(id);
  // All but those that wait has been settled.
  const waiting = await api.until(
    run,
    ({ by_destination: { shaky, steady } }) => steady?.out === records && (shaky?.out ?? 0) > records / 2,
  );
  expect(waiting).toMatchObject({ status: "running", records_in: records, records_failed: 0 });
  await node.kill();
  await node.start();
  expect(await api.ended(run)).toMatchObject({
    status: "success",
    records_in: records,
    records_out: 2 * records,
    records_failed: 0,
    by_destination: { shaky: { out: records, failed: 0 }, steady: { out: records, failed: 0 } },
  });
});
