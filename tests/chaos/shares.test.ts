import { expect, onTestFinished, test } from "vitest";
import type { TestNode } from "../support/node.ts";
import { Group, ownedBy, ownNats } from "./suite/group.ts";

const integrations = 30;
const patient = { timeout: 120_000, interval: 100 };

test("thirty integrations on three nodes are shared evenly; what a node that leaves had is its own again when it returns", {
  timeout: 300_000,
}, async () => {
  const atEnd = (end: () => unknown) => onTestFinished(async () => void (await end()));
  const group = await Group.start(3, atEnd, (await ownNats(atEnd)).url);
  const [first, , third] = group.nodes as [TestNode, TestNode, TestNode];
  await first.api.connector("numbers", "generator", { count: 10 });
  await first.api.connector("slow", "generator", { rate: 1, count: 100_000 });
  await first.api.connector("nowhere", "blackhole", {});
  const ids: string[] = [];
  for (let n = 0; n < integrations; n++) {
    const id = await first.api.integration({
      name: `integration-${n}`,
      source: { connector: n === 0 ? "slow" : "numbers", stream: "numbers" },
      destination: { connector: "nowhere", stream: "all" },
    });
    ids.push(id);
  }
  const three = await shares(group.nodes);
  expect(Math.max(...sizes(three))).toBeLessThanOrEqual(12);

  // A run is cancelled by whichever node is asked.
  const elsewhere = group.nodes.find((node) => !three.get(node)?.has("integration-0")) as TestNode;
  const run = await elsewhere.api.run(ids[0] as string);
  await elsewhere.api.until(run, ({ records_in }) => records_in > 0);
  await elsewhere.api.call("POST", `/v1/runs/${run}/cancel`);
  expect(await elsewhere.api.ended(run)).toMatchObject({ status: "cancelled" });

  expect(await third.stop()).toBe(0);
  const two = await shares(group.alive);
  expect(Math.max(...sizes(two))).toBeLessThanOrEqual(18);
  const moved = moves(three, two) - (three.get(third)?.size ?? 0);
  expect(moved, "integrations of the nodes that stayed").toBeLessThanOrEqual(5);

  await third.start();
  expect(moves(two, await shares(group.nodes))).toBe(moves(two, three));
});

type Shares = ReadonlyMap<TestNode, ReadonlySet<string>>;

/** Once each integration is on one node. */
async function shares(nodes: readonly TestNode[]): Promise<Shares> {
  let found: Shares = new Map();
  const look = async () => {
    found = new Map(await Promise.all(nodes.map(async (node) => [node, await ownedBy(node)] as const)));
    return [...found.values()].flatMap((names) => [...names]).sort();
  };
  const names = Array.from({ length: integrations }, (_, n) => `integration-${n}`).sort();
  await expect.poll(look, patient).toEqual(names);
  return found;
}

const sizes = (shares: Shares): number[] => Array.from(shares.values(), ({ size }) => size);

/** How many integrations are on another node than before. */
function moves(before: Shares, after: Shares): number {
  let count = 0;
  for (const [node, names] of after) for (const name of names) if (!before.get(node)?.has(name)) count++;
  return count;
}
